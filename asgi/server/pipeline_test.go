package server

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/eventloop"
)

// A client that pipelines requests and reads slowly gets every response: the
// next request waits while the outbox is above its high watermark.
func TestPipelinedLargeResponses(t *testing.T) {
	const requests, size = 50, 40 << 10
	h := answers(t)
	h.on = func(x asgi.Exchange, ev asgi.ReceiveEvent) {
		if _, ok := ev.(*asgi.HTTPRequest); ok {
			respond(t, x, 200, strings.Repeat("z", size))
		}
	}
	b := newBench(t, Config{Handler: h, Loop: eventloop.Config{OutboxBytes: 128 << 10, HighWatermark: 32 << 10}})
	c := b.dial()
	c.Stall()
	c.Feed(strings.Repeat(get, requests))
	got := 0
	for range 10 * requests {
		if n := c.Buffered(); n > 128<<10+size {
			t.Fatalf("%d bytes wait", n)
		}
		c.Accept(16 << 10)
		got += strings.Count(c.Output(), "z")
	}
	if got != requests*size {
		t.Fatalf("got %d bytes of %d", got, requests*size)
	}
	wantOpen(t, c)
}

// An application that sends until it is congested comes to an end although its
// conn breaks in the same turn.
func TestSendToABrokenConn(t *testing.T) {
	var last error
	sends := 0
	h := &record{on: func(x asgi.Exchange, ev asgi.ReceiveEvent) {
		if _, ok := ev.(*asgi.HTTPRequest); !ok {
			return
		}
		must(t, x.Send(&asgi.HTTPResponseStart{Status: 200}))
		for ; last == nil && sends < 1000; sends++ { // heedless of Congested
			last = x.Send(&asgi.HTTPResponseBody{Body: make([]byte, 64<<10), MoreBody: true})
		}
		if !x.Congested() {
			t.Error("not congested: a loop until it is would not end")
		}
	}}
	b := newBench(t, Config{Handler: h})
	c := b.dial()
	c.Stall()
	c.Feed(get)
	if !errors.Is(last, asgi.ErrDisconnected) || sends > 20 {
		t.Fatalf("%d sends, the last: %v", sends, last)
	}
	if got := h.take(); got != "http.request |http.disconnect" {
		t.Fatal(got)
	}
	if !strings.Contains(b.log.String(), "sends on while congested") {
		t.Fatal(b.log)
	}
}

// The body's rate is measured while the application receives, only then.
func TestPauseOutsideOfReceive(t *testing.T) {
	const post = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n"
	h := &record{}
	c := newBench(t, Config{Handler: h, BodyRatePeriod: time.Second}).dial()
	c.Feed(post + "abc")
	h.x.Post(h.x.Pause)
	c.Advance(5 * time.Second)
	wantOpen(t, c)
	h.x.Post(h.x.Resume)
	c.Advance(900 * time.Millisecond)
	c.Feed(strings.Repeat("x", 300))
	c.Advance(200 * time.Millisecond)
	wantOpen(t, c)
	c.Advance(950 * time.Millisecond)
	wantStatus(t, c.Output(), "408")
	wantClosing(t, c)
}

// So is the rate of a body that nobody wants any more.
func TestSlowUnreadBody(t *testing.T) {
	for name, rate := range map[string]int{"honest": 300, "slow": 200} {
		t.Run(name, func(t *testing.T) {
			h := &record{on: func(x asgi.Exchange, ev asgi.ReceiveEvent) {
				if _, ok := ev.(*asgi.HTTPRequest); ok {
					respond(t, x, 413, "")
				}
			}}
			c := newBench(t, Config{Handler: h, BodyRatePeriod: time.Second}).dial()
			c.Feed("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3000\r\n\r\nabc")
			wantStatus(t, c.Output(), "413")
			for range 3 {
				c.Feed(strings.Repeat("x", rate))
				c.Advance(time.Second)
			}
			if closed := c.WriteClosed(); closed != (rate < 240) {
				t.Fatalf("closed: %v", closed)
			}
		})
	}
}

// A thousand pipelined requests behind a slow one are answered in order.
func TestManyPipelined(t *testing.T) {
	const requests = 1000
	h := &record{}
	c := newBench(t, Config{Handler: h}).dial()
	c.Feed(strings.Repeat(get, requests))
	var last asgi.Exchange
	for i := range requests {
		if h.x == last {
			t.Fatalf("request %d does not come", i)
		}
		last = h.x
		h.x.Post(func() { respond(t, last, 200, string(rune('a'+i%26))) })
		c.Run()
	}
	answers := strings.Split(c.Output(), "HTTP/1.1 200 OK\r\n")[1:]
	if len(answers) != requests {
		t.Fatal(len(answers))
	}
	for i, a := range answers {
		if !strings.HasSuffix(a, string(rune('a'+i%26))) {
			t.Fatalf("answer %d: %q", i, a)
		}
	}
}

