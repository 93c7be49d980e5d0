package server

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/eventloop/looptest"
)

// The peer's answer to a close is heard at once although the application has
// paused and messages wait before it.
func TestCloseWhilePaused(t *testing.T) {
	for name, leave := range map[string]func(x asgi.Exchange){
		"close": func(x asgi.Exchange) { must(t, x.Send(&asgi.WebSocketClose{})) },
		"end":   func(x asgi.Exchange) { x.End(nil) },
	} {
		for _, held := range []string{"", frame(1, "a") + frame(1, "b")} {
			t.Run(fmt.Sprintf("%s, %d bytes held", name, len(held)), func(t *testing.T) {
				h := accepts(t)
				c := connected(t, newBench(t, Config{Handler: h}))
				h.x.Post(h.x.Pause)
				c.Run()
				c.Feed(held)
				h.take()
				h.x.Post(func() { leave(h.x) })
				c.Run()
				c.Feed(closeFrame(1000))
				wantClosing(t, c)
				if got := h.take(); name == "close" && got != "websocket.disconnect" || name == "end" && got != "" {
					t.Fatal(got)
				}
			})
		}
	}
}

// After the close of a drain the application's sends fail as after any
// disconnect, and nothing follows the close frame on the wire.
func TestSendAfterTheCloseOfADrain(t *testing.T) {
	h := accepts(t)
	b := newBench(t, Config{Handler: h})
	c := connected(t, b)
	b.startDrain(&asgi.Drain{Deadline: b.Now().Add(time.Second)})
	b.Advance(600 * time.Millisecond)
	if out := c.Output(); !strings.Contains(out, "\x03\xf4") {
		t.Fatalf("%q", out)
	}
	h.x.Post(func() {
		for _, n := range []int{1, copyBelow} {
			if err := h.x.Send(&asgi.WebSocketSend{Data: make([]byte, n)}); !errors.Is(err, asgi.ErrDisconnected) {
				t.Errorf("%d bytes: %v", n, err)
			}
		}
		h.x.End(asgi.ErrDisconnected)
	})
	c.Run()
	if out := c.Output(); out != "" {
		t.Fatalf("%q follows the close frame", out)
	}
	if strings.Contains(b.log.String(), "application failed") {
		t.Fatal(b.log)
	}
	c.Feed(closeFrame(1012))
	wantClosing(t, c)
}

// The disconnect is the last event, and comes without waiting for the socket.
func TestNothingAfterTheDisconnect(t *testing.T) {
	for name, refuse := range map[string]func(x asgi.Exchange){
		"close": func(x asgi.Exchange) { must(t, x.Send(&asgi.WebSocketClose{})) },
		"denial": func(x asgi.Exchange) {
			must(t, x.Send(&asgi.WebSocketDenialStart{Status: 401}))
			must(t, x.Send(&asgi.WebSocketDenialBody{}))
		},
	} {
		for _, later := range []bool{false, true} {
			h := &record{}
			b := newBench(t, Config{Handler: h})
			c := b.dial()
			if !later {
				h.on = func(x asgi.Exchange, ev asgi.ReceiveEvent) {
					if _, ok := ev.(*asgi.WebSocketConnect); ok {
						refuse(x)
					}
				}
			}
			c.Feed(handshake)
			if later {
				h.x.Post(func() { refuse(h.x) })
				c.Run()
			}
			if got := h.take(); got != "websocket.connect|websocket.disconnect" {
				t.Fatal(name, later, got)
			}
			wantClosing(t, c)
			b.startDrain(&asgi.Drain{Deadline: b.Now().Add(time.Second)})
			b.Advance(2 * time.Second)
			c.PeerClose()
			if got := h.take(); got != "" {
				t.Fatal(name, later, got)
			}
		}
	}
	t.Run("peer closed", func(t *testing.T) {
		h := accepts(t)
		b := newBench(t, Config{Handler: h})
		c := connected(t, b)
		c.Feed(closeFrame(1000))
		h.take()
		b.startDrain(&asgi.Drain{Deadline: b.Now().Add(time.Second)})
		c.PeerClose()
		if got := h.take(); got != "" {
			t.Fatal(got)
		}
	})
}

