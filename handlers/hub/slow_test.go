package hub_test

import (
	"strings"
	"testing"

	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/hubtest"
)

// size is what a message of n bytes counts for.
func size(n int) int { return n + 200 }

// A subscriber that takes nothing is ended once it is further behind than it may be,
// not before, and those beside it get everything at once.
func TestSlowDisconnect(t *testing.T) {
	h := newHub(t, hub.Config{Channels: map[string]hub.Options{"": {MaxLagBytes: 3 * size(10)}}})
	l := &hubtest.Loop{}
	p, q := connect(t, h, l, ""), connect(t, h, l, "")
	p.subscribe("a", hub.SubscribeOptions{})
	q.subscribe("a", hub.SubscribeOptions{})
	p.Take()
	q.Take()
	p.Room = 1
	text := strings.Repeat("x", 10)
	publish(t, h, "a", text, text, text, text)
	p.expect("a 1 " + text)
	q.expect("a 1 "+text, "a 2 "+text, "a 3 "+text, "a 4 "+text)
	if n := h.Stats().Slow; n != 0 {
		t.Errorf("slow %d times at the limit", n)
	}
	last := publish(t, h, "a", "")
	p.expect("closed too_slow")
	q.expect("a 5 ")
	if s := h.Stats(); s.Slow != 1 || s.Clients != 1 {
		t.Errorf("%+v", s)
	}
	last.Offset = 1
	p = connect(t, h, l, "")
	p.subscribe("a", hub.SubscribeOptions{After: &last})
	p.expect("a from 1 of 5, 0 missing", "a 2 "+text, "a 3 "+text, "a 4 "+text, "a 5 ")
}

// One that takes something now and then, but less than what comes, is slow too; one
// that catches up is not, nor is one that reads what it has missed.
func TestSlowSteadily(t *testing.T) {
	const most = 10
	h := newHub(t, hub.Config{Channels: map[string]hub.Options{"": {MaxLagBytes: most * size(1)}}})
	for _, c := range []struct {
		name   string
		takes  int // of three that come
		closed bool
	}{{"less", 2, true}, {"as many", 3, false}} {
		t.Run(c.name, func(t *testing.T) {
			p := connect(t, h, &hubtest.Loop{}, "")
			p.subscribe("a", hub.SubscribeOptions{})
			p.Room = 0
			rounds := 0
			for ; rounds < 20 && !strings.Contains(strings.Join(p.Got, " "), "closed"); rounds++ {
				publish(t, h, "a", "1", "2", "3")
				p.Run()
				p.drain(c.takes)
				p.Run()
			}
			// The lag grows by one with each round, and by three within it.
			if c.closed != (rounds < 20) || c.closed && (rounds < most-3 || rounds > most) {
				t.Errorf("%d rounds", rounds)
			}
		})
	}
	t.Run("recovering", func(t *testing.T) {
		for range 5 * most {
			publish(t, h, "b", "x")
		}
		p := connect(t, h, &hubtest.Loop{}, "")
		p.Room = 1
		p.subscribe("b", hub.SubscribeOptions{After: &hub.Position{}})
		for i := range 5 * most {
			if i%5 == 0 {
				publish(t, h, "b", "y") // what comes meanwhile is in its bounds
			}
			p.Run()
			p.drain(1)
		}
		p.drain(-1)
		if p.Run(); len(p.Got) != 1+6*most {
			t.Errorf("%d lines, the last %q", len(p.Got), p.Got[len(p.Got)-1])
		}
	})
}

// With SlowDropOldest it goes on, and is told what it could not have.
func TestSlowDropOldest(t *testing.T) {
	h := newHub(t, hub.Config{Channels: map[string]hub.Options{"": {HistoryMessages: 3, MaxLagBytes: 2 * size(1), Slow: hub.SlowDropOldest}}})
	p := connect(t, h, &hubtest.Loop{}, "")
	p.subscribe("a", hub.SubscribeOptions{})
	p.Take()
	p.Room = 0
	publish(t, h, "a", "1", "2", "3", "4", "5")
	p.expect()
	p.drain(1)
	p.expect("a gap 2", "a 3 3")
	publish(t, h, "a", "6", "7")
	p.drain(-1)
	p.expect("a gap 1", "a 5 5", "a 6 6", "a 7 7")
	publish(t, h, "a", "8")
	p.expect("a 8 8")
	if n := h.Stats().Slow; n != 1 {
		t.Errorf("slow %d times", n)
	}
}

