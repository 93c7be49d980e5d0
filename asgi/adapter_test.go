package asgi_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
)

// adapters run a handler behind a coroutine or on a goroutine; what holds for
// the plain handler holds for both.
var adapters = []struct {
	name string
	make func(asgi.Handler) asgi.Handler
}{
	{"plain", func(h asgi.Handler) asgi.Handler { return h }},
	{"coroutine", func(h asgi.Handler) asgi.Handler { return asgi.Coroutine(asgi.ApplicationOf(h)) }},
	{"goroutine", func(h asgi.Handler) asgi.Handler { return asgi.Goroutine(asgi.ApplicationOf(h), nil) }},
	{"serial", func(h asgi.Handler) asgi.Handler { return asgi.Serial(h, nil) }},
}

func eachAdapter(t *testing.T, test func(t *testing.T, open func(asgi.Handler) *asgitest.Exchange)) {
	for _, a := range adapters {
		t.Run(a.name, func(t *testing.T) {
			asgitest.CheckGoroutines(t)
			test(t, func(h asgi.Handler) *asgitest.Exchange {
				return asgitest.New(t, a.make(h), asgitest.WebSocketScope("/"))
			})
		})
	}
}

func TestAdaptedHandlerEchoes(t *testing.T) {
	eachAdapter(t, func(t *testing.T, open func(asgi.Handler) *asgitest.Exchange) {
		x := open(handlerOf(echo))
		x.Deliver(&asgi.WebSocketConnect{})
		for _, text := range []string{"one", "two", "three"} {
			x.Deliver(incoming(text))
		}
		var got []string
		for _, ev := range x.WaitSent(4) {
			got = append(got, textOf(ev))
		}
		if want := []string{"websocket.accept", "one", "two", "three"}; !slices.Equal(got, want) {
			t.Errorf("sent %v, want %v", got, want)
		}
		x.Deliver(&asgi.WebSocketDisconnect{})
		if err := x.WaitEnded(); err != nil {
			t.Error(err)
		}
	})
}

func TestAdaptedPostWakes(t *testing.T) {
	eachAdapter(t, func(t *testing.T, open func(asgi.Handler) *asgitest.Exchange) {
		const n = 3000 // a handler that posts to itself must not be taken for one that spins
		var post func(i int)
		h := asgi.HandlerFunc(func(_ *asgi.Scope, x asgi.Exchange) asgi.Receiver {
			x.Send(&asgi.WebSocketAccept{})
			post = func(i int) {
				if i == n {
					x.Send(message("posted"))
					x.AfterFunc(time.Millisecond, func() {
						x.Send(message("timer"))
						x.End(nil)
					})
					return
				}
				if !x.Post(func() { post(i + 1) }) {
					t.Error("a post was refused")
				}
			}
			go post(0)
			return nil
		})
		x := open(h)
		x.WaitSent(2)
		x.Advance(time.Millisecond) // for forms whose timers are the loop's
		x.WaitEnded()
		if got := textOf(x.Sent()[2]); got != "timer" {
			t.Errorf("sent %s", got)
		}
	})
}

func TestAdaptedPause(t *testing.T) {
	eachAdapter(t, func(t *testing.T, open func(asgi.Handler) *asgitest.Exchange) {
		heard := make(chan string, 10)
		apps := make(chan asgi.Exchange, 1)
		x := open(handlerOf(func(x asgi.Exchange, ev asgi.ReceiveEvent) {
			switch textOf(ev) {
			case "websocket.connect":
				x.Send(&asgi.WebSocketAccept{})
			case "pause":
				x.Pause()
				x.Send(message("paused"))
				apps <- x
			}
			heard <- textOf(ev)
		}))
		x.Deliver(&asgi.WebSocketConnect{}, incoming("pause"), incoming("behind"))
		x.WaitSent(2)
		for _, want := range []string{"websocket.connect", "pause"} {
			if got := <-heard; got != want {
				t.Errorf("heard %s, want %s", got, want)
			}
		}
		app := <-apps
		done := make(chan struct{})
		app.Post(func() {
			if len(heard) > 0 {
				t.Errorf("heard %s while paused", <-heard)
			}
			app.Resume()
			close(done)
		})
		x.Wait("the resume and what follows", func() bool {
			x.Post(func() {}) // look again: heard by another goroutine, it is not posted
			return len(heard) == 1
		})
		<-done
		if got := <-heard; got != "behind" {
			t.Errorf("heard %s", got)
		}
	})
}

// No pause holds back the disconnect, and nothing follows it.
func TestAdaptedPauseAndDisconnect(t *testing.T) {
	eachAdapter(t, func(t *testing.T, open func(asgi.Handler) *asgitest.Exchange) {
		heard := make(chan string, 10)
		x := open(handlerOf(func(x asgi.Exchange, ev asgi.ReceiveEvent) {
			if textOf(ev) == "websocket.connect" {
				x.Pause()
				x.Send(&asgi.WebSocketAccept{})
			}
			heard <- textOf(ev)
			if last, ok := ev.(*asgi.WebSocketDisconnect); ok {
				if last.Code != 1001 {
					t.Errorf("disconnect has code %d", last.Code)
				}
				x.End(nil)
			}
		}))
		x.Deliver(&asgi.WebSocketConnect{})
		x.WaitSent(1)
		x.Deliver(incoming("dropped"), &asgi.WebSocketDisconnect{Code: 1001})
		x.WaitEnded()
		for _, want := range []string{"websocket.connect", "websocket.disconnect"} {
			if got := <-heard; got != want {
				t.Errorf("heard %s, want %s", got, want)
			}
		}
		if len(heard) > 0 {
			t.Errorf("heard %s after the disconnect", <-heard)
		}
	})
}

