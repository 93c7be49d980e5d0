package server

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/websocket"
	"github.com/gale-server/gale/eventloop/looptest"
)

// accepts accepts at once and echoes.
func accepts(t testing.TB) *record {
	return &record{on: func(x asgi.Exchange, ev asgi.ReceiveEvent) {
		switch e := ev.(type) {
		case *asgi.WebSocketConnect:
			must(t, x.Send(&asgi.WebSocketAccept{}))
		case *asgi.WebSocketReceive:
			must(t, x.Send(&asgi.WebSocketSend{Kind: e.Kind, Data: e.Data}))
		}
	}}
}

func connected(t testing.TB, b *bench) *looptest.Conn {
	t.Helper()
	c := b.dial()
	c.Feed(handshake)
	out := c.Output()
	wantStatus(t, out, "101")
	if !strings.Contains(out, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") { // RFC 6455 §1.3
		t.Fatalf("%q", out)
	}
	return c
}

func TestHandshakeSplits(t *testing.T) {
	stream := handshake + frame(1, "hi")
	for cut := range len(stream) + 1 {
		h := accepts(t)
		c := newBench(t, Config{Handler: h}).dial()
		c.Feed(stream[:cut])
		c.Feed(stream[cut:])
		if out := c.Output(); !strings.HasSuffix(out, "\r\n\r\n\x81\x02hi") {
			t.Fatalf("cut at %d: %q", cut, out)
		}
	}
}

// The 101 waits for the application, and so do frames that came with the
// request.
func TestAcceptLater(t *testing.T) {
	h := &record{}
	b := newBench(t, Config{Handler: h})
	c := b.dial()
	c.Feed(handshake + frame(1, "early"))
	if out := c.Output(); out != "" || h.take() != "websocket.connect" {
		t.Fatalf("%q", out)
	}
	if s := h.scope; s.Type != asgi.ScopeWebSocket || s.Scheme != "ws" || s.Method != "" || s.Path != "/ws" {
		t.Fatalf("%+v", s)
	}
	var order *asgi.OrderError
	h.x.Post(func() {
		if err := h.x.Send(&asgi.WebSocketSend{}); !errors.As(err, &order) {
			t.Errorf("send before accept: %v", err)
		}
		must(t, h.x.Send(&asgi.WebSocketAccept{Headers: []asgi.Header{{Name: "x-a", Value: "1"}}}))
	})
	c.Run()
	wantStatus(t, c.Output(), "101")
	if got := h.take(); got != "websocket.receive early" {
		t.Fatal(got)
	}
}

func TestRefusals(t *testing.T) {
	with := func(old, new string) string { return strings.Replace(handshake, old, new, 1) }
	for _, test := range []struct{ name, request, status, header string }{
		{"version", with("Version: 13", "Version: 8"), "426", "Sec-WebSocket-Version: 13"},
		{"foreign origin", with("Host: h", "Host: h\r\nOrigin: http://evil.example"), "403", ""},
		{"no key", with("Sec-WebSocket-Key", "X-Key"), "400", ""},
		{"method", with("GET", "POST"), "405", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := accepts(t)
			c := newBench(t, Config{Handler: h}).dial()
			c.Feed(test.request)
			out := c.Output()
			wantStatus(t, out, test.status)
			if !strings.Contains(strings.ToLower(out), strings.ToLower(test.header)) {
				t.Fatalf("%q", out)
			}
			if h.x != nil {
				t.Fatal("the application was asked")
			}
		})
	}
	t.Run("allowed origin", func(t *testing.T) {
		c := newBench(t, Config{Handler: accepts(t), AllowedOrigins: []string{"http://evil.example"}}).dial()
		c.Feed(with("Host: h", "Host: h\r\nOrigin: http://evil.example"))
		wantStatus(t, c.Output(), "101")
	})
	t.Run("upgrade in HTTP/1.0 is ignored", func(t *testing.T) {
		h := answers(t)
		c := newBench(t, Config{Handler: h}).dial()
		c.Feed(with("HTTP/1.1", "HTTP/1.0"))
		wantStatus(t, c.Output(), "200")
	})
}