// With SlowLatest it goes on with the newest message, once it was too far behind.
func TestSlowLatest(t *testing.T) {
	h := newHub(t, hub.Config{Channels: map[string]hub.Options{
		"":     {MaxLagBytes: 2 * size(1), Slow: hub.SlowLatest},
		"none": {MaxLagBytes: 2 * size(1), Slow: hub.SlowLatest, HistoryMessages: -1},
	}})
	p := connect(t, h, &hubtest.Loop{}, "")
	for _, channel := range []string{"a", "none"} {
		p.subscribe(channel, hub.SubscribeOptions{})
		p.Take()
	}
	p.Room = 1
	publish(t, h, "a", "1", "2", "3")
	p.expect("a 1 1")
	p.drain(-1) // within its bounds
	p.expect("a 2 2", "a 3 3")
	p.Room = 1
	publish(t, h, "a", "4", "5", "6", "7", "8")
	p.expect("a 4 4")
	p.drain(-1)
	p.expect("a gap 3", "a 8 8")
	publish(t, h, "a", "9")
	p.expect("a 9 9")
	p.Room = 0
	publish(t, h, "none", "1", "2", "3")
	p.Run()
	p.drain(-1)
	publish(t, h, "none", "4")
	p.expect("none gap 3", "none 4 4")
	if n := h.Stats().Slow; n != 2 {
		t.Errorf("slow %d times", n)
	}
}

// A pattern's subscription that took not everything is told so.
func TestSlowPattern(t *testing.T) {
	h := newHub(t, hub.Config{Channels: map[string]hub.Options{"": {MaxLagBytes: 2 * size(1)}, "b": {Slow: hub.SlowLatest, MaxLagBytes: 1}}})
	p := connect(t, h, &hubtest.Loop{}, "")
	p.subscribe("a*", hub.SubscribeOptions{})
	p.subscribe("b*", hub.SubscribeOptions{})
	p.Take()
	p.Room = 1
	publish(t, h, "a1", "1", "2")
	publish(t, h, "a2", "3")
	p.expect("a1 1 1")
	p.drain(1)
	p.expect("a* gap -1")
	publish(t, h, "a2", "4")
	p.expect("a2 2 4")
	publish(t, h, "b1", "5", "6")
	p.expect()
	p.drain(1)
	publish(t, h, "b1", "7")
	p.expect("b* gap -1", "b1 3 7")
	publish(t, h, "a1", "8", "9", "10")
	p.expect("closed too_slow")
}

// All subscriptions of a client go on in turn, and none is forgotten.
func TestWritable(t *testing.T) {
	h := newHub(t, hub.Config{})
	p := connect(t, h, &hubtest.Loop{}, "")
	for _, channel := range []string{"a", "b", "c"} {
		p.subscribe(channel, hub.SubscribeOptions{})
	}
	p.Take()
	p.Room = 0
	for _, channel := range []string{"a", "b", "c"} {
		publish(t, h, channel, "1", "2")
	}
	p.expect()
	for range 3 {
		p.drain(1)
	}
	p.expect("a 1 1", "b 1 1", "c 1 1")
	p.drain(2)
	p.expect("a 2 2", "b 2 2")
	p.drain(-1)
	p.expect("c 2 2")

	// One that ends as the others go on does not keep them from it.
	p.Room = 0
	for _, channel := range []string{"a", "b", "c"} {
		publish(t, h, channel, "3")
	}
	p.Run()
	p.before = func(s *hub.Subscription) {
		if s.Channel() == "a" {
			s.Cancel()
		}
	}
	p.drain(-1)
	p.expect("a 3 3", "b 3 3", "c 3 3") // the first was on its way already
	publish(t, h, "a", "4")
	p.expect()
}
