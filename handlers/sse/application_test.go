package sse_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/handlers/sse"
)

// forms are the ways to run an application.
var forms = map[string]func(sse.Application, *sse.Options) asgi.Handler{
	"coroutine": sse.Coroutine,
	"goroutine": func(app sse.Application, o *sse.Options) asgi.Handler { return sse.Goroutine(app, nil, o) },
}

func inForms(t *testing.T, test func(t *testing.T, form func(sse.Application, *sse.Options) asgi.Handler)) {
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			asgitest.CheckLeaks(t)
			test(t, form)
		})
	}
}

// plain has no retry, so that a stream is what the test says.
var plain = &sse.Options{Retry: -1}

// sends waits until the stream is so, as body has it.
func sends(t *testing.T, x *asgitest.Exchange, want string) {
	t.Helper()
	x.Wait("the stream", func() bool { return len(body(x)) >= len(want) })
	if body(x) != want {
		t.Fatalf("%q, want %q", body(x), want)
	}
}

func request(t *testing.T, h asgi.Handler, headers ...asgi.Header) *asgitest.Exchange {
	t.Helper()
	x := asgitest.New(t, h, asgitest.HTTPScope("POST", "/?n=2", headers...))
	x.Deliver(&asgi.HTTPRequest{Body: []byte("body")})
	return x
}

const end = "id: end\nevent: end\ndata: {}\n\nEND"

func TestApplication(t *testing.T) {
	inForms(t, func(t *testing.T, form func(sse.Application, *sse.Options) asgi.Handler) {
		h := form(func(ctx context.Context, scope *asgi.Scope, receive asgi.Receive, w *sse.Writer) error {
			ev, err := receive(ctx)
			if err != nil {
				return err
			}
			for i := range 2 {
				if err := w.Send(ctx, &sse.Event{Data: fmt.Appendf(nil, "%s %s\n%d", scope.QueryString, ev.(*asgi.HTTPRequest).Body, i)}); err != nil {
					return err
				}
			}
			if err := w.Send(ctx, &sse.Event{ID: "\n"}); err == nil {
				t.Error("a malformed event was sent")
			}
			return w.SendEncoded(ctx, []byte("data: x\n\n"))
		}, plain)
		x := request(t, h)
		sends(t, x, ":\n\ndata: n=2 body\ndata: 0\n\ndata: n=2 body\ndata: 1\n\ndata: x\n\n"+end)
		if r := x.Response(); r.Status != 200 || r.Header("content-type") != "text/event-stream" {
			t.Errorf("%+v", r)
		}
		if err := x.WaitEnded(); err != nil {
			t.Error(err)
		}
		if r := request(t, h, asgi.Header{Name: "last-event-id", Value: "end"}).Response(); r.Status != 204 || !r.Complete {
			t.Errorf("who has seen the end gets %d", r.Status)
		}
	})
}

// An application that sends nothing has a stream all the same.
func TestApplicationEmpty(t *testing.T) {
	inForms(t, func(t *testing.T, form func(sse.Application, *sse.Options) asgi.Handler) {
		sends(t, request(t, form(func(context.Context, *asgi.Scope, asgi.Receive, *sse.Writer) error { return nil }, plain)), ":\n\n"+end)
		h := form(func(context.Context, *asgi.Scope, asgi.Receive, *sse.Writer) error {
			t.Error("HEAD runs the application")
			return nil
		}, nil)
		x := asgitest.New(t, h, asgitest.HTTPScope("HEAD", "/"))
		if r := x.Response(); r.Status != 200 || !r.Complete || len(r.Body) > 0 {
			t.Errorf("%+v", r)
		}
		life := asgitest.New(t, h, asgitest.LifespanScope())
		if err := life.WaitEnded(); err != asgi.ErrUnsupportedScope {
			t.Error(err)
		}
	})
}

