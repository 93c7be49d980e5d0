package server

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/eventloop"
	"github.com/gale-server/gale/eventloop/looptest"
)

func TestRequestAndResponse(t *testing.T) {
	h := answers(t)
	c := newBench(t, Config{Handler: h, RootPath: "/app"}).dial()
	c.Feed("POST /a%20b%FF?q=%20 HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 3\r\n\r\nabc")
	if got := h.take(); got != "http.request abc|http.disconnect" {
		t.Fatal(got)
	}
	s := h.scope
	if s.Type != asgi.ScopeHTTP || s.Method != "POST" || s.Path != "/app/a b\uFFFD" || s.RawPath != "/a%20b%FF" ||
		s.QueryString != "q=%20" || s.RootPath != "/app" || s.HTTPVersion != "1.1" || s.Scheme != "http" ||
		s.Client != (asgi.Address{Host: "192.0.2.1", Port: 50000}) || s.Server != (asgi.Address{Host: "192.0.2.100", Port: 80}) {
		t.Fatalf("%+v", s)
	}
	if s.Headers[1] != (asgi.Header{Name: "x-a", Value: "1"}) || s.Headers[2] != (asgi.Header{Name: "x-a", Value: "2"}) {
		t.Fatal(s.Headers)
	}
	want := "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nServer: gale\r\nContent-Length: 2\r\n\r\nok"
	if got := c.Output(); got != want {
		t.Fatalf("%q", got)
	}
	wantOpen(t, c)
}

// Every split of a pipelined stream gives the same answers.
func TestSplits(t *testing.T) {
	stream := get + "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + get
	var want string
	for cut := range len(stream) + 1 {
		h := answers(t)
		c := newBench(t, Config{Handler: h}).dial()
		c.Feed(stream[:cut])
		c.Feed(stream[cut:])
		got := c.Output()
		if want == "" {
			want = got
		}
		if got != want || strings.Count(got, "200 OK") != 3 {
			t.Fatalf("cut at %d: %q", cut, got)
		}
	}
}

// A response that comes later holds the pipelined requests behind it.
func TestPipelinedInOrder(t *testing.T) {
	h := &record{}
	c := newBench(t, Config{Handler: h}).dial()
	c.Feed(strings.Repeat(get, 3))
	first := h.x
	if got := h.take(); got != "http.request " {
		t.Fatal("the second request began before the first was answered:", got)
	}
	if !c.ReadPaused() {
		t.Fatal("the conn reads on behind an unanswered request")
	}
	first.Post(func() { respond(t, first, 200, "1") })
	c.Run()
	if h.x == first || h.take() != "http.disconnect|http.request " {
		t.Fatal("the second request did not follow")
	}
	h.on = answers(t).on
	second := h.x
	second.Post(func() { respond(t, second, 200, "2") })
	c.Run()
	if got := c.Output(); strings.Count(got, "200 OK") != 3 {
		t.Fatalf("%q", got)
	}
	if c.ReadPaused() {
		t.Fatal("reading was not resumed")
	}
}

