package asgi_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
)

func TestAwait(t *testing.T) {
	failure := errors.New("no luck")
	eachForm(t, func(t *testing.T, open func(asgi.Application) *probe) {
		x := open(converse(t, func(c conversation) error {
			for name, start := range map[string]func(done func(int, error)){
				"from another goroutine": func(done func(int, error)) { go done(7, failure) },
				"at once":                func(done func(int, error)) { done(7, failure) },
				"twice":                  func(done func(int, error)) { done(7, failure); done(8, nil) },
				"twice, elsewhere": func(done func(int, error)) {
					go func() { done(7, failure); done(8, nil); done(9, nil) }()
				},
			} {
				if v, err := asgi.Await(c.ctx, start); v != 7 || err != failure {
					t.Errorf("done called %s: %d, %v", name, v, err)
				}
			}
			ctx, cancel := context.WithCancelCause(c.ctx)
			v, err := asgi.Await(ctx, func(func(int, error)) { go cancel(failure) })
			if v != 0 || err != failure {
				t.Errorf("await with a cancelled context: %d, %v", v, err)
			}
			return nil
		}))
		x.WaitEnded()
	})
}

func TestAwaitEndsWithTheExchange(t *testing.T) {
	eachForm(t, func(t *testing.T, open func(asgi.Application) *probe) {
		var late func(int, error)
		var ctx context.Context
		ready := make(chan struct{})
		x := open(converse(t, func(c conversation) error {
			ctx = c.ctx
			c.accept()
			_, err := asgi.Await(c.ctx, func(done func(int, error)) { late = done; close(ready) })
			return err
		}))
		x.Deliver(&asgi.WebSocketConnect{})
		<-ready
		x.Deliver(&asgi.WebSocketDisconnect{})
		if err := x.WaitEnded(); err != asgi.ErrDisconnected {
			t.Errorf("await returned %v", err)
		}
		late(1, nil) // dropped
		x.Run()
		if cause := context.Cause(ctx); cause != asgi.ErrDisconnected { // the first one stays
			t.Errorf("the context ended with %v", cause)
		}
	})
}

func TestAwaitWithoutCancelOutlivesThePeer(t *testing.T) {
	eachForm(t, func(t *testing.T, open func(asgi.Application) *probe) {
		result := make(chan func(int, error), 1)
		got := 0
		x := open(converse(t, func(c conversation) error {
			c.accept()
			got, _ = asgi.Await(context.WithoutCancel(c.ctx), func(done func(int, error)) { result <- done })
			return nil
		}))
		x.Deliver(&asgi.WebSocketConnect{})
		done := <-result
		x.Deliver(&asgi.WebSocketDisconnect{})
		if x.over.Load() {
			t.Fatal("await did not outlive the peer")
		}
		go done(7, nil)
		x.WaitEnded()
		if got != 7 {
			t.Errorf("await returned %d", got)
		}
	})
}

func TestSleep(t *testing.T) {
	eachForm(t, func(t *testing.T, open func(asgi.Application) *probe) {
		var slept, cancelled, gone error
		failure := errors.New("no luck")
		var ready atomic.Bool
		x := open(converse(t, func(c conversation) error {
			c.accept()
			slept = asgi.Sleep(c.ctx, time.Millisecond)
			ctx, cancel := context.WithCancelCause(c.ctx)
			go cancel(failure)
			cancelled = asgi.Sleep(ctx, time.Hour)
			ready.Store(true)
			gone = asgi.Sleep(c.ctx, time.Hour)
			return nil
		}))
		x.connect()
		x.Advance(time.Millisecond)
		x.waitFor("the last sleep", ready.Load)
		x.Deliver(&asgi.WebSocketDisconnect{})
		x.WaitEnded()
		if slept != nil || cancelled != failure || gone != asgi.ErrDisconnected {
			t.Errorf("sleep returned %v, %v, %v", slept, cancelled, gone)
		}
	})
}
