package nethttp_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/nethttp"
)

// Told to stop while the application starts, a server ends in good order. The
// application's context is cancelled, and it is not told to shut down.
func TestStoppedWhileStarting(t *testing.T) {
	for name, form := range map[string]func(asgi.Application) asgi.Handler{
		"coroutine": asgi.Coroutine,
		"goroutine": func(app asgi.Application) asgi.Handler { return asgi.Goroutine(app, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			began, ended := make(chan struct{}), make(chan error, 1)
			_, stop := start(t, nethttp.Config{Handler: form(func(ctx context.Context, _ *asgi.Scope, receive asgi.Receive, _ asgi.Send) error {
				receive(ctx)
				close(began)
				ev, err := receive(ctx)
				if err == nil {
					err = errors.New("got " + ev.EventType())
				}
				ended <- err
				return err
			})})
			<-began
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; !errors.Is(err, context.Canceled) && !errors.Is(err, asgi.ErrDisconnected) {
				t.Fatalf("the application gets %v", err)
			}
		})
	}
}

// An application that fails in answer to lifespan.shutdown makes Run fail.
func TestLifespanShutdownRaises(t *testing.T) {
	started := make(chan struct{})
	_, stop := start(t, nethttp.Config{Handler: asgi.Coroutine(func(ctx context.Context, _ *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
		receive(ctx)
		if err := send(ctx, &asgi.LifespanStartupComplete{}); err != nil {
			return err
		}
		close(started)
		receive(ctx)
		return errors.New("stuck")
	})})
	<-started
	if err := stop(); err == nil || !strings.Contains(err.Error(), "nethttp: lifespan shutdown failed: stuck") {
		t.Fatal(err)
	}
}
