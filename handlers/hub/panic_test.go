package hub_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/hubtest"
)

// A panic costs the client whose outlet, filter or callback it was in, and nobody
// else: those before and behind it get everything.
func TestPanic(t *testing.T) {
	boom := func() { panic("boom") }
	for _, c := range []struct {
		name string
		set  func(h *hub.Hub, p *peer)
		want string // what the client gets
	}{
		{"messages", func(_ *hub.Hub, p *peer) { p.before = func(*hub.Subscription) { boom() } }, "closed internal"},
		{"presence", func(_ *hub.Hub, p *peer) { p.broken = "presence" }, "closed internal"},
		{"gap", func(h *hub.Hub, p *peer) { p.broken = "gap"; h.Forget("a") }, "closed internal"},
		{"ended", func(h *hub.Hub, p *peer) { p.broken = "ended"; h.Unsubscribe("ann", "a", nil) }, "closed internal"},
		{"close", func(h *hub.Hub, p *peer) { p.broken = "close"; h.Disconnect("ann", nil) }, ""},
		{"messages and close", func(_ *hub.Hub, p *peer) { p.before = func(*hub.Subscription) { boom() }; p.broken = "close" }, ""},
		{"after its own end", func(_ *hub.Hub, p *peer) { p.before = func(*hub.Subscription) { p.Client.Close(); boom() } }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log bytes.Buffer
			h := newHub(t, hub.Config{Logger: slog.New(slog.NewTextHandler(&log, nil)), Channels: map[string]hub.Options{"": {Presence: true}}})
			l := &hubtest.Loop{}
			peers := []*peer{connect(t, h, l, ""), connect(t, h, l, "ann"), connect(t, h, l, "")}
			for _, p := range peers {
				p.subscribe("a", hub.SubscribeOptions{Presence: p == peers[1]})
				p.Run()
				p.Take()
			}
			publish(t, h, "a", "1")
			l.Run()
			for _, p := range peers {
				p.expect("a 1 1")
			}
			c.set(h, peers[1])
			come := connect(t, h, l, "bob")
			come.subscribe("a", hub.SubscribeOptions{Member: true})
			last := publish(t, h, "a", "2")
			l.Run()
			publish(t, h, "a", "3")
			l.Run()
			for _, p := range []*peer{peers[0], peers[2]} {
				got := strings.Join(p.Take(), ", ")
				if !strings.HasSuffix(got, "a "+string('0'+rune(last.Offset))+" 2, a "+string('1'+rune(last.Offset))+" 3") {
					t.Errorf("another got %q", got)
				}
			}
			if c.want != "" {
				if got := peers[1].Got; len(got) == 0 || got[len(got)-1] != c.want {
					t.Errorf("it got %q", got)
				}
			} else if len(peers[1].x.Ended) != 1 || peers[1].x.Ended[0] == nil {
				t.Errorf("its exchange ended %v", peers[1].x.Ended)
			}
			if !strings.Contains(log.String(), "boom") || !strings.Contains(log.String(), "stack=") {
				t.Errorf("logged %q", log.String())
			}
			if s := h.Stats(); s.Clients != 3 || s.Subscriptions != 3 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// A panic in what a transport calls is the transport's, but the client is closed: the
// engine ends the exchange without a word to it.
func TestPanicInCall(t *testing.T) {
	h := newHub(t, hub.Config{})
	publish(t, h, "a", "1")
	calls := func(fn func()) (value any) {
		defer func() { value = recover() }()
		fn()
		return nil
	}
	p := connect(t, h, &hubtest.Loop{}, "")
	p.before = func(*hub.Subscription) { panic("boom") }
	if v := calls(func() { p.subscribe("a", hub.SubscribeOptions{Last: 1}) }); v != "boom" {
		t.Errorf("Subscribe panics with %v", v)
	}
	q := connect(t, h, &hubtest.Loop{}, "")
	q.subscribe("a", hub.SubscribeOptions{})
	q.Room = 0
	publish(t, h, "a", "2")
	q.Run()
	q.before = p.before
	if v := calls(func() { q.drain(-1) }); v != "boom" {
		t.Errorf("Writable panics with %v", v)
	}
	if s := h.Stats(); s.Clients != 0 || s.Subscriptions != 0 {
		t.Errorf("%+v", s)
	}
}
