package hub_test

import (
	"testing"

	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/hubtest"
)

// lateBroker answers in the order in which it was asked.
type lateBroker struct{ *hubtest.Late }

func (l lateBroker) one() bool { return l.Answer(func(int) int { return 0 }) }

// all answers everything, and runs the peers' loops.
func (l lateBroker) all(peers ...*peer) {
	for more := true; more; {
		more = l.one()
		for _, p := range peers {
			more = p.Run() > 0 || more
		}
	}
}

// newLateHub returns a hub with a broker that answers when it is told to.
func newLateHub(t testing.TB, config hub.Config) (*hub.Hub, lateBroker) {
	options := func(channel string) hub.Options { return config.Channels[""] }
	late := lateBroker{&hubtest.Late{Broker: hub.NewMemory(hub.MemoryConfig{Options: options, Now: config.Now})}}
	config.Broker = late
	return newHub(t, config), late
}

// Nothing of a subscription comes before it has begun, whatever is published while
// the broker is asked.
func TestLateAnswer(t *testing.T) {
	h, late := newLateHub(t, hub.Config{Channels: withPresence})
	say := func(text string) {
		h.Publish([]hub.Publication{{Channel: "a", Data: []byte(text)}}, nil)
	}
	p, q := connect(t, h, &hubtest.Loop{}, "ann"), connect(t, h, &hubtest.Loop{}, "bob")
	q.subscribe("a", hub.SubscribeOptions{Member: true})
	late.all(q)
	say("1")
	p.subscribe("a", hub.SubscribeOptions{After: &hub.Position{}, Presence: true})
	say("2")
	q.Unsubscribe("a")
	p.expect()
	say("3")
	late.all(p, q)
	p.expect("a from 0 of 1, 0 missing", "a 1 1", "a 2 2", "a 3 3")
	say("4")
	p.expect("a 4 4")

	// What is published while it reads.
	p.Room = 0
	say("5")
	p.Run()
	p.drain(-1) // asks
	say("6")
	p.expect()
	late.all(p)
	p.expect("a 5 5", "a 6 6")
	say("7")
	p.expect("a 7 7")
}

// What is answered after the end is nothing.
func TestLateForNobody(t *testing.T) {
	h, late := newLateHub(t, hub.Config{Channels: withPresence})
	for _, end := range []func(*peer){
		func(p *peer) { p.Client.Close() },
		func(p *peer) { p.Unsubscribe("a") },
	} {
		for answers := range 3 { // before the end
			p := connect(t, h, &hubtest.Loop{}, "")
			p.subscribe("a", hub.SubscribeOptions{})
			for range answers {
				late.one()
				if answers == 1 {
					p.Run()
				}
			}
			end(p)
			late.all(p)
			p.expect()
		}
	}
	p := connect(t, h, &hubtest.Loop{}, "")
	p.Publish(hub.Publication{Channel: "a"}, func(hub.Result) { p.Got = append(p.Got, "published") })
	p.Members("a", 1, func([]hub.Member, int, error) { p.Got = append(p.Got, "members") })
	late.one()
	p.Client.Close()
	late.all(p)
	p.expect()
	q := connect(t, h, &hubtest.Loop{}, "")
	q.Publish(hub.Publication{Channel: "a"}, func(hub.Result) { q.Got = append(q.Got, "published") })
	q.Members("a", 1, func([]hub.Member, int, error) { q.Got = append(q.Got, "members") })
	q.expect()
	late.all(q)
	q.expect("published", "members")
	if s := h.Stats(); s.Subscriptions != 0 {
		t.Errorf("%+v", s)
	}
}

// Who comes while the broker is asked to stop, or fails, is served all the same.
func TestLateWatch(t *testing.T) {
	h, late := newLateHub(t, hub.Config{})
	fails := 0
	late.Fails = func() error {
		if fails > 0 {
			fails--
			return &hub.Error{Code: hub.TooMany}
		}
		return nil
	}
	p, q := connect(t, h, &hubtest.Loop{}, ""), connect(t, h, &hubtest.Loop{}, "")
	fails = 1
	p.subscribe("a", hub.SubscribeOptions{})
	q.subscribe("a", hub.SubscribeOptions{})
	late.all(p, q)
	p.expect("a refused too_many")
	q.expect("a refused too_many")
	p.subscribe("a", hub.SubscribeOptions{})
	p.Unsubscribe("a")
	p.subscribe("a", hub.SubscribeOptions{})
	q.subscribe("a", hub.SubscribeOptions{})
	q.Unsubscribe("a")
	late.all(p, q)
	p.expect("a from 0 of 0, 0 missing")
	q.expect()
	h.Publish([]hub.Publication{{Channel: "a", Data: []byte("1")}}, nil)
	p.expect("a 1 1")
	fails = 1 // a Read
	p.Room = 0
	h.Publish([]hub.Publication{{Channel: "a", Data: []byte("2")}}, nil)
	p.Run()
	p.drain(-1)
	late.all(p)
	p.expect("a ended too_many")
	fails = 2 // a Watch that fails for one who has left by then
	p.subscribe("b", hub.SubscribeOptions{})
	p.Unsubscribe("b")
	late.all(p)
	p.expect()
	p.Client.Close()
	q.Client.Close()
	if left := h.Left(); left != 0 {
		t.Errorf("%d are left", left)
	}
}
