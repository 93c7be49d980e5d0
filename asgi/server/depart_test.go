package server

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/eventloop"
	"github.com/gale-server/gale/eventloop/looptest"
)

// A state is one in which a client may leave: what it has sent until then, and
// what the application does upon each event.
type state struct {
	name, sends string
	on          func(x asgi.Exchange, ev asgi.ReceiveEvent)
	stalled     bool   // the client reads nothing
	body        bool   // the request is not complete without more of it
	frames      bool   // what follows are frames
	want        string // what the application has got until then
}

// flood sends until the exchange is congested.
func flood(x asgi.Exchange, ev asgi.SendEvent) {
	for !x.Congested() {
		if x.Send(ev) != nil {
			return
		}
	}
}

const upload = "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n"

var states = []state{
	{name: "a request waits for its answer", sends: get, want: "http.request "},
	{name: "another request waits behind it", sends: get + get, want: "http.request "},
	{name: "many bytes wait behind it", sends: get + strings.Repeat("\r\n", 100<<10), want: "http.request "},
	{name: "its application does not receive", sends: get, want: "http.request ", on: func(x asgi.Exchange, _ asgi.ReceiveEvent) { x.Pause() }},
	{name: "its body is paused", sends: upload + "a", body: true, want: "http.request a+",
		on: func(x asgi.Exchange, _ asgi.ReceiveEvent) { x.Pause() }},
	{name: "its answer is not read", sends: get, stalled: true, want: "http.request ", on: func(x asgi.Exchange, ev asgi.ReceiveEvent) {
		_ = x.Send(&asgi.HTTPResponseStart{Status: 200})
		flood(x, &asgi.HTTPResponseBody{Body: make([]byte, 8<<10), MoreBody: true})
	}},
	{name: "a handshake waits for its answer", sends: handshake, frames: true, want: "websocket.connect"},
	{name: "messages are paused", sends: handshake + frame(1, "a"), frames: true, want: "websocket.connect|websocket.receive a",
		on: func(x asgi.Exchange, ev asgi.ReceiveEvent) {
			if _, ok := ev.(*asgi.WebSocketConnect); ok {
				_ = x.Send(&asgi.WebSocketAccept{})
				return
			}
			x.Pause()
		}},
	{name: "messages are not read", sends: handshake, frames: true, stalled: true, want: "websocket.connect",
		on: func(x asgi.Exchange, ev asgi.ReceiveEvent) {
			_ = x.Send(&asgi.WebSocketAccept{})
			flood(x, &asgi.WebSocketSend{Data: make([]byte, 8<<10)})
		}},
}

// A departure is how a client leaves.
type departure struct {
	name  string
	leave func(c *looptest.Conn, s state)
}

var departures = []departure{
	{"its end of stream", func(c *looptest.Conn, s state) { c.PeerClose() }},
	{"a byte and its end of stream", func(c *looptest.Conn, s state) { c.Feed("G"); c.PeerClose() }},
	{"CRLF and its end of stream", func(c *looptest.Conn, s state) { c.Feed("\r\n"); c.PeerClose() }},
	{"all that was due and its end of stream", func(c *looptest.Conn, s state) {
		switch {
		case s.frames:
			c.Feed(frame(1, "b") + frame(1, "c"))
		case s.body:
			c.Feed(strings.Repeat("b", 99))
		default:
			c.Feed(get)
		}
		c.PeerClose()
	}},
	{"a reset", func(c *looptest.Conn, s state) { c.Feed("G"); c.Reset() }},
}

// Whoever leaves is missed within DepartTimeout, though the application waits for
// ever, and though reading is paused.
func TestDepartures(t *testing.T) {
	for _, s := range states {
		for _, d := range departures {
			t.Run(s.name+"/"+d.name, func(t *testing.T) {
				h := &record{on: s.on}
				b := newBench(t, Config{Handler: h, HalfClose: HalfCloseDisconnects})
				c := b.dial()
				if s.stalled {
					c.Stall()
				}
				c.Feed(s.sends)
				h.on = nil
				d.leave(c, s)
				late := time.Duration(0)
				if over, _ := c.Closed(); !over {
					late = time.Second + 20*time.Millisecond
				}
				if (s.frames || s.body) && d.name != "a reset" && late == 0 && c.Unread() > 0 {
					t.Error("the application had no time to take what was sent")
				}
				c.Advance(late)
				if got := h.take(); !strings.HasPrefix(got, s.want) || !strings.HasSuffix(got, ".disconnect") {
					t.Errorf("the application got %s", got)
				}
				if s.stalled {
					c.Advance(30 * time.Second) // the outbox is for a peer that may have closed its side only
				}
				if over, _ := c.Closed(); !over || b.Conns() != 0 {
					t.Error("the conn is still there")
				}
				if b.w.held != 0 {
					t.Errorf("%d bytes are still counted", b.w.held)
				}
			})
		}
	}
}