func TestApplicationRefuses(t *testing.T) {
	for _, test := range []struct {
		name   string
		do     func(x asgi.Exchange)
		status string
		body   string
	}{
		{"close", func(x asgi.Exchange) { must(t, x.Send(&asgi.WebSocketClose{})) }, "403", "Forbidden\n"},
		{"denial", func(x asgi.Exchange) {
			must(t, x.Send(&asgi.WebSocketDenialStart{Status: 429, Headers: []asgi.Header{{Name: "retry-after", Value: "1"}}}))
			must(t, x.Send(&asgi.WebSocketDenialBody{Body: []byte("slow "), MoreBody: true}))
			must(t, x.Send(&asgi.WebSocketDenialBody{Body: []byte("down")}))
		}, "429", "0\r\n\r\n"},
		{"raises", func(x asgi.Exchange) { x.End(errors.New("x")) }, "500", "Internal Server Error\n"},
		{"returns", func(x asgi.Exchange) { x.End(nil) }, "500", "Internal Server Error\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := &record{}
			h.on = func(x asgi.Exchange, ev asgi.ReceiveEvent) {
				if _, ok := ev.(*asgi.WebSocketConnect); ok {
					test.do(x)
				}
			}
			c := newBench(t, Config{Handler: h}).dial()
			c.Feed(handshake)
			out := c.Output()
			wantStatus(t, out, test.status)
			if !strings.HasSuffix(out, test.body) || !strings.Contains(out, "Connection: close\r\n") {
				t.Fatalf("%q", out)
			}
			wantClosing(t, c)
		})
	}
}

func TestEchoAndClose(t *testing.T) {
	h := accepts(t)
	c := connected(t, newBench(t, Config{Handler: h}))
	c.Feed(frame(1, "a") + frame(2, "b") + frame(9, "p") + frame(1, ""))
	if out := c.Output(); out != "\x81\x01a\x82\x01b\x8a\x01p\x81\x00" {
		t.Fatalf("%q", out)
	}
	c.Feed(closeFrame(3001) + frame(1, "late"))
	if out := c.Output(); out != "\x88\x02\x0b\xb9" {
		t.Fatalf("%q", out)
	}
	wantClosing(t, c)
	if err := h.x.Send(&asgi.WebSocketSend{}); !errors.Is(err, asgi.ErrDisconnected) {
		t.Fatal(err)
	}
	if got := h.take(); got != "websocket.connect|websocket.receive a|websocket.receive b|websocket.receive |websocket.disconnect" {
		t.Fatal(got)
	}
}

func TestLocalClose(t *testing.T) {
	h := accepts(t)
	c := connected(t, newBench(t, Config{Handler: h, CloseTimeout: time.Second}))
	h.x.Post(func() {
		var e *websocket.MessageError
		if err := h.x.Send(&asgi.WebSocketClose{Code: 1006}); !errors.As(err, &e) {
			t.Errorf("a code that may not be sent: %v", err)
		}
		must(t, h.x.Send(&asgi.WebSocketClose{Code: 4000, Reason: strings.Repeat("é", 100)}))
		must(t, h.x.Send(&asgi.WebSocketSend{})) // ignored
	})
	c.Run()
	if out := c.Output(); out != "\x88\x7c\x0f\xa0"+strings.Repeat("é", 61) {
		t.Fatalf("%q", out)
	}
	c.Feed(frame(1, "crossing") + frame(9, ""))
	if got := h.take(); got != "websocket.connect" {
		t.Fatal(got)
	}
	t.Run("peer answers", func(t *testing.T) {
		c.Feed(closeFrame(4000))
		wantClosing(t, c)
		if out := c.Output(); out != "" {
			t.Fatalf("%q", out)
		}
		if got := h.take(); got != "websocket.disconnect" {
			t.Fatal(got)
		}
	})
	t.Run("peer is silent", func(t *testing.T) {
		h := accepts(t)
		c := connected(t, newBench(t, Config{Handler: h, CloseTimeout: time.Second}))
		h.x.Post(func() { h.x.End(nil) })
		c.Run()
		if out := c.Output(); out != "\x88\x02\x03\xe8" {
			t.Fatalf("%q", out)
		}
		c.Advance(1100 * time.Millisecond)
		wantClosing(t, c)
	})
}

func TestPeerBreaksARule(t *testing.T) {
	for _, test := range []struct{ name, input, want string }{
		{"unmasked", "\x81\x01a", "\x03\xea"},
		{"bad UTF-8", frame(1, "\xff"), "\x03\xef"},
		{"too big", "\x82\xff\x00\x00\x00\x00\x7f\xff\xff\xff", "\x03\xf1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := accepts(t)
			c := connected(t, newBench(t, Config{Handler: h}))
			c.Feed(test.input)
			if out := c.Output(); len(out) < 4 || out[0] != 0x88 || out[2:4] != test.want {
				t.Fatalf("%q", out)
			}
			wantClosing(t, c)
			if got := h.take(); !strings.HasSuffix(got, "websocket.disconnect") {
				t.Fatal(got)
			}
		})
	}
}

