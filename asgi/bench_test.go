package asgi_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
)

// engine is an exchange that does nothing well: it costs as little as it can,
// so that a benchmark measures the forms. Its loop is the benchmark's goroutine.
type engine struct {
	mu      sync.Mutex
	posted  []func()
	spare   []func()
	arrived chan struct{}
	sent    int
	ended   bool
}

func newEngine() *engine { return &engine{arrived: make(chan struct{}, 1)} }

func (e *engine) Send(asgi.SendEvent) error                      { e.sent++; return nil }
func (e *engine) Buffered() int                                  { return 0 }
func (e *engine) Congested() bool                                { return false }
func (e *engine) Reclaim()                                       {}
func (e *engine) Recycle(p []byte)                               {}
func (e *engine) Keep(p []byte) []byte                           { return append([]byte(nil), p...) }
func (e *engine) Pause()                                         {}
func (e *engine) Resume()                                        {}
func (e *engine) End(error)                                      { e.ended = true }
func (e *engine) AfterFunc(d time.Duration, f func()) asgi.Timer { return time.AfterFunc(d, f) }
func (e *engine) Adopt()                                         {}
func (e *engine) Owned() bool                                    { return true }

func (e *engine) Post(fn func()) bool {
	e.mu.Lock()
	e.posted = append(e.posted, fn)
	e.mu.Unlock()
	select {
	case e.arrived <- struct{}{}:
	default:
	}
	return true
}

// runUntil runs what is posted until n events were sent.
func (e *engine) runUntil(n int) {
	for e.sent < n {
		e.mu.Lock()
		posted := e.posted
		e.posted, e.spare = e.spare[:0], posted
		e.mu.Unlock()
		for _, fn := range posted {
			fn()
		}
		if len(posted) == 0 && e.sent < n {
			<-e.arrived
		}
	}
}

// BenchmarkMessage is one message of 125 bytes in, and one out.
func BenchmarkMessage(b *testing.B) {
	run := func(name string, h asgi.Handler) {
		b.Run(name, func(b *testing.B) {
			e := newEngine()
			r := h.Open(&asgi.Scope{Type: asgi.ScopeWebSocket}, e)
			r.Receive(&asgi.WebSocketConnect{})
			e.runUntil(1)
			ev := &asgi.WebSocketReceive{Data: make([]byte, 125)}
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				r.Receive(ev)
				e.runUntil(i + 2)
			}
			b.StopTimer()
			r.Receive(&asgi.WebSocketDisconnect{})
		})
	}
	run("handler", handlerOf(echo))
	run("coroutine", asgi.Coroutine(echoApplication))
	run("nested", asgi.Coroutine(asgi.ApplicationOf(asgi.Coroutine(echoApplication))))
	run("serial", asgi.Serial(handlerOf(echo), nil))
	run("goroutine", asgi.Goroutine(echoApplication, nil))
}

// BenchmarkPipelined is 16 messages in before any answer is looked at.
func BenchmarkPipelined(b *testing.B) {
	const depth = 16
	run := func(name string, h asgi.Handler) {
		b.Run(name, func(b *testing.B) {
			e := newEngine()
			r := h.Open(&asgi.Scope{Type: asgi.ScopeWebSocket}, e)
			r.Receive(&asgi.WebSocketConnect{})
			e.runUntil(1)
			ev := &asgi.WebSocketReceive{Data: make([]byte, 125)}
			b.ReportAllocs()
			for n := 0; b.Loop(); n += depth {
				for range depth {
					r.Receive(ev)
				}
				e.runUntil(n + depth + 1)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*depth), "ns/message")
			r.Receive(&asgi.WebSocketDisconnect{})
		})
	}
	run("coroutine", asgi.Coroutine(echoApplication))
	run("serial", asgi.Serial(handlerOf(echo), nil))
	run("goroutine", asgi.Goroutine(echoApplication, nil))
}

// BenchmarkRequest is a whole exchange: opened, asked, answered, ended.
func BenchmarkRequest(b *testing.B) {
	start, body := &asgi.HTTPResponseStart{Status: 200}, &asgi.HTTPResponseBody{Body: []byte("hello")}
	handler := asgi.HandlerFunc(func(_ *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		x.Send(start)
		x.Send(body)
		x.End(nil)
		return nil
	})
	app := func(ctx context.Context, _ *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
		if _, err := receive(ctx); err != nil {
			return err
		}
		if err := send(ctx, start); err != nil {
			return err
		}
		return send(ctx, body)
	}
	scope := &asgi.Scope{Type: asgi.ScopeHTTP}
	run := func(name string, h asgi.Handler) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				e := newEngine()
				if r := h.Open(scope, e); r != nil {
					r.Receive(&asgi.HTTPRequest{})
				}
				e.runUntil(2)
			}
		})
	}
	run("handler", handler)
	run("coroutine", asgi.Coroutine(app))
	run("serial", asgi.Serial(handler, nil))
	run("goroutine", asgi.Goroutine(app, nil))
}

// What a message costs each form, in allocations: the copy that belongs to the
// application is two, and in this echo the send event is one.
func TestAllocationsPerMessage(t *testing.T) {
	for _, test := range []struct {
		name string
		h    asgi.Handler
		most float64
	}{
		{"handler", handlerOf(echo), 1},
		{"coroutine", asgi.Coroutine(echoApplication), 3},
	} {
		e := newEngine()
		r := test.h.Open(&asgi.Scope{Type: asgi.ScopeWebSocket}, e)
		r.Receive(&asgi.WebSocketConnect{})
		ev := &asgi.WebSocketReceive{Data: make([]byte, 125)}
		if got := testing.AllocsPerRun(1000, func() { r.Receive(ev) }); got > test.most {
			t.Errorf("%s: %v allocations per message, want at most %v", test.name, got, test.most)
		}
		r.Receive(&asgi.WebSocketDisconnect{})
	}
}
