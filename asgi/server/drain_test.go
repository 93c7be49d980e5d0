package server

import (
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/eventloop/looptest"
)

// The closes of a drain spread over the first half of its time. That all fall
// into a tenth of that, or that a tenth of it gets none, happens by chance once
// in more than 10^15 runs.
func TestDrainSpreadsCloses(t *testing.T) {
	const conns, window, parts = 400, 10 * time.Second, 20
	b := newBench(t, Config{Handler: accepts(t)})
	var open []*looptest.Conn
	for range conns {
		open = append(open, connected(t, b))
	}
	b.startDrain(&asgi.Drain{Deadline: b.Now().Add(window)})
	for part := range parts {
		b.Advance(window / parts)
		closed := 0
		for _, c := range open {
			if strings.Contains(c.Output(), "\x03\xf4") {
				closed++
			}
		}
		if first := part < parts/2; first && (closed == 0 || closed > conns/2) || !first && part > parts/2 && closed > 0 {
			t.Errorf("%d of %d are closed in part %d of %d", closed, conns, part+1, parts)
		}
	}
}

// What a drain drops is a loss if an exchange has not come to its end, or if a
// client has not taken it. A client that does nothing, or does not answer a
// close, is none.
func TestDrainLosses(t *testing.T) {
	starts := &record{on: func(x asgi.Exchange, ev asgi.ReceiveEvent) {
		if _, ok := ev.(*asgi.HTTPRequest); ok {
			must(t, x.Send(&asgi.HTTPResponseStart{Status: 200}))
			must(t, x.Send(&asgi.HTTPResponseBody{MoreBody: true}))
		}
	}}
	for _, test := range []struct {
		name  string
		on    *record
		input string
		stall bool
		lost  int
	}{
		{name: "nothing said", on: answers(t)},
		{name: "half a head", on: answers(t), input: get[:10]},
		{name: "answered", on: answers(t), input: get},
		{name: "answered, with half a head", on: answers(t), input: get + get[:10]},
		{name: "answered, not taken", on: answers(t), input: get, stall: true, lost: 1},
		{name: "not answered", on: &record{}, input: get, lost: 1},
		{name: "half answered", on: starts, input: get, lost: 1},
		{name: "handshake not answered", on: &record{}, input: handshake, lost: 1},
		{name: "mute WebSocket", on: accepts(t), input: handshake},
		{name: "WebSocket that takes nothing", on: accepts(t), input: handshake, stall: true, lost: 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, Config{Handler: test.on})
			c := b.dial()
			if test.stall {
				c.Stall()
			}
			c.Feed(test.input)
			b.startDrain(&asgi.Drain{Deadline: b.Now().Add(time.Second)})
			b.Advance(time.Second)
			lost := -1
			b.EventLoop().Post(func() { lost = b.w.drop() })
			b.Run()
			if lost != test.lost {
				t.Errorf("%d lost, want %d", lost, test.lost)
			}
			select {
			case <-b.w.empty:
			default:
				t.Error("conns are left")
			}
		})
	}
}

// A connection that waits for a request is closed at once.
func TestDrainClosesIdle(t *testing.T) {
	for name, input := range map[string]string{"fresh": "", "answered": get} {
		b := newBench(t, Config{Handler: answers(t)})
		c := b.dial()
		c.Feed(input)
		b.startDrain(&asgi.Drain{Deadline: b.Now().Add(time.Second)})
		if !c.WriteClosed() {
			t.Errorf("%s: still open", name)
		}
	}
}

// A WebSocket that is accepted while the server drains is closed like the
// others.
func TestDrainClosesNewWebSockets(t *testing.T) {
	h := &record{on: func(x asgi.Exchange, ev asgi.ReceiveEvent) {
		if _, ok := ev.(*asgi.Drain); ok {
			x.Post(func() { must(t, x.Send(&asgi.WebSocketAccept{})) })
		}
	}}
	b := newBench(t, Config{Handler: h})
	c := b.dial()
	c.Feed(handshake)
	b.startDrain(&asgi.Drain{Deadline: b.Now().Add(time.Second)})
	b.Advance(time.Second / 2)
	if got := came(c); got != "101 1012 open" {
		t.Errorf("got %q", got)
	}
}