func TestTimeouts(t *testing.T) {
	t.Run("nothing arrives", func(t *testing.T) {
		c := newBench(t, Config{Handler: answers(t), HeadTimeout: time.Second}).dial()
		c.Advance(900 * time.Millisecond)
		wantOpen(t, c)
		c.Advance(200 * time.Millisecond)
		wantClosing(t, c)
		if out := c.Output(); out != "" {
			t.Fatalf("an answer to nothing: %q", out)
		}
	})
	t.Run("head drips", func(t *testing.T) {
		c := newBench(t, Config{Handler: answers(t), HeadTimeout: time.Second}).dial()
		for _, b := range []byte(get[:20]) {
			c.Feed(string(b))
			c.Advance(60 * time.Millisecond)
		}
		wantStatus(t, c.Output(), "408")
		wantClosing(t, c)
	})
	t.Run("every head has its own time", func(t *testing.T) {
		c := newBench(t, Config{Handler: answers(t), HeadTimeout: time.Second}).dial()
		for range 10 { // each feed ends one head and begins the next
			c.Feed(get[10:])
			c.Feed(get[:10])
			c.Advance(600 * time.Millisecond)
			if strings.Contains(c.Output(), "408") {
				t.Fatal("the time of an earlier head was counted")
			}
		}
	})
	t.Run("keep-alive", func(t *testing.T) {
		c := newBench(t, Config{Handler: answers(t), KeepAliveTimeout: 3 * time.Second}).dial()
		for range 3 {
			c.Feed(get)
			c.Advance(2900 * time.Millisecond)
			wantOpen(t, c)
		}
		c.Advance(200 * time.Millisecond)
		wantClosing(t, c)
	})
	t.Run("slow body", func(t *testing.T) {
		h := answers(t)
		cfg := Config{Handler: h, MinBodyRate: 100, BodyRatePeriod: time.Second}
		c := newBench(t, cfg).dial()
		c.Feed("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10000\r\n\r\n")
		for range 3 { // fast enough
			c.Feed(strings.Repeat("x", 150))
			c.Advance(time.Second + 20*time.Millisecond)
			wantOpen(t, c)
		}
		c.Feed(strings.Repeat("x", 50))
		c.Advance(time.Second + 20*time.Millisecond)
		wantStatus(t, c.Output(), "408")
		wantClosing(t, c)
		if got := h.take(); !strings.HasSuffix(got, "http.disconnect") {
			t.Fatal("the application was not told:", got)
		}
	})
	t.Run("no rate is asked of a paused body", func(t *testing.T) {
		h := &record{on: func(x asgi.Exchange, ev asgi.ReceiveEvent) { x.Pause() }}
		c := newBench(t, Config{Handler: h, BodyRatePeriod: time.Second}).dial()
		c.Feed("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10000\r\n\r\nabc")
		c.Advance(time.Minute)
		wantOpen(t, c)
	})
	t.Run("the application has all the time it wants", func(t *testing.T) {
		h := &record{}
		c := newBench(t, Config{Handler: h}).dial()
		c.Feed(get)
		c.Advance(time.Hour)
		wantOpen(t, c)
	})
}

func TestExpectContinue(t *testing.T) {
	const head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
	t.Run("when the application receives", func(t *testing.T) {
		h := answers(t)
		open := asgi.HandlerFunc(func(s *asgi.Scope, x asgi.Exchange) asgi.Receiver {
			x.Pause()
			return h.Open(s, x)
		})
		c := newBench(t, Config{Handler: open}).dial()
		c.Feed(head)
		if out := c.Output(); out != "" {
			t.Fatalf("100 before it was wanted: %q", out)
		}
		h.x.Post(h.x.Resume)
		c.Run()
		if out := c.Output(); out != "HTTP/1.1 100 Continue\r\n\r\n" {
			t.Fatalf("%q", out)
		}
		c.Feed("abc")
		wantStatus(t, c.Output(), "200")
		wantOpen(t, c)
	})
	t.Run("refused without a body", func(t *testing.T) {
		open := asgi.HandlerFunc(func(s *asgi.Scope, x asgi.Exchange) asgi.Receiver {
			x.Pause()
			respond(t, x, 401, "no")
			return nil
		})
		c := newBench(t, Config{Handler: open}).dial()
		c.Feed(head)
		out := c.Output()
		wantStatus(t, out, "401")
		if !strings.Contains(out, "Connection: close\r\n") {
			t.Fatalf("%q", out)
		}
		wantClosing(t, c)
	})
}