// What a client has sent before it left is delivered to an application that takes
// it in time.
func TestDepartedButHeard(t *testing.T) {
	for name, test := range map[string]struct{ sends, more, want string }{
		"a body":   {upload + "a", strings.Repeat("b", 99), "http.request " + strings.Repeat("b", 99) + "|http.disconnect"},
		"messages": {handshake + frame(1, "a"), frame(1, "b") + frame(1, "c"), "websocket.receive b|websocket.receive c|websocket.disconnect"},
	} {
		t.Run(name, func(t *testing.T) {
			h := &record{}
			h.on = func(x asgi.Exchange, ev asgi.ReceiveEvent) {
				if _, ok := ev.(*asgi.WebSocketConnect); ok {
					must(t, x.Send(&asgi.WebSocketAccept{}))
					return
				}
				x.Pause()
			}
			c := newBench(t, Config{Handler: h, HalfClose: HalfCloseDisconnects}).dial()
			c.Feed(test.sends)
			h.take()
			c.Feed(test.more)
			c.PeerClose()
			c.Advance(900 * time.Millisecond)
			if got := h.take(); got != "" {
				t.Fatalf("got %s during the pause", got)
			}
			h.on = nil
			h.x.Post(h.x.Resume)
			c.Run()
			if got := h.take(); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// A request that is not begun before its client has left is none, but those before
// it are answered, also by a server that takes the end of a stream for a
// departure.
func TestDepartedFromAPipeline(t *testing.T) {
	const requests = 100 // more than a turn handles
	for name, half := range map[string]HalfClose{"serves": HalfCloseServes, "disconnects": HalfCloseDisconnects} {
		t.Run(name, func(t *testing.T) {
			h := answers(t)
			c := newBench(t, Config{Handler: h, HalfClose: half}).dial()
			c.Stall()
			c.Feed(strings.Repeat(get, requests))
			c.HalfClose()
			c.Accept(-1)
			if n := strings.Count(c.Output(), "200 OK"); n != requests {
				t.Errorf("%d answers of %d", n, requests)
			}
			wantClosing(t, c)
		})
	}
}

// A client that has only ended its stream gets its answers, late ones too, from a
// server that serves it.
func TestHalfCloseServesWhatIsHeld(t *testing.T) {
	h := &record{}
	c := newBench(t, Config{Handler: h}).dial()
	c.Feed(get + get + "GET")
	c.HalfClose()
	c.Advance(10 * time.Second)
	for _, want := range []string{"http.request ", "http.disconnect|http.request "} {
		if got := h.take(); got != want {
			t.Fatal(got)
		}
		wantOpen(t, c)
		h.x.Post(func() { respond(t, h.x, 200, "late") })
		c.Run()
		if out := c.Output(); !strings.Contains(out, "late") {
			t.Fatalf("%q", out)
		}
	}
}

// A response that the application has made, of a file, is sent whole.
func TestHalfCloseDuringAFile(t *testing.T) {
	const size = 3 << 20
	path, _ := tempFile(t, size)
	for _, more := range []string{"", "\r\n", "GET"} {
		h := &record{on: func(x asgi.Exchange, ev asgi.ReceiveEvent) {
			if _, ok := ev.(*asgi.HTTPRequest); ok {
				must(t, x.Send(&asgi.HTTPResponseStart{Status: 200}))
				must(t, x.Send(&asgi.HTTPResponsePathSend{Path: path}))
			}
		}}
		c := newBench(t, Config{Handler: h, HalfClose: HalfCloseDisconnects}).dial()
		c.Feed(get + more)
		c.HalfClose()
		c.Await(func() bool { return c.WriteClosed() })
		if out := c.Output(); len(out) < size {
			t.Errorf("after %q: %d bytes of %d", more, len(out), size)
		}
	}
}

// Many conns whose applications do not receive hold a bounded number of bytes.
func TestHeldBytes(t *testing.T) {
	const bound, request = 1 << 20, 60 << 10
	h := &record{on: func(x asgi.Exchange, ev asgi.ReceiveEvent) { x.Pause() }}
	b := newBench(t, Config{Handler: h, HeldBytes: bound, Loop: eventloop.Config{MailboxTasks: 1 << 20}})
	var conns []*looptest.Conn
	head := fmt.Sprintf("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", request)
	for range 100 {
		c := b.dial()
		c.Feed(head + "a")
		c.Feed(strings.Repeat("x", request-1))
		conns = append(conns, c)
	}
	if most := bound + request + 100*smallRead; b.w.held > most {
		t.Errorf("%d bytes are held, want %d at most", b.w.held, most)
	}
	h.on = nil
	for _, c := range conns {
		c.Reset()
	}
	if b.w.held != 0 {
		t.Errorf("%d bytes are held by nobody", b.w.held)
	}
	c := b.dial()
	c.Feed(get + strings.Repeat("x", 60<<10))
	if n := c.Unread(); n > 0 {
		t.Errorf("reads are still small: %d bytes are unread", n)
	}
}

// What is held takes as much memory as is counted, or twice that.
func TestHeldMemory(t *testing.T) {
	h := answers(t)
	b := newBench(t, Config{Handler: h})
	c := b.dial()
	c.Feed(strings.Repeat(get, 1000) + "GET")
	for c.Run(); ; c.Run() {
		var held *conn
		b.w.each(func(c *conn) { held = c })
		if int(held.size) > max(2*len(held.held), 1) || b.w.held != int(held.size) {
			t.Fatalf("%d bytes are held in %d, counted as %d", len(held.held), held.size, b.w.held)
		}
		if len(held.held) == 0 {
			return
		}
	}
}

// An application that answers a handshake of a client that has left, and then does
// not receive, has no more time for that.
func TestDepartedFromAHandshake(t *testing.T) {
	h := &record{}
	c := newBench(t, Config{Handler: h}).dial()
	c.Feed(handshake + frame(1, "a"))
	c.HalfClose() // a reset would answer what is written
	h.x.Post(func() { must(t, h.x.Send(&asgi.WebSocketAccept{})); h.x.Pause() })
	c.Advance(time.Second + 20*time.Millisecond)
	if got := h.take(); got != "websocket.connect|websocket.disconnect" {
		t.Error(got)
	}
}
