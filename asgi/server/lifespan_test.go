package server

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
)

// lives is an application with the given lifespan, which answers every request
// with the state it sees.
func lives(lifespan asgi.Application) asgi.Handler {
	return asgi.Coroutine(func(ctx context.Context, s *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
		if s.Type == asgi.ScopeLifespan {
			return lifespan(ctx, s, receive, send)
		}
		body := "none"
		if s.State != nil {
			body, _ = s.State["key"].(string)
			s.State["key"] = "changed"
		}
		if err := send(ctx, &asgi.HTTPResponseStart{Status: 200}); err != nil {
			return err
		}
		return send(ctx, &asgi.HTTPResponseBody{Body: []byte(body + "!")})
	})
}

// orderly is a lifespan that goes as it should.
func orderly(ctx context.Context, s *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
	if _, err := receive(ctx); err != nil {
		return err
	}
	s.State["key"] = "value"
	if err := send(ctx, &asgi.LifespanStartupComplete{}); err != nil {
		return err
	}
	s.State["key"] = "too late"
	if _, err := receive(ctx); err != nil {
		return err
	}
	return send(ctx, &asgi.LifespanShutdownComplete{})
}

// shuts is a lifespan that starts and does as told at shutdown.
func shuts(do func(ctx context.Context, send asgi.Send) error) asgi.Application {
	return func(ctx context.Context, _ *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
		receive(ctx)
		send(ctx, &asgi.LifespanStartupComplete{})
		receive(ctx)
		return do(ctx, send)
	}
}

// https://asgi.readthedocs.io/en/latest/specs/lifespan.html
func TestLifespanServes(t *testing.T) {
	for _, test := range []struct {
		name     string
		lifespan asgi.Application
		state    string
		end      string // a part of Run's error
	}{
		{"orderly", orderly, "value", ""},
		{"raises", func(context.Context, *asgi.Scope, asgi.Receive, asgi.Send) error { return asgi.ErrUnsupportedScope }, "none", ""},
		{"returns", func(context.Context, *asgi.Scope, asgi.Receive, asgi.Send) error { return nil }, "none", ""},
		{"panics", func(context.Context, *asgi.Scope, asgi.Receive, asgi.Send) error { panic("x") }, "none", ""},
		{"raises upon startup", func(ctx context.Context, _ *asgi.Scope, receive asgi.Receive, _ asgi.Send) error {
			receive(ctx)
			return errors.New("x")
		}, "none", ""},
		{"empty state", shuts(func(ctx context.Context, send asgi.Send) error {
			return send(ctx, &asgi.LifespanShutdownComplete{})
		}), "", ""},
		{"fails to shut down", shuts(func(ctx context.Context, send asgi.Send) error {
			return send(ctx, &asgi.LifespanShutdownFailed{Message: "stuck"})
		}), "", "lifespan shutdown failed: stuck"},
		{"raises upon shutdown", shuts(func(context.Context, asgi.Send) error { return errors.New("stuck") }), "", "lifespan shutdown failed: stuck"},
		{"panics upon shutdown", shuts(func(context.Context, asgi.Send) error { panic("stuck") }), "", "panicked: stuck"},
		{"returns upon shutdown", shuts(func(context.Context, asgi.Send) error { return nil }), "", ""},
		{"sleeps upon shutdown", shuts(func(ctx context.Context, _ asgi.Send) error { return asgi.Sleep(ctx, time.Hour) }), "", "no answer within the timeout"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := Config{Handler: lives(test.lifespan)}
			if strings.Contains(test.end, "timeout") {
				cfg.LifespanTimeout = 2 * time.Second // for a start on a slow machine
			}
			r := run(t, cfg)
			c := r.dial()
			for range 2 { // the state is copied for each scope
				if out := ask(t, c, get, "!"); !strings.HasSuffix(out, "\r\n\r\n"+test.state+"!") {
					t.Fatalf("%q", out)
				}
			}
			c.Close()
			err := r.end()
			if (err == nil) != (test.end == "") || err != nil && !strings.Contains(err.Error(), test.end) {
				t.Fatalf("Run: %v, want %q", err, test.end)
			}
		})
	}
	t.Run("nil receiver", func(t *testing.T) {
		h := asgi.HandlerFunc(func(s *asgi.Scope, x asgi.Exchange) asgi.Receiver {
			if s.Type != asgi.ScopeLifespan {
				respond(t, x, 200, "ok")
			}
			return nil
		})
		r := run(t, Config{Handler: h})
		c := r.dial()
		ask(t, c, get, "ok")
		c.Close()
		must(t, r.end())
	})
}

