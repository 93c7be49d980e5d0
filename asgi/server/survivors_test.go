package server

import (
	"context"
	"io"
	"testing"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/eventloop"
)

// An application that waits for ever although its client has gone ends with the
// server.
func TestWaitingEndsWithTheServer(t *testing.T) {
	for name, request := range map[string]string{"http": get, "websocket": handshake} {
		t.Run(name, func(t *testing.T) {
			asked, left, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
			app := func(ctx context.Context, scope *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
				if scope.Type == asgi.ScopeLifespan {
					return asgi.ErrUnsupportedScope
				}
				context.AfterFunc(ctx, func() { close(left) })
				close(asked)
				_, err := asgi.Await(context.WithoutCancel(ctx), func(func(int, error)) {})
				ended <- err
				return err
			}
			r := run(t, Config{Handler: asgi.Coroutine(app)})
			c := r.dial()
			_, err := io.WriteString(c, request)
			must(t, err)
			<-asked
			must(t, c.SetLinger(0))
			c.Close()
			<-left
			must(t, r.end())
			if err := <-ended; err == nil {
				t.Error("what never came was awaited without an error")
			}
		})
	}
}

// Who waits no longer is forgotten.
func TestSurvivorsAreForgotten(t *testing.T) {
	results, left := make(chan func(int, error), 1), make(chan struct{})
	app := func(ctx context.Context, scope *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
		if scope.Type == asgi.ScopeLifespan {
			return asgi.ErrUnsupportedScope
		}
		context.AfterFunc(ctx, func() { close(left) })
		_, err := asgi.Await(context.WithoutCancel(ctx), func(done func(int, error)) { results <- done })
		return err
	}
	r := run(t, Config{Handler: asgi.Coroutine(app), Loop: eventloop.Config{Loops: 1}})
	c := r.dial()
	_, err := io.WriteString(c, get)
	must(t, err)
	done := <-results
	must(t, c.SetLinger(0))
	c.Close()
	<-left
	w, count := r.srv.workers[0], make(chan int)
	waiting := func() int {
		w.loop.Post(func() { count <- len(w.late.waiting) })
		return <-count
	}
	if n := waiting(); n != 1 {
		t.Errorf("%d applications wait, want 1", n)
	}
	done(1, nil)
	if n := waiting(); n != 0 {
		t.Errorf("%d applications wait, want none", n)
	}
	must(t, r.end())
}