func TestApplicationFails(t *testing.T) {
	failure := errors.New("no")
	inForms(t, func(t *testing.T, form func(sse.Application, *sse.Options) asgi.Handler) {
		x := request(t, form(func(context.Context, *asgi.Scope, asgi.Receive, *sse.Writer) error { return failure }, nil))
		if err := x.WaitEnded(); err != failure || x.Response().Status != 0 {
			t.Errorf("%v, %d: the server cannot answer with a status", err, x.Response().Status)
		}
		x = request(t, form(func(ctx context.Context, _ *asgi.Scope, _ asgi.Receive, w *sse.Writer) error {
			if err := w.Start(ctx); err != nil {
				return err
			}
			return failure
		}, plain))
		if err := x.WaitEnded(); err != failure || body(x) != ":\n\n" {
			t.Errorf("%v, %q: it is not cut off", err, body(x))
		}
	})
}

// The application is held up by a client that does not read.
func TestApplicationBackPressure(t *testing.T) {
	inForms(t, func(t *testing.T, form func(sse.Application, *sse.Options) asgi.Handler) {
		const events = 2000
		goOn := make(chan struct{})
		x := request(t, form(func(ctx context.Context, _ *asgi.Scope, _ asgi.Receive, w *sse.Writer) error {
			if err := w.Start(ctx); err != nil {
				return err
			}
			if _, err := asgi.Await(ctx, func(done func(int, error)) {
				go func() { // ends with the channel
					<-goOn
					done(0, nil)
				}()
			}); err != nil {
				return err
			}
			for range events {
				if err := w.Send(ctx, &sse.Event{Data: []byte(strings.Repeat("x", 1000))}); err != nil {
					return err
				}
			}
			return nil
		}, plain))
		sends(t, x, ":\n\n")
		x.Congest()
		close(goOn)
		x.Run()
		for !x.Response().Complete {
			if n := x.Buffered(); n > 300<<10 {
				t.Fatalf("%d bytes are sent to a client that reads nothing", n)
			}
			x.Drain()
			if before := len(body(x)); !x.Response().Complete {
				x.Wait("more", func() bool { return len(body(x)) > before || x.Response().Complete })
				x.Congest()
			}
		}
		if n := strings.Count(body(x), "data: x"); n != events {
			t.Errorf("%d events", n)
		}
	})
}

func TestApplicationDisconnect(t *testing.T) {
	inForms(t, func(t *testing.T, form func(sse.Application, *sse.Options) asgi.Handler) {
		ended := make(chan error, 2)
		x := request(t, form(func(ctx context.Context, _ *asgi.Scope, _ asgi.Receive, w *sse.Writer) error {
			if err := w.Start(ctx); err != nil {
				return err
			}
			_, err := asgi.Await(ctx, func(func(int, error)) {})
			ended <- err
			ended <- w.Send(ctx, &sse.Event{Data: []byte("x")})
			return err
		}, plain))
		sends(t, x, ":\n\n")
		x.Deliver(&asgi.HTTPDisconnect{})
		if err := x.WaitEnded(); !errors.Is(err, asgi.ErrDisconnected) {
			t.Error(err)
		}
		for range 2 {
			if err := <-ended; !errors.Is(err, asgi.ErrDisconnected) {
				t.Error(err)
			}
		}
	})
}

// waiting is an application that waits for what never comes.
func waiting(causes chan<- error) sse.Application {
	return func(ctx context.Context, _ *asgi.Scope, _ asgi.Receive, w *sse.Writer) error {
		if err := w.Send(ctx, &sse.Event{Data: []byte("a")}); err != nil {
			return err
		}
		_, err := asgi.Await(ctx, func(func(int, error)) {})
		causes <- err
		if again := w.Send(ctx, &sse.Event{Data: []byte("after")}); again != err {
			causes <- again
		}
		return err
	}
}