// Posts run, and sends fail, even after the exchange is over.
func TestAdaptedAfterTheEnd(t *testing.T) {
	eachAdapter(t, func(t *testing.T, open func(asgi.Handler) *asgitest.Exchange) {
		apps := make(chan asgi.Exchange, 1)
		x := open(handlerOf(func(x asgi.Exchange, ev asgi.ReceiveEvent) {
			switch textOf(ev) {
			case "websocket.connect":
				x.Send(&asgi.WebSocketAccept{})
				apps <- x
			case "websocket.disconnect":
				x.AfterFunc(0, func() { t.Error("a timer outlived the exchange") })
				x.End(nil)
			}
		}))
		x.Deliver(&asgi.WebSocketConnect{})
		app := <-apps
		x.Deliver(&asgi.WebSocketDisconnect{})
		x.WaitEnded()
		ran := 0
		done := make(chan struct{})
		for range 3 {
			app.Post(func() {
				if err := app.Send(message("late")); err != nil {
					t.Errorf("send after the end: %v", err)
				}
				app.End(nil)
				if !app.Owned() {
					t.Error("a late post runs on a foreign goroutine")
				}
				if ran++; ran == 3 {
					close(done)
				}
			})
		}
		x.Wait("three posts", func() bool {
			select {
			case <-done:
				return true
			default:
				app.Post(func() {})
				x.Post(func() {})
				return false
			}
		})
		if len(x.Sent()) != 1 {
			t.Errorf("%d events were sent", len(x.Sent()))
		}
	})
}

// A handler need not end after its disconnect; what it sends then fails.
func TestAdaptedSendAfterTheDisconnect(t *testing.T) {
	eachAdapter(t, func(t *testing.T, open func(asgi.Handler) *asgitest.Exchange) {
		apps := make(chan asgi.Exchange, 1)
		over := make(chan struct{})
		x := open(handlerOf(func(x asgi.Exchange, ev asgi.ReceiveEvent) {
			switch textOf(ev) {
			case "websocket.connect":
				x.Send(&asgi.WebSocketAccept{})
				apps <- x
			case "websocket.disconnect":
				close(over)
			}
		}))
		x.Deliver(&asgi.WebSocketConnect{})
		app := <-apps
		x.Deliver(&asgi.WebSocketDisconnect{})
		<-over
		result := make(chan error, 1)
		app.Post(func() { result <- app.Send(message("late")) })
		x.Run()
		if err := <-result; err != asgi.ErrDisconnected {
			t.Errorf("send returns %v", err)
		}
	})
}

// Middleware in coroutine form may give up on the application within.
func TestAdaptedHandlerUnderACancelledContext(t *testing.T) {
	asgitest.CheckGoroutines(t)
	var heard []string
	var cancel context.CancelFunc
	h := handlerOf(func(x asgi.Exchange, ev asgi.ReceiveEvent) { heard = append(heard, textOf(ev)) })
	inner := asgi.ApplicationOf(h)
	x := asgitest.New(t, asgi.Coroutine(func(ctx context.Context, scope *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		return inner(ctx, scope, receive, send)
	}), asgitest.WebSocketScope("/"))
	x.Deliver(&asgi.WebSocketConnect{})
	cancel()
	if err := x.WaitEnded(); err != context.Canceled {
		t.Errorf("ended with %v", err)
	}
	if want := []string{"websocket.connect", "websocket.disconnect"}; !slices.Equal(heard, want) {
		t.Errorf("heard %v, want %v", heard, want)
	}
}

func TestChains(t *testing.T) {
	var trace []string
	handlers := func(name string) asgi.Middleware {
		return func(next asgi.Handler) asgi.Handler {
			return asgi.HandlerFunc(func(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
				trace = append(trace, name)
				return next.Open(scope, x)
			})
		}
	}
	applications := func(name string) asgi.ApplicationMiddleware {
		return func(next asgi.Application) asgi.Application {
			return func(ctx context.Context, scope *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
				trace = append(trace, name)
				return next(ctx, scope, receive, send)
			}
		}
	}
	app := asgi.ChainApplication(func(context.Context, *asgi.Scope, asgi.Receive, asgi.Send) error {
		trace = append(trace, "app")
		return nil
	}, applications("three"), applications("four"))
	asgitest.New(t, asgi.Chain(asgi.Coroutine(app), handlers("one"), handlers("two")), asgitest.HTTPScope("GET", "/"))
	if want := []string{"one", "two", "three", "four", "app"}; !slices.Equal(trace, want) {
		t.Errorf("called %v, want %v", trace, want)
	}
}
