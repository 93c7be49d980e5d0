package hub_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/hubtest"
)

// perTask is how many subscribers a loop serves before it sees to others.
const perTask = 64

// batches is an outlet that notes how many messages it gets at a time.
type batches struct {
	hubtest.Outlet
	sizes []int
}

func (b *batches) Messages(s *hub.Subscription, batch []*hub.Message) int {
	n := b.Outlet.Messages(s, batch)
	b.sizes = append(b.sizes, n)
	return n
}

// crowd are clients of one loop that have subscribed to a channel, or a pattern.
func crowd(t *testing.T, h *hub.Hub, l *hubtest.Loop, n int, channel string) (outlets []*batches, clients []*hub.Client) {
	t.Helper()
	for range n {
		b := &batches{}
		b.Room = -1
		c, err := h.Connect(l.Exchange(), hub.Identity{Grants: hub.Everything}, b)
		if err != nil {
			t.Fatal(err)
		}
		c.Subscribe(channel, hub.SubscribeOptions{}, func(_ *hub.Subscription, _ hub.Subscribed, err error) {
			if err != nil {
				t.Fatal(err)
			}
		})
		outlets, clients = append(outlets, b), append(clients, c)
	}
	l.Run()
	return outlets, clients
}

// What comes while a message is handed out goes to those who are still to have it
// together with it, and to the others afterwards; to nobody twice. Subscriptions to
// a pattern get each handing out by itself.
func TestEarly(t *testing.T) {
	const n = 3 * perTask
	for channel, want := range map[string][3][]int{
		"a": {{1, 2}, {2, 1}, {3}},
		"*": {{1, 2}, {1, 2}, {1, 2}},
	} {
		t.Run(channel, func(t *testing.T) {
			h := newHub(t, hub.Config{})
			l := &hubtest.Loop{}
			outlets, _ := crowd(t, h, l, n, channel)
			before := h.Stats().Bytes
			publish(t, h, "a", "1")
			l.Step()
			publish(t, h, "a", "2")
			l.Step()
			publish(t, h, "a", "3")
			l.Run()
			for i, o := range outlets {
				if want := want[i/perTask]; !slices.Equal(o.sizes, want) || fmt.Sprint(o.Got) != "[a 1 1 a 2 2 a 3 3]" {
					t.Fatalf("subscriber %d got %q in %v, want %v", i, o.Got, o.sizes, want)
				}
			}
			if d := h.Stats().Delivered; d != 3*n {
				t.Errorf("%d delivered", d)
			}
			if h.Forget("a"); h.Stats().Bytes != before {
				t.Errorf("%d bytes of nothing", h.Stats().Bytes-before)
			}
		})
	}
}

// A message that came early and was not taken counts once for what a subscriber is
// behind, however far the subscriber came, or if it was behind already.
func TestEarlyIsLateOnce(t *testing.T) {
	for room := -1; room < 3; room++ {
		h := newHub(t, hub.Config{Channels: map[string]hub.Options{"": {MaxLagBytes: (3 - room) * size(1)}}})
		l := &hubtest.Loop{}
		outlets, clients := crowd(t, h, l, 2*perTask, "a")
		slow, client := outlets[2*perTask-1], clients[2*perTask-1]
		slow.Room = max(room, 0)
		if room < 0 {
			publish(t, h, "a", "0")
			l.Run()
		}
		publish(t, h, "a", "1")
		l.Step()
		publish(t, h, "a", "2", "3")
		l.Run()
		if s := h.Stats(); s.Slow != 0 || s.Clients != 2*perTask {
			t.Errorf("room for %d: at the limit: %+v", room, s)
		}
		publish(t, h, "a", "4")
		l.Run()
		if got := strings.Join(slow.Got, ", "); !strings.HasSuffix(got, "closed too_slow") || h.Stats().Slow != 1 {
			t.Errorf("room for %d: beyond the limit: %q, %+v", room, got, h.Stats())
		}
		client.Close()
	}
}

// Whoever goes on before what came early is handed out for good has it once.
func TestEarlyAndGoesOn(t *testing.T) {
	h := newHub(t, hub.Config{})
	l := &hubtest.Loop{}
	outlets, clients := crowd(t, h, l, 2*perTask, "a")
	slow, client := outlets[perTask], clients[perTask]
	slow.Room = 2
	publish(t, h, "a", "1")
	l.Step()
	publish(t, h, "a", "2", "3")
	l.Step()
	slow.Room, slow.Full = -1, false
	client.Writable()
	publish(t, h, "a", "4")
	l.Run()
	for i, o := range outlets {
		if got := fmt.Sprint(o.Got); got != "[a 1 1 a 2 2 a 3 3 a 4 4]" {
			t.Errorf("subscriber %d got %s", i, got)
		}
	}
}
