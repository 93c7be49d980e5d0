package hub_test

import (
	"fmt"
	"testing"

	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/hubtest"
)

// counter is an outlet that takes everything.
type counter struct{ n int }

func (c *counter) Messages(_ *hub.Subscription, batch []*hub.Message) int {
	c.n += len(batch)
	return len(batch)
}
func (*counter) Gap(*hub.Subscription, hub.Gap)                 {}
func (*counter) Presence(*hub.Subscription, hub.PresenceChange) {}
func (*counter) Ended(*hub.Subscription, *hub.Error)            {}
func (*counter) Close(*hub.Error)                               {}

// audience subscribes n clients on one loop to a channel.
func audience(t testing.TB, h *hub.Hub, l *hubtest.Loop, channel string, n int) *counter {
	out := &counter{}
	for range n {
		c, err := h.Connect(l.Exchange(), hub.Identity{Grants: hub.Everything}, out)
		if err != nil {
			t.Fatal(err)
		}
		c.Subscribe(channel, hub.SubscribeOptions{}, func(_ *hub.Subscription, _ hub.Subscribed, err error) {
			if err != nil {
				t.Fatal(err)
			}
		})
		t.Cleanup(c.Close)
	}
	return out
}

// A message costs the same memory whether one gets it or a thousand do.
func TestDeliveryAllocatesNothing(t *testing.T) {
	h := newHub(t, hub.Config{Channels: map[string]hub.Options{"": {HistoryMessages: 16}}})
	cost := func(channel string, subscribers int) float64 {
		l := &hubtest.Loop{}
		out := audience(t, h, l, channel, subscribers)
		batch := []hub.Publication{{Channel: channel, Data: []byte("x")}}
		per := testing.AllocsPerRun(200, func() {
			h.Publish(batch, nil)
			l.Run()
		})
		if out.n < 200*subscribers {
			t.Fatalf("%d deliveries", out.n)
		}
		return per
	}
	one, some := cost("one", 1), cost("some", 50) // 50 are served in one task
	if some > one {
		t.Errorf("%v allocations for 50 subscribers, %v for one", some, one)
	}
	if one > 12 { // those of the publication
		t.Errorf("%v allocations for one message", one)
	}
}

func BenchmarkPublish(b *testing.B) {
	for _, subscribers := range []int{1, 50, 5000} {
		b.Run(fmt.Sprintf("subscribers=%d", subscribers), func(b *testing.B) {
			h := newHub(b, hub.Config{})
			l := &hubtest.Loop{}
			out := audience(b, h, l, "a", subscribers)
			batch := []hub.Publication{{Channel: "a", Data: []byte(`{"text":"Good morning! Is the loop still running?"}`)}}
			b.ReportAllocs()
			for b.Loop() {
				h.Publish(batch, nil)
				l.Run()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(out.n), "ns/delivery")
		})
	}
}

// BenchmarkChannels publishes where there are as many channels besides, each with a
// message in its history. It fails if they make a publication take more memory.
func BenchmarkChannels(b *testing.B) {
	first := -1.0
	for _, channels := range []int{1, 1_000_000} {
		b.Run(fmt.Sprintf("channels=%d", channels), func(b *testing.B) {
			h := newHub(b, hub.Config{Channels: map[string]hub.Options{"a": {HistoryMessages: 16}}})
			before := heap()
			for i := range channels {
				publish(b, h, fmt.Sprint("idle", i), "x")
			}
			kept := int64(heap()) - int64(before)
			l := &hubtest.Loop{}
			audience(b, h, l, "a", 1)
			batch := []hub.Publication{{Channel: "a", Data: []byte("x")}}
			round := func() {
				h.Publish(batch, nil)
				l.Run()
			}
			for b.Loop() {
				round()
			}
			b.ReportMetric(float64(kept)/float64(channels), "B/channel")
			if n := h.Stats().Channels; n != channels+1 {
				b.Errorf("%d channels", n)
			}
			if allocs := testing.AllocsPerRun(100, round); first < 0 {
				first = allocs
			} else if allocs > first {
				b.Errorf("%v allocations, and %v with one channel", allocs, first)
			}
		})
	}
}

// BenchmarkSubscribe is a client that comes, gets what it missed, and goes.
func BenchmarkSubscribe(b *testing.B) {
	for _, missed := range []int{0, 100} {
		b.Run(fmt.Sprintf("missed=%d", missed), func(b *testing.B) {
			h := newHub(b, hub.Config{})
			l := &hubtest.Loop{}
			audience(b, h, l, "a", 1)
			at := publish(b, h, "a", "x")
			for range missed {
				publish(b, h, "a", "x")
			}
			out := &counter{}
			b.ReportAllocs()
			for b.Loop() {
				c, err := h.Connect(l.Exchange(), hub.Identity{Grants: hub.Everything}, out)
				if err != nil {
					b.Fatal(err)
				}
				c.Subscribe("a", hub.SubscribeOptions{After: &at}, func(*hub.Subscription, hub.Subscribed, error) {})
				c.Close()
			}
		})
	}
}
