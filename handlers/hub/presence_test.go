package hub_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/hubtest"
)

var withPresence = map[string]hub.Options{"": {Presence: true}, "none": {}}

// Who watches sees everybody come and go, itself too.
func TestPresence(t *testing.T) {
	h := newHub(t, hub.Config{Channels: withPresence})
	l := &hubtest.Loop{}
	ann, bob, eve := connect(t, h, l, "ann"), connect(t, h, &hubtest.Loop{}, "bob"), connect(t, h, l, "eve")
	eve.subscribe("a", hub.SubscribeOptions{})
	ann.subscribe("a", hub.SubscribeOptions{Presence: true, Member: true})
	ann.expect("a from 0 of 0, 0 missing", "a +ann")
	bob.subscribe("a", hub.SubscribeOptions{Member: true})
	bob.expect("a from 0 of 0, 0 missing")
	ann.expect("a +bob")
	eve.expect("a from 0 of 0, 0 missing")
	ann.Members("a", -1, func(members []hub.Member, total int, err error) {
		if len(members) != 2 || total != 2 || err != nil {
			t.Errorf("%v, %d, %v", members, total, err)
		}
	})
	h.Members("a", 1, func(members []hub.Member, total int, err error) {
		if len(members) != 1 || total != 2 || err != nil {
			t.Errorf("%v, %d, %v", members, total, err)
		}
	})
	bob.Client.Close()
	ann.expect("a -bob")
	ann.Unsubscribe("a")
	ann.expect()
	h.Members("a", -1, func(_ []hub.Member, total int, _ error) {
		if total != 0 {
			t.Errorf("%d members", total)
		}
	})
	for channel, o := range map[string]hub.SubscribeOptions{"none": {Presence: true}, "none1": {Member: true}, "a*": {Presence: true}, "b*": {Member: true}} {
		eve.subscribe(channel, o)
		eve.expect(channel + " refused not_found")
	}
	eve.Members("none", 1, func(_ []hub.Member, _ int, err error) {
		if code(err) != "not_found" {
			t.Error(err)
		}
	})
}

// One that is refused, or ends before it has begun, was never there.
func TestPresenceOfNobody(t *testing.T) {
	h, late := newLateHub(t, hub.Config{Channels: withPresence})
	fail := false
	late.Fails = func() error {
		if fail {
			return fmt.Errorf("down")
		}
		return nil
	}
	eve := connect(t, h, &hubtest.Loop{}, "eve")
	eve.subscribe("a", hub.SubscribeOptions{Presence: true})
	late.all(eve)
	eve.expect("a from 0 of 0, 0 missing")
	p := connect(t, h, &hubtest.Loop{}, "ann")
	p.subscribe("a", hub.SubscribeOptions{Member: true})
	p.Unsubscribe("a")
	late.all(p)
	fail = true
	p.subscribe("a", hub.SubscribeOptions{Member: true})
	late.all(p)
	p.expect("a refused unavailable")
	eve.expect()
}

// Comings and goings of a client are paired, however it ends.
func TestPresencePairs(t *testing.T) {
	h := newHub(t, hub.Config{Channels: withPresence, MaxClientsPerUser: 1000})
	random := rand.New(rand.NewPCG(1, 2))
	loops := []*hubtest.Loop{{}, {}, {}}
	watcher := connect(t, h, loops[0], "watcher")
	watcher.subscribe("a", hub.SubscribeOptions{Presence: true})
	watcher.Take()
	var peers []*peer
	user := 0
	for range 2000 {
		switch n := random.IntN(6); {
		case n < 2 || len(peers) == 0:
			user++
			p := connect(t, h, loops[random.IntN(3)], fmt.Sprint(user))
			p.subscribe("a", hub.SubscribeOptions{Member: true})
			peers = append(peers, p)
		case n == 2:
			loops[random.IntN(3)].Run()
		default:
			i := random.IntN(len(peers))
			p := peers[i]
			peers = append(peers[:i], peers[i+1:]...)
			switch n {
			case 3:
				p.Client.Close()
			case 4:
				h.Disconnect(p.Identity().User, nil)
			case 5:
				p.Unsubscribe("a")
				p.Unsubscribe("a")
			}
		}
	}
	for _, l := range loops {
		l.Run()
	}
	watcher.Run()
	there := map[string]bool{}
	for _, line := range watcher.Take() {
		comes, user := line[2] == '+', line[3:]
		if there[user] == comes {
			t.Fatalf("%s: %v before", line, there[user])
		}
		there[user] = comes
	}
	for user, is := range there {
		if !is {
			delete(there, user)
		}
	}
	h.Members("a", -1, func(members []hub.Member, total int, _ error) {
		if total != len(peers) || len(there) != total {
			t.Errorf("%d members, %d peers, %d told", total, len(peers), len(there))
		}
		for _, m := range members {
			if !there[m.User] {
				t.Errorf("%s was not told", m.User)
			}
		}
	})
}

// A connection that takes nothing is told of nobody, and of many changes only the
// newest are kept.
func TestPresenceLoss(t *testing.T) {
	h := newHub(t, hub.Config{Channels: withPresence, MaxBacklog: 2})
	p := connect(t, h, &hubtest.Loop{}, "")
	p.subscribe("a", hub.SubscribeOptions{Presence: true})
	p.Take()
	come := func(users ...string) (peers []*peer) {
		for _, user := range users {
			q := connect(t, h, &hubtest.Loop{}, user)
			q.subscribe("a", hub.SubscribeOptions{Member: true})
			peers = append(peers, q)
		}
		return peers
	}
	come("ann", "bob", "eve")
	p.expect("a +bob", "a +eve")
	p.Room = 0
	publish(t, h, "a", "1")
	p.Run()
	come("dan")
	p.expect()
	p.drain(-1)
	come("fay")
	p.expect("a 1 1", "a +fay")
}
