package asgi_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/internal/longtest"
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

// What waits on a loop for ever does not outlive it, and can wait for nothing
// more then. (A goroutine that waits is nobody's but the application's.)
func TestAwaitWithoutCancelEndsWithTheLoop(t *testing.T) {
	calls := map[string]func(c conversation, ctx context.Context) error{
		"await": func(c conversation, ctx context.Context) error {
			_, err := asgi.Await(ctx, func(func(int, error)) {})
			return err
		},
		"await with a context of its own": func(c conversation, ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, time.Hour)
			defer cancel()
			_, err := asgi.Await(ctx, func(func(int, error)) {})
			return err
		},
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			eachForm(t, func(t *testing.T, open func(asgi.Application) *probe) {
				ended := make(chan [2]error, 1)
				t.Cleanup(func() { // after the loop has stopped
					select {
					case errs := <-ended:
						if errs[0] == nil || errs[1] == nil {
							t.Errorf("the calls returned %v", errs)
						}
					case <-time.After(longtest.Patience):
						t.Error("the application still waits")
					}
				})
				waiting := make(chan struct{})
				x := open(converse(t, func(c conversation) error {
					c.accept()
					ctx := context.WithoutCancel(c.ctx)
					close(waiting)
					first := call(c, ctx)
					ended <- [2]error{first, call(c, ctx)}
					return first
				}))
				x.Deliver(&asgi.WebSocketConnect{})
				<-waiting
				x.Deliver(&asgi.WebSocketDisconnect{})
				if x.over.Load() {
					t.Error("the application did not outlive its peer")
				}
			}, "goroutine", "goroutine under a coroutine")
		})
	}
}

// Who outlives its exchange, but not for ever, is forgotten.
func TestOutlivingIsForgotten(t *testing.T) {
	for _, f := range forms {
		if f.name == "goroutine" || f.name == "goroutine under a coroutine" {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			asgitest.CheckGoroutines(t)
			result := make(chan func(int, error), 1)
			h := f.make(converse(t, func(c conversation) error {
				c.accept()
				_, err := asgi.Await(context.WithoutCancel(c.ctx), func(done func(int, error)) { result <- done })
				return err
			}))
			k := &keeping{}
			x := asgitest.New(t, asgi.HandlerFunc(func(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
				k.Exchange = x.(*asgitest.Exchange)
				return h.Open(scope, k)
			}), asgitest.WebSocketScope("/"))
			x.Deliver(&asgi.WebSocketConnect{})
			done := <-result
			x.Deliver(&asgi.WebSocketDisconnect{})
			x.Wait("somebody to outlive the exchange", func() bool { return k.kept == 1 })
			done(1, nil)
			x.Wait("nobody to", func() bool { return k.kept == 0 })
		})
	}
}

// keeping counts who outlives an exchange.
type keeping struct {
	*asgitest.Exchange
	kept int
}

func (k *keeping) Outlive(a interface{ Abandon() }) bool {
	k.kept++
	return k.Exchange.Outlive(a)
}

func (k *keeping) Forget(a interface{ Abandon() }) {
	k.kept--
	k.Exchange.Forget(a)
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
