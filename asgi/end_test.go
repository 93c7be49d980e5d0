package asgi_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"

	"github.com/gale-server/gale/asgi"
)

func TestPanicAndGoexitEndTheExchange(t *testing.T) {
	inner := errors.New("inner")
	for name, die := range map[string]func(){
		"panic":  func() { panic(inner) },
		"Goexit": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			eachForm(t, func(t *testing.T, open func(asgi.Application) *probe) {
				var ctx context.Context
				x := open(converse(t, func(c conversation) error {
					ctx = c.ctx
					c.accept()
					die()
					return nil
				}))
				x.Deliver(&asgi.WebSocketConnect{})
				var failure *asgi.PanicError
				if err := x.WaitEnded(); !errors.As(err, &failure) || len(failure.Stack) == 0 {
					t.Fatalf("ended with %v", err)
				}
				if name == "panic" && !errors.Is(failure, inner) {
					t.Errorf("panic value is %v", failure.Value)
				}
				if ctx.Err() == nil {
					t.Error("the context is still alive")
				}
				if len(x.Sent()) != 1 {
					t.Errorf("sent %v", said(x))
				}
			})
		})
	}
}

func TestReturnEndsTheExchange(t *testing.T) {
	failure := errors.New("no luck")
	for _, result := range []error{nil, failure} {
		eachForm(t, func(t *testing.T, open func(asgi.Application) *probe) {
			var ctx context.Context
			x := open(converse(t, func(c conversation) error {
				ctx = c.ctx
				c.accept()
				c.say("bye")
				return result
			}))
			x.Deliver(&asgi.WebSocketConnect{}, incoming("never received"))
			if err := x.WaitEnded(); err != result {
				t.Errorf("ended with %v, want %v", err, result)
			}
			if got, want := said(x), []string{"websocket.accept", "bye"}; !slices.Equal(got, want) {
				t.Errorf("said %v, want %v", got, want)
			}
			if cause := context.Cause(ctx); cause != context.Canceled {
				t.Errorf("the context ended with %v", cause)
			}
		})
	}
}

func TestReturnBeforeTheFirstEvent(t *testing.T) {
	eachForm(t, func(t *testing.T, open func(asgi.Application) *probe) {
		x := open(converse(t, func(c conversation) error { return asgi.ErrUnsupportedScope }))
		if err := x.WaitEnded(); err != asgi.ErrUnsupportedScope {
			t.Errorf("ended with %v", err)
		}
	})
}