func TestApplicationEnds(t *testing.T) {
	for _, test := range []struct {
		name   string
		do     func(x asgi.Exchange)
		want   string // status
		closed bool
		reset  bool
	}{
		{"returns before start", func(x asgi.Exchange) { x.End(nil) }, "500", false, false},
		{"raises before start", func(x asgi.Exchange) { x.End(errors.New("x")) }, "500", false, false},
		{"panics before start", func(x asgi.Exchange) { panic("x") }, "500", false, false},
		{"raises after a held start", func(x asgi.Exchange) {
			must(t, x.Send(&asgi.HTTPResponseStart{Status: 200}))
			x.End(errors.New("x"))
		}, "500", false, false},
		{"names its status", func(x asgi.Exchange) { x.End(saturated{}) }, "503", false, false},
		{"raises in the body", func(x asgi.Exchange) {
			must(t, x.Send(&asgi.HTTPResponseStart{Status: 200}))
			must(t, x.Send(&asgi.HTTPResponseBody{Body: []byte("part"), MoreBody: true}))
			x.End(errors.New("x"))
		}, "200", true, false},
		{"ends when complete", func(x asgi.Exchange) {
			respond(t, x, 200, "ok")
			x.End(nil)
		}, "200", false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := &record{on: func(x asgi.Exchange, ev asgi.ReceiveEvent) { test.do(x) }}
			c := newBench(t, Config{Handler: h}).dial()
			c.Feed(get)
			out := c.Output()
			wantStatus(t, out, test.want)
			if test.closed {
				wantClosing(t, c)
				if strings.HasSuffix(out, "0\r\n\r\n") {
					t.Fatalf("a truncated body was ended cleanly: %q", out)
				}
				return
			}
			wantOpen(t, c)
			h.on = answers(t).on
			c.Feed(get)
			wantStatus(t, c.Output(), "200")
		})
	}
}

type saturated struct{}

func (saturated) Error() string   { return "saturated" }
func (saturated) HTTPStatus() int { return 503 }

// A body without framing can only be seen to be truncated by a reset.
func TestTruncatedCloseDelimited(t *testing.T) {
	h := &record{on: func(x asgi.Exchange, ev asgi.ReceiveEvent) {
		if _, ok := ev.(*asgi.HTTPRequest); ok {
			must(t, x.Send(&asgi.HTTPResponseStart{Status: 200}))
			must(t, x.Send(&asgi.HTTPResponseBody{Body: []byte("part"), MoreBody: true}))
			x.End(errors.New("x"))
		}
	}}
	c := newBench(t, Config{Handler: h}).dial()
	c.Feed("GET / HTTP/1.0\r\n\r\n")
	if !c.Aborted() {
		t.Fatal("the peer cannot see the truncation")
	}
}