// The timers of an exchange end with it; its conn goes on.
func TestTimersEndWithTheExchange(t *testing.T) {
	fired := 0
	h := &record{on: func(x asgi.Exchange, ev asgi.ReceiveEvent) {
		if _, ok := ev.(*asgi.HTTPRequest); !ok {
			return
		}
		for range 3 {
			x.AfterFunc(time.Second, func() { fired++ })
		}
		if !x.AfterFunc(time.Second, func() { fired++ }).Stop() {
			t.Error("a running timer was not stopped")
		}
	}}
	b := newBench(t, Config{Handler: h})
	c := b.dial()
	c.Feed(get)
	x := h.x.(*httpExchange)
	if x.timers == nil {
		t.Fatal("no timers")
	}
	x.Post(func() { respond(t, x, 200, "") })
	c.Run()
	c.Advance(2 * time.Second)
	if fired != 0 || x.timers != nil || x.AfterFunc(0, func() { fired++ }).Stop() {
		t.Fatalf("%d timers fired after the end", fired)
	}
	c.Feed(get)
	c.Advance(2 * time.Second)
	if fired != 3 || h.x.(*httpExchange).timers != nil {
		t.Fatalf("%d timers fired", fired)
	}
	h.x.Post(func() { respond(t, h.x, 200, "") })
	c.Run()
	c.Feed(get)
	h.x.Post(func() { h.x.End(errors.New("x")) })
	c.Advance(2 * time.Second)
	if fired != 3 {
		t.Fatal("a timer fired after End")
	}
	ws := accepts(t)
	open := connected(t, newBench(t, Config{Handler: ws}))
	ws.x.Post(func() {
		ws.x.AfterFunc(time.Second, func() { fired++ })
		ws.x.End(nil) // the peer's close is still awaited
	})
	open.Advance(2 * time.Second)
	wantOpen(t, open)
	if fired != 3 {
		t.Fatal("a timer fired after End")
	}
}

// A response that was under way as the drain began cannot say "close" any more;
// its conn is closed all the same.
func TestDrainOfAResponseUnderWay(t *testing.T) {
	h := &record{}
	b := newBench(t, Config{Handler: h})
	c := b.dial()
	c.Feed(get)
	x := h.x
	x.Post(func() {
		must(t, x.Send(&asgi.HTTPResponseStart{Status: 200}))
		must(t, x.Send(&asgi.HTTPResponseBody{Body: []byte("a"), MoreBody: true}))
	})
	c.Run()
	b.startDrain(&asgi.Drain{Deadline: b.Now().Add(time.Minute)})
	wantOpen(t, c)
	x.Post(func() { must(t, x.Send(&asgi.HTTPResponseBody{Body: []byte("b")})) })
	c.Run()
	if out := c.Output(); !strings.HasSuffix(out, "0\r\n\r\n") {
		t.Fatalf("%q", out)
	}
	wantClosing(t, c)
	if got := h.take(); got != "http.request |gale.drain|http.disconnect" {
		t.Fatal(got)
	}
}

// The drain is over when every application knows that its client is gone.
func TestDrainEndsLast(t *testing.T) {
	h := &record{}
	b := newBench(t, Config{Handler: h})
	c := b.dial()
	c.Feed(get)
	b.startDrain(&asgi.Drain{Deadline: b.Now().Add(time.Minute)})
	over := func() bool {
		select {
		case <-b.w.empty:
			return true
		default:
			return false
		}
	}
	h.on = func(asgi.Exchange, asgi.ReceiveEvent) {
		if over() {
			t.Error("the drain is over before the disconnect")
		}
	}
	c.Reset()
	if got := h.take(); got != "http.request |gale.drain|http.disconnect" || !over() {
		t.Fatal(got)
	}
}

// An exchange that begins during the drain is told, too.
func TestOpenedDuringDrain(t *testing.T) {
	for request, want := range map[string]string{
		get:       "gale.drain|http.request ",
		handshake: "websocket.connect|gale.drain",
	} {
		h := &record{}
		b := newBench(t, Config{Handler: h})
		c := b.dial()
		c.Feed(request[:10])
		b.startDrain(&asgi.Drain{Deadline: b.Now().Add(time.Minute)})
		c.Feed(request[10:])
		if got := h.take(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// The disconnect is no failure of an application that ends upon it.
func TestEndUponDisconnect(t *testing.T) {
	for _, request := range []string{get, handshake} {
		for _, err := range []error{nil, asgi.ErrDisconnected} {
			h := &record{on: func(x asgi.Exchange, ev asgi.ReceiveEvent) {
				switch ev.(type) {
				case *asgi.HTTPDisconnect, *asgi.WebSocketDisconnect:
					x.End(err)
				}
			}}
			b := newBench(t, Config{Handler: h})
			c := b.dial()
			c.Feed(request)
			c.Reset()
			if strings.Contains(b.log.String(), "application failed") {
				t.Errorf("%v: %s", err, b.log)
			}
		}
	}
}