func TestApplicationHeartbeats(t *testing.T) {
	inForms(t, func(t *testing.T, form func(sse.Application, *sse.Options) asgi.Handler) {
		causes := make(chan error, 2)
		x := request(t, form(waiting(causes), &sse.Options{Retry: -1, Heartbeat: 8 * time.Second, MaxAge: time.Minute}))
		want := ":\n\ndata: a\n\n"
		sends(t, x, want)
		x.Advance(8 * time.Second)
		sends(t, x, want)
		x.Advance(8 * time.Second)
		want += ":\n\n"
		sends(t, x, want)
		x.Congest()
		x.Advance(20 * time.Second)
		sends(t, x, want)
		x.Drain()
		x.Advance(24 * time.Second)
		x.Wait("the end", func() bool { return x.Response().Complete })
		rest, ok := strings.CutPrefix(body(x), want)
		if beats, whole := strings.CutSuffix(rest, "END"); !ok || !whole || strings.Trim(beats, ":\n") != "" || beats == "" {
			t.Errorf("%q", body(x))
		}
		if err := x.WaitEnded(); err != nil || <-causes != sse.ErrTooOld || len(causes) > 0 {
			t.Errorf("%v", err)
		}
	})
}

// What the application sends puts the next heartbeat off.
func TestApplicationTraffic(t *testing.T) {
	inForms(t, func(t *testing.T, form func(sse.Application, *sse.Options) asgi.Handler) {
		x := asgitest.New(t, form(func(ctx context.Context, _ *asgi.Scope, receive asgi.Receive, w *sse.Writer) error {
			for {
				if ev, err := receive(ctx); err != nil || ev.EventType() == "http.disconnect" {
					return err
				}
				if err := w.Send(ctx, &sse.Event{Data: []byte("a")}); err != nil {
					return err
				}
			}
		}, &sse.Options{Retry: -1, Heartbeat: 8 * time.Second}), asgitest.HTTPScope("POST", "/"))
		want := ":\n\n"
		for range 5 {
			x.Deliver(&asgi.HTTPRequest{Body: []byte("more"), MoreBody: true})
			want += "data: a\n\n"
			sends(t, x, want)
			x.Advance(6 * time.Second)
			sends(t, x, want)
		}
		x.Advance(10 * time.Second)
		if !strings.HasPrefix(body(x), want+":\n\n") {
			t.Errorf("%q", body(x))
		}
	})
}

func TestApplicationDrain(t *testing.T) {
	inForms(t, func(t *testing.T, form func(sse.Application, *sse.Options) asgi.Handler) {
		causes := make(chan error, 2)
		x := request(t, form(waiting(causes), &sse.Options{Heartbeat: -1, MaxAge: -1}))
		x.Wait("the event", func() bool { return strings.Contains(body(x), "data: a\n\n") })
		x.Deliver(&asgi.Drain{Deadline: time.Now().Add(time.Minute)})
		x.Wait("the end", func() bool { return x.Response().Complete })
		_, rest, _ := strings.Cut(body(x), "data: a\n\n")
		if rest = retryOf(t, rest, 5000, 10000); rest != "END" {
			t.Errorf("%q", rest)
		}
		if err := x.WaitEnded(); err != nil || <-causes != sse.ErrDraining || len(causes) > 0 {
			t.Error(err)
		}

		x = request(t, form(waiting(causes), &sse.Options{Retry: -1, Heartbeat: -1, Drain: sse.DrainFinishes}))
		sends(t, x, ":\n\ndata: a\n\n")
		x.Deliver(&asgi.Drain{Deadline: time.Now().Add(30 * time.Second)})
		x.Advance(28 * time.Second)
		sends(t, x, ":\n\ndata: a\n\n")
		x.Advance(time.Second)
		sends(t, x, ":\n\ndata: a\n\nEND")
		if err := <-causes; err != sse.ErrDraining {
			t.Error(err)
		}
	})
}

// A drain that comes before the application has begun ends it all the same.
func TestApplicationDrainEarly(t *testing.T) {
	asgitest.CheckLeaks(t)
	var task func()
	h := sse.Goroutine(func(ctx context.Context, _ *asgi.Scope, _ asgi.Receive, w *sse.Writer) error {
		return w.Start(ctx)
	}, func(fn func()) error { task = fn; return nil }, plain)
	x := request(t, h)
	x.Deliver(&asgi.Drain{Deadline: time.Now().Add(time.Minute)})
	task()
	sends(t, x, ":\n\nEND")
}