// What the application does is no sign of life of its peer.
func TestResumeIsNoLife(t *testing.T) {
	h := accepts(t)
	c := connected(t, newBench(t, Config{Handler: h, PingInterval: 10 * time.Second, PongTimeout: 5 * time.Second}))
	for range 20 {
		h.x.Post(h.x.Pause)
		h.x.Post(h.x.Resume)
		c.Advance(time.Second)
	}
	if out := c.Output(); strings.Count(out, "\x89\x00") != 1 || !strings.Contains(out, "\x03\xf3") {
		t.Fatalf("%q", out)
	}
	wantClosing(t, c)
}

// Without a PongTimeout the pings go on: a proxy counts them as traffic.
func TestNoPongTimeout(t *testing.T) {
	h := accepts(t)
	c := connected(t, newBench(t, Config{Handler: h, PingInterval: 10 * time.Second, PongTimeout: -1}))
	c.Advance(35 * time.Second)
	if out := c.Output(); out != "\x89\x00\x89\x00\x89\x00" {
		t.Fatalf("%q", out)
	}
	wantOpen(t, c)
}

type oddCode int

func (c oddCode) Error() string  { return "odd" }
func (c oddCode) CloseCode() int { return int(c) }

// An error that names a code that may not be sent still closes.
func TestEndWithACode(t *testing.T) {
	for code, want := range map[int]string{4001: "\x88\x02\x0f\xa1", 1006: "\x88\x02\x03\xf3", 0: "\x88\x02\x03\xf3"} {
		h := accepts(t)
		c := connected(t, newBench(t, Config{Handler: h}))
		h.x.Post(func() { h.x.End(oddCode(code)) })
		c.Run()
		if out := c.Output(); out != want {
			t.Errorf("code %d: %q", code, out)
		}
	}
}

// A name for a status that no response may have gives 500.
func TestEndWithAStatus(t *testing.T) {
	for status, want := range map[int]string{429: "429", 0: "500", 101: "500", 200: "500", 999: "500"} {
		h := &record{on: func(x asgi.Exchange, ev asgi.ReceiveEvent) { x.End(oddStatus(status)) }}
		c := newBench(t, Config{Handler: h}).dial()
		c.Feed(get)
		wantStatus(t, c.Output(), want)
	}
}

type oddStatus int

func (s oddStatus) Error() string   { return "odd" }
func (s oddStatus) HTTPStatus() int { return int(s) }

// A handler off the loop that does not come to its end holds up the answer to a
// close, and to the end of a stream, for CloseTimeout.
func TestCloseOvertakesWhoBlocks(t *testing.T) {
	for name, leave := range map[string]func(c *looptest.Conn){
		"close": func(c *looptest.Conn) { c.Feed(frame(1, "a") + closeFrame(1000)) },
		"eof":   func(c *looptest.Conn) { c.Feed(frame(1, "a")); c.PeerClose() },
	} {
		t.Run(name, func(t *testing.T) {
			h := &record{on: func(x asgi.Exchange, ev asgi.ReceiveEvent) {
				switch ev.(type) {
				case *asgi.WebSocketConnect:
					must(t, x.Send(&asgi.WebSocketAccept{}))
				case *asgi.WebSocketReceive:
					if err := x.Send(&asgi.WebSocketSend{}); err != asgi.ErrDisconnected {
						t.Errorf("the late answer: %v", err)
					}
				}
			}}
			var tasks []func()
			work := func() {
				for _, task := range tasks {
					task()
				}
				tasks = nil
			}
			app := asgi.Serial(h, func(task func()) error { tasks = append(tasks, task); return nil })
			c := newBench(t, Config{Handler: app, CloseTimeout: time.Second}).dial()
			c.Feed(handshake)
			work()
			c.Run()
			c.Output()
			leave(c)
			c.Advance(900 * time.Millisecond)
			if out := c.Output(); out != "" || c.WriteClosed() {
				t.Fatalf("%q comes before the answer", out)
			}
			c.Advance(200 * time.Millisecond)
			if out := c.Output(); name == "close" && out != "\x88\x02\x03\xe8" {
				t.Fatalf("%q", out)
			}
			if over, _ := c.Closed(); !over && !c.WriteClosed() {
				t.Fatal("the conn is still open")
			}
			work()
			c.Run()
			if got := h.take(); got != "websocket.connect|websocket.receive a|websocket.disconnect" {
				t.Fatal(got)
			}
		})
	}
}