func TestDisconnect(t *testing.T) {
	t.Run("reset", func(t *testing.T) {
		h := &record{}
		c := newBench(t, Config{Handler: h}).dial()
		c.Feed(get)
		c.Reset()
		if got := h.take(); got != "http.request |http.disconnect" {
			t.Fatal(got)
		}
		if err := h.x.Send(&asgi.HTTPResponseStart{Status: 200}); !errors.Is(err, asgi.ErrDisconnected) {
			t.Fatal(err)
		}
	})
	t.Run("reset behind a pipelined request", func(t *testing.T) {
		h := &record{}
		c := newBench(t, Config{Handler: h}).dial()
		c.Feed(get + get)
		c.Reset()
		if got := h.take(); got != "http.request |http.disconnect" {
			t.Fatal(got)
		}
	})
	t.Run("half-close serves", func(t *testing.T) {
		h := &record{}
		c := newBench(t, Config{Handler: h}).dial()
		c.Feed(get)
		c.HalfClose()
		if got := h.take(); got != "http.request " {
			t.Fatal(got)
		}
		x := h.x
		x.Post(func() { respond(t, x, 200, "late") })
		c.Run()
		out := c.Output()
		wantStatus(t, out, "200")
		if !strings.Contains(out, "Connection: close\r\n") {
			t.Fatalf("%q", out)
		}
		if err := closedBy(t, c); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("half-close disconnects", func(t *testing.T) {
		h := &record{}
		c := newBench(t, Config{Handler: h, HalfClose: HalfCloseDisconnects}).dial()
		c.Feed(get)
		c.HalfClose()
		if got := h.take(); got != "http.request |http.disconnect" {
			t.Fatal(got)
		}
	})
	t.Run("in the body", func(t *testing.T) {
		h := &record{}
		c := newBench(t, Config{Handler: h}).dial()
		c.Feed("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc")
		c.HalfClose()
		if got := h.take(); got != "http.request abc+|http.disconnect" {
			t.Fatal(got)
		}
		wantStatus(t, c.Output(), "400")
	})
}

// A peer that does not read is not read from, and the application is told when
// there is room again.
func TestBackPressure(t *testing.T) {
	h := &record{}
	b := newBench(t, Config{Handler: h, Loop: eventloop.Config{OutboxBytes: 64 << 10, HighWatermark: 16 << 10, LowWatermark: 4 << 10}})
	c := b.dial()
	c.Feed(get)
	c.Stall()
	x := h.x
	sent := 0
	x.Post(func() {
		must(t, x.Send(&asgi.HTTPResponseStart{Status: 200}))
		for !x.Congested() {
			must(t, x.Send(&asgi.HTTPResponseBody{Body: make([]byte, 1000), MoreBody: true}))
			sent += 1000
		}
	})
	c.Run()
	if sent < 16<<10 || sent > 20<<10 || x.Buffered() < 16<<10 {
		t.Fatal(sent, x.Buffered())
	}
	c.Feed(get)
	if got := h.take(); got != "http.request " {
		t.Fatal(got)
	}
	c.Accept(-1)
	if got := h.take(); got != "gale.writable" {
		t.Fatal(got)
	}
	if x.Congested() {
		t.Fatal("still congested")
	}
}

func TestPauseHoldsTheBody(t *testing.T) {
	h := &record{on: func(x asgi.Exchange, ev asgi.ReceiveEvent) { x.Pause() }}
	c := newBench(t, Config{Handler: h}).dial()
	c.Feed("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n")
	c.Feed("1\r\nc\r\n0\r\n\r\n")
	if got := h.take(); got != "http.request a+" {
		t.Fatal(got)
	}
	if !c.ReadPaused() || c.Unread() == 0 {
		t.Fatal("the conn reads on while the application has paused")
	}
	for _, want := range []string{"http.request b+", "http.request c+", "http.request "} {
		h.x.Post(h.x.Resume)
		c.Run()
		if got := h.take(); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
}

func TestHTTPDrain(t *testing.T) {
	h := &record{}
	b := newBench(t, Config{Handler: h})
	idle, busy, fresh := b.dial(), b.dial(), b.dial()
	idle.Feed("") // accepted, nothing asked
	busy.Feed(get)
	fresh.Feed(get[:10])
	b.startDrain(&asgi.Drain{Deadline: b.Now().Add(time.Minute)})
	wantClosing(t, idle)
	if got := h.take(); got != "http.request |gale.drain" {
		t.Fatal(got)
	}
	x := h.x
	x.Post(func() { respond(t, x, 200, "last") })
	b.Run()
	if out := busy.Output(); !strings.Contains(out, "Connection: close\r\n") || !strings.HasSuffix(out, "last") {
		t.Fatalf("%q", out)
	}
	h.on = answers(t).on
	fresh.Feed(get[10:]) // its head was under way
	if out := fresh.Output(); !strings.Contains(out, "Connection: close\r\n") || !strings.HasSuffix(out, "ok") {
		t.Fatalf("%q", out)
	}
	for _, c := range []*looptest.Conn{idle, busy, fresh} {
		c.PeerClose()
	}
	select {
	case <-b.w.empty:
	default:
		t.Fatal("the drain is not over")
	}
}