// Told to stop while the application starts, a server ends in good order. The
// application's context is cancelled, and it is not told to shut down.
func TestStoppedWhileStarting(t *testing.T) {
	for name, form := range map[string]func(asgi.Application) asgi.Handler{
		"coroutine": asgi.Coroutine,
		"goroutine": func(app asgi.Application) asgi.Handler { return asgi.Goroutine(app, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			began, ended := make(chan struct{}), make(chan error, 1)
			r := run(t, Config{Handler: form(func(ctx context.Context, _ *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
				receive(ctx)
				close(began)
				ev, err := receive(ctx)
				if err == nil {
					err = errors.New("got " + ev.EventType())
				}
				ended <- err
				return err
			})})
			select {
			case <-began:
			case err := <-r.done:
				t.Fatal("Run returns", err)
			}
			must(t, r.end())
			if err := <-ended; !errors.Is(err, context.Canceled) && !errors.Is(err, asgi.ErrDisconnected) {
				t.Fatalf("the application gets %v", err)
			}
		})
	}
	t.Run("before", func(t *testing.T) {
		wantNoLeaks(t)
		srv, err := New(Config{Handler: asgi.HandlerFunc(func(*asgi.Scope, asgi.Exchange) asgi.Receiver {
			t.Error("the application is opened")
			return nil
		})})
		must(t, err)
		_, err = srv.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		must(t, srv.Run(ctx))
	})
}

func TestLifespanDoesNotStart(t *testing.T) {
	failed := func(ctx context.Context, _ *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
		receive(ctx)
		send(ctx, &asgi.LifespanStartupFailed{Message: "no database"})
		_, err := receive(ctx)
		return err
	}
	sleeps := func(ctx context.Context, _ *asgi.Scope, receive asgi.Receive, _ asgi.Send) error {
		receive(ctx)
		return asgi.Sleep(ctx, time.Hour)
	}
	awaits := func(ctx context.Context, _ *asgi.Scope, receive asgi.Receive, _ asgi.Send) error {
		_, err := asgi.Await(ctx, func(func(int, error)) {})
		return err
	}
	t.Run("failed", func(t *testing.T) {
		r := run(t, Config{Handler: lives(failed)})
		if err := r.wait(); err == nil || err.Error() != "server: lifespan startup failed: no database" {
			t.Fatal(err)
		}
	})
	for name, app := range map[string]asgi.Application{"sleeps": sleeps, "awaits": awaits} {
		t.Run(name+" too long", func(t *testing.T) {
			r := run(t, Config{Handler: lives(app), LifespanTimeout: 50 * time.Millisecond})
			if err := r.wait(); err == nil || !strings.Contains(err.Error(), "lifespan startup: no answer within the timeout") {
				t.Fatal(err)
			}
		})
		t.Run(name+" and is cancelled", func(t *testing.T) {
			r := run(t, Config{Handler: lives(app)})
			must(t, r.end())
		})
	}
	t.Run("on a goroutine", func(t *testing.T) {
		waits := func(ctx context.Context, _ *asgi.Scope, receive asgi.Receive, _ asgi.Send) error {
			receive(ctx)
			_, err := receive(ctx)
			return err
		}
		r := run(t, Config{Handler: asgi.Goroutine(waits, nil)})
		must(t, r.end())
	})
}
