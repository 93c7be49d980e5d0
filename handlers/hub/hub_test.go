package hub_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/hub"
)

// loop is a loop whose posts run when run is called.
type loop struct{ posted []func() }

func (l *loop) Post(fn func()) bool { l.posted = append(l.posted, fn); return true }

func (l *loop) run() {
	for len(l.posted) > 0 {
		fn := l.posted[0]
		l.posted = l.posted[1:]
		fn()
	}
}

// exchange is an exchange of a loop, of which a hub asks nothing else.
type exchange struct {
	asgi.Exchange
	loop *loop
}

func (x exchange) Loop() asgi.Loop { return x.loop }

// outlet notes what it gets, and takes as much as it has room for.
type outlet struct {
	room int // -1: everything
	got  []string
}

func (o *outlet) Messages(_ *hub.Subscription, batch []*hub.Message) int {
	for i, m := range batch {
		if o.room == 0 {
			return i
		}
		o.room--
		o.got = append(o.got, string(m.Data))
	}
	return len(batch)
}

func (o *outlet) Gap(_ *hub.Subscription, g hub.Gap) {
	o.got = append(o.got, fmt.Sprintf("gap %d", g.Missing))
}
func (o *outlet) Presence(_ *hub.Subscription, c hub.PresenceChange) {
	o.got = append(o.got, fmt.Sprintf("presence %s %v", c.Member.User, c.Left))
}
func (o *outlet) Ended(_ *hub.Subscription, e *hub.Error) {
	o.got = append(o.got, "ended "+string(e.Code))
}
func (o *outlet) Close(e *hub.Error) { o.got = append(o.got, "closed "+string(e.Code)) }

func newHub(t *testing.T, config hub.Config) *hub.Hub {
	t.Helper()
	h, err := hub.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// publish publishes texts in a channel.
func publish(t *testing.T, h *hub.Hub, channel string, texts ...string) (last hub.Receipt) {
	t.Helper()
	for _, text := range texts {
		r, err := h.PublishOne(hub.Publication{Channel: channel, Data: []byte(text)})
		if err != nil {
			t.Fatal(err)
		}
		last = r
	}
	return last
}

func TestRecovery(t *testing.T) {
	h := newHub(t, hub.Config{})
	l := &loop{}
	out := &outlet{room: -1}
	c, err := h.Connect(exchange{loop: l}, hub.Identity{Grants: hub.Everything}, out)
	if err != nil {
		t.Fatal(err)
	}
	first := publish(t, h, "a", "1")
	publish(t, h, "a", "2", "3")
	c.Subscribe("a", hub.SubscribeOptions{After: &first.Position}, func(_ *hub.Subscription, s hub.Subscribed, err error) {
		out.got = append(out.got, fmt.Sprint(s.Position.Offset, s.Top.Offset, s.Missing, err))
	})
	publish(t, h, "a", "4")
	l.run()
	out.room = 1
	publish(t, h, "a", "5", "6")
	l.run()
	publish(t, h, "a", "7")
	l.run()
	out.room = -1
	c.Writable()
	c.Close()
	publish(t, h, "a", "8")
	l.run()
	if got, want := fmt.Sprint(out.got), "[1 3 0 <nil> 2 3 4 5 6 7]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestClientHistory(t *testing.T) {
	now := time.UnixMilli(1000)
	h := newHub(t, hub.Config{Now: func() time.Time { return now }})
	for _, p := range []hub.Publication{
		{Channel: "a", Data: []byte("short"), TTL: time.Second},
		{Channel: "a", Data: []byte("long")},
	} {
		if _, err := h.PublishOne(p); err != nil {
			t.Fatal(err)
		}
	}
	ask := func(channel string, grants hub.Grants) (got []string, err error) {
		c, failed := h.Connect(exchange{loop: &loop{}}, hub.Identity{Grants: grants}, &outlet{})
		if failed != nil {
			t.Fatal(failed)
		}
		defer c.Close()
		calls := 0
		c.History(channel, hub.Position{}, hub.Limit{Messages: -1, Bytes: -1}, func(past hub.History, failed error) {
			calls++
			for _, m := range past.Messages {
				got = append(got, string(m.Data))
			}
			err = failed
		})
		if calls != 1 {
			t.Errorf("done was called %d times", calls)
		}
		return got, err
	}
	only := hub.Grants{Subscribe: []string{"a"}}
	if got, err := ask("a", only); fmt.Sprint(got) != "[short long]" || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	now = now.Add(time.Second)
	if got, err := ask("a", only); fmt.Sprint(got) != "[long]" || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	for channel, want := range map[string]hub.ErrorCode{"b": hub.NotAllowed, "a*": hub.BadChannel, "": hub.BadChannel} {
		if got, err := ask(channel, only); got != nil || hub.AsError(err).Code != want {
			t.Errorf("%q: got %v, %v", channel, got, err)
		}
	}
}
