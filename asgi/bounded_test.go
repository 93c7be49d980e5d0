package asgi_test

import (
	"context"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
)

// limited is an exchange of an engine with a bound on posts.
type limited struct {
	*asgitest.Exchange
	limit int
}

func (l *limited) PostLimit() int { return l.limit }

// owed is what wrappers post by.
func owed(x asgi.Exchange, fn func()) bool {
	return x.(interface{ PostOwed(fn func()) bool }).PostOwed(fn)
}

// What a handler off the loop has not come to is bounded, but for what somebody
// waits for; with room there is room again.
func TestPostsOffTheLoopAreBounded(t *testing.T) {
	for _, test := range []struct {
		name        string
		wrap        func(asgi.Handler) asgi.Handler
		limit, want int
	}{
		{"serial", serially, 0, 1 << 16},
		{"serial, with less", serially, 64, 64},
		{"serial, with more", serially, 1 << 20, 1 << 16},
		{"adapted", func(h asgi.Handler) asgi.Handler { return asgi.Goroutine(asgi.ApplicationOf(h), nil) }, 0, 1 << 16},
	} {
		t.Run(test.name, func(t *testing.T) {
			asgitest.CheckGoroutines(t)
			apps, gate, ran := make(chan asgi.Exchange), make(chan struct{}), 0
			h := test.wrap(asgi.HandlerFunc(func(_ *asgi.Scope, x asgi.Exchange) asgi.Receiver {
				return asgi.ReceiverFunc(func(ev asgi.ReceiveEvent) {
					if _, connect := ev.(*asgi.WebSocketConnect); connect {
						apps <- x
						<-gate
					}
				})
			}))
			x := asgitest.New(t, asgi.HandlerFunc(func(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
				if test.limit > 0 {
					x = &limited{x.(*asgitest.Exchange), test.limit}
				}
				return h.Open(scope, x)
			}), asgitest.WebSocketScope("/"))
			x.Deliver(&asgi.WebSocketConnect{})
			app := <-apps
			for n := range test.want {
				if !app.Post(func() { ran++ }) {
					t.Fatalf("post %d was refused", n+1)
				}
			}
			for range 3 {
				if app.Post(func() { t.Error("what was refused runs") }) {
					t.Error("a post beyond the bound was accepted")
				}
			}
			fired := make(chan struct{})
			app.AfterFunc(0, func() { close(fired) })
			done := make(chan struct{})
			if !owed(app, func() { close(done) }) {
				t.Error("what is owed was refused")
			}
			close(gate)
			<-done
			<-fired
			if ran != test.want {
				t.Errorf("%d of %d posts ran", ran, test.want)
			}
			if !app.Post(func() {}) {
				t.Error("a post was refused where there is room again")
			}
			x.Deliver(&asgi.WebSocketDisconnect{})
		})
	}
}

func serially(h asgi.Handler) asgi.Handler { return asgi.Serial(h, nil) }

// A coroutine under a handler off the loop gets what it awaits from a full mailbox.
func TestAwaitWithAFullMailbox(t *testing.T) {
	asgitest.CheckGoroutines(t)
	app := func(ctx context.Context, _ *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
		n, err := asgi.Await(ctx, func(done func(int, error)) { go done(7, nil) })
		if n != 7 || err != nil {
			t.Errorf("awaited %d, %v", n, err)
		}
		return asgi.Sleep(ctx, time.Nanosecond)
	}
	h := asgi.Serial(asgi.Coroutine(app), nil)
	x := asgitest.New(t, asgi.HandlerFunc(func(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		return h.Open(scope, &limited{x.(*asgitest.Exchange), 0})
	}), asgitest.WebSocketScope("/"))
	if err := x.WaitEnded(); err != nil {
		t.Error(err)
	}
}

// A serial handler's timers stop with its exchange, whoever ends it, and none
// starts after.
func TestSerialTimersEnd(t *testing.T) {
	for name, end := range map[string]func(x *asgitest.Exchange, app asgi.Exchange){
		"disconnect": func(x *asgitest.Exchange, _ asgi.Exchange) { x.Deliver(&asgi.WebSocketDisconnect{}) },
		"end":        func(x *asgitest.Exchange, app asgi.Exchange) { app.End(nil); x.WaitEnded() },
	} {
		t.Run(name, func(t *testing.T) {
			asgitest.CheckGoroutines(t)
			apps := make(chan asgi.Exchange, 1)
			x := asgitest.New(t, serially(handlerOf(func(x asgi.Exchange, ev asgi.ReceiveEvent) {
				if _, connect := ev.(*asgi.WebSocketConnect); connect {
					apps <- x
				}
			})), asgitest.WebSocketScope("/"))
			x.Deliver(&asgi.WebSocketConnect{})
			app := <-apps
			before := app.AfterFunc(time.Hour, func() { t.Error("a timer outlived its exchange") })
			// This one comes to its time, but not to its turn, before all ends.
			gate, posted := make(chan struct{}), make(chan struct{})
			app.Post(func() {
				app.AfterFunc(0, func() { t.Error("a timer ran after the end") })
				close(posted)
				<-gate
			})
			<-posted
			end(x, app)
			after := app.AfterFunc(0, func() { t.Error("a timer started after the end") })
			if before.Stop() || after.Stop() {
				t.Error("a timer was running after the end")
			}
			close(gate)
			last := make(chan struct{})
			app.Post(func() { close(last) })
			<-last
		})
	}
}
