package server

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/eventloop"
)

// A handler that blocks its loop does not hold up Run beyond the drain: the error
// names it.
func TestRunEndsBesideWhoBlocks(t *testing.T) {
	type held struct {
		entered, free chan struct{}
	}
	wantNoLeaks(t)
	var beside sync.WaitGroup // Run waits for time to pass
	for name, handler := range map[string]func(h held) asgi.Handler{
		"event": func(h held) asgi.Handler {
			return asgi.HandlerFunc(func(s *asgi.Scope, x asgi.Exchange) asgi.Receiver {
				if s.Type == asgi.ScopeLifespan {
					x.End(asgi.ErrUnsupportedScope)
					return nil
				}
				blockOn(h.entered, h.free)
				return nil
			})
		},
		"coroutine": func(h held) asgi.Handler {
			return asgi.Coroutine(func(_ context.Context, s *asgi.Scope, _ asgi.Receive, _ asgi.Send) error {
				if s.Type != asgi.ScopeLifespan {
					blockOn(h.entered, h.free)
				}
				return nil
			})
		},
		"lifespan shutdown": func(h held) asgi.Handler {
			close(h.entered)
			h.entered = make(chan struct{})
			return asgi.Coroutine(func(ctx context.Context, s *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
				if s.Type == asgi.ScopeLifespan {
					receive(ctx)
					send(ctx, &asgi.LifespanStartupComplete{})
					receive(ctx)
					blockOn(h.entered, h.free)
				}
				return nil
			})
		},
	} {
		beside.Go(func() {
			t.Run(name, func(t *testing.T) {
				h := held{make(chan struct{}), make(chan struct{})}
				r := runBeside(t, Config{
					Handler: handler(h), DrainTimeout: 10 * time.Millisecond,
					LifespanTimeout: 3 * time.Second, // in which the application is told of the shutdown, on a slow machine
					Loop:            eventloop.Config{Loops: 2},
				})
				c := r.dial()
				_, err := c.Write([]byte(get))
				must(t, err)
				<-h.entered
				if name == "lifespan shutdown" { // the application has started once it answers
					_, err := c.Read(make([]byte, 1))
					must(t, err)
				}
				err = r.end()
				close(h.free) // the loop stops by itself
				var blocked *eventloop.HeldError
				if !errors.As(err, &blocked) || !strings.Contains(err.Error(), "server.blockOn (") {
					t.Error(err)
				}
			})
		})
	}
	beside.Wait()
}

// One that blocks off the loop costs its exchange.
func TestRunEndsBesideWhoBlocksOffTheLoop(t *testing.T) {
	entered, free := make(chan struct{}), make(chan struct{})
	app := func(_ context.Context, s *asgi.Scope, _ asgi.Receive, _ asgi.Send) error {
		if s.Type != asgi.ScopeLifespan {
			blockOn(entered, free)
		}
		return nil
	}
	r := run(t, Config{Handler: asgi.Goroutine(app, nil), DrainTimeout: 10 * time.Millisecond})
	c := r.dial()
	_, err := c.Write([]byte(get))
	must(t, err)
	<-entered
	if err := r.end(); err == nil || !strings.Contains(err.Error(), "1 exchanges dropped") {
		t.Error(err)
	}
	close(free)
}

//go:noinline
func blockOn(entered, free chan struct{}) {
	close(entered)
	<-free
}