func TestApplicationDies(t *testing.T) {
	h := accepts(t)
	b := newBench(t, Config{Handler: h})
	c := connected(t, b)
	h.on = func(asgi.Exchange, asgi.ReceiveEvent) { panic("boom") }
	c.Feed(frame(1, "x"))
	if out := c.Output(); out != "\x88\x02\x03\xf3" { // 1011
		t.Fatalf("%q", out)
	}
	if log := b.log.String(); !strings.Contains(log, "boom") || !strings.Contains(log, "websocket_test.go") {
		t.Fatal("the panic and its stack are not in the log:", log)
	}
	c.Feed(closeFrame(1011))
	wantClosing(t, c)
}

func TestPing(t *testing.T) {
	cfg := func(h asgi.Handler) Config {
		return Config{Handler: h, PingInterval: 10 * time.Second, PongTimeout: 5 * time.Second}
	}
	t.Run("any byte is life", func(t *testing.T) {
		h := accepts(t)
		c := connected(t, newBench(t, cfg(h)))
		for range 5 {
			c.Advance(9 * time.Second)
			c.Feed("\x81") // not even a whole frame header at first
			if out := c.Output(); out != "" {
				t.Fatalf("%q", out)
			}
			c.Feed(frame(1, "")[1:])
			c.Output()
		}
	})
	t.Run("silence is asked about", func(t *testing.T) {
		h := accepts(t)
		c := connected(t, newBench(t, cfg(h)))
		c.Advance(time.Second + 100*time.Millisecond)
		for range 3 {
			c.Advance(9 * time.Second) // 10.1 s since the last byte
			if out := c.Output(); out != "\x89\x00" {
				t.Fatalf("%q", out)
			}
			c.Advance(4 * time.Second)
			c.Feed(frame(10, ""))
			c.Advance(time.Second + 100*time.Millisecond) // when the pong was due
			wantOpen(t, c)
		}
	})
	t.Run("no answer", func(t *testing.T) {
		h := accepts(t)
		c := connected(t, newBench(t, cfg(h)))
		c.Advance(15*time.Second + 50*time.Millisecond)
		if out := c.Output(); !strings.HasPrefix(out, "\x89\x00\x88") || out[4:6] != "\x03\xf3" {
			t.Fatalf("%q", out)
		}
		wantClosing(t, c)
		if got := h.take(); got != "websocket.connect|websocket.disconnect" {
			t.Fatal(got)
		}
	})
	t.Run("not while we do not read", func(t *testing.T) {
		h := accepts(t)
		c := connected(t, newBench(t, cfg(h)))
		h.on = func(x asgi.Exchange, _ asgi.ReceiveEvent) { x.Pause() }
		c.Feed(frame(1, "a") + frame(1, "b"))
		c.Advance(time.Minute)
		wantOpen(t, c)
	})
}

func TestWebSocketLost(t *testing.T) {
	for name, lose := range map[string]func(*looptest.Conn){
		"reset":  (*looptest.Conn).Reset,
		"closed": (*looptest.Conn).PeerClose,
		"ended":  (*looptest.Conn).HalfClose,
	} {
		t.Run(name, func(t *testing.T) {
			var code int
			h := accepts(t)
			c := connected(t, newBench(t, Config{Handler: h}))
			h.on = func(x asgi.Exchange, ev asgi.ReceiveEvent) { code = ev.(*asgi.WebSocketDisconnect).Code }
			lose(c)
			if code != 1006 || h.take() != "websocket.connect|websocket.disconnect" {
				t.Fatal(code)
			}
		})
	}
	t.Run("before accept", func(t *testing.T) {
		h := &record{}
		c := newBench(t, Config{Handler: h}).dial()
		c.Feed(handshake)
		c.PeerClose()
		if got := h.take(); got != "websocket.connect|websocket.disconnect" {
			t.Fatal(got)
		}
		if over, _ := c.Closed(); !over {
			t.Fatal("the conn is still open")
		}
	})
}

func TestWebSocketDrain(t *testing.T) {
	h := accepts(t)
	b := newBench(t, Config{Handler: h})
	c := connected(t, b)
	b.startDrain(&asgi.Drain{Deadline: b.Now().Add(10 * time.Second)})
	if got := h.take(); got != "websocket.connect|gale.drain" {
		t.Fatal(got)
	}
	c.Feed(frame(1, "still here"))
	b.Advance(5*time.Second + 20*time.Millisecond)
	if out := c.Output(); !strings.Contains(out, "\x03\xf4server is restarting") {
		t.Fatalf("%q", out)
	}
	c.Feed(closeFrame(1012))
	wantClosing(t, c)
}
