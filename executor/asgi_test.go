package executor_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/executor"
)

var _ executor.Poster = asgi.Exchange(nil)

// ask is an application that has each message worked on, in coroutine form.
func ask(c *executor.Class, work func(ctx context.Context, text string) (string, error), failed func(error)) asgi.Application {
	return func(ctx context.Context, _ *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
		for {
			ev, err := receive(ctx)
			if err != nil {
				return err
			}
			var out asgi.SendEvent
			switch e := ev.(type) {
			case *asgi.WebSocketConnect:
				out = &asgi.WebSocketAccept{}
			case *asgi.WebSocketReceive:
				answer, err := executor.Run(ctx, c, func(ctx context.Context) (string, error) { return work(ctx, string(e.Data)) })
				if err != nil {
					failed(err)
					return err
				}
				out = &asgi.WebSocketSend{Data: []byte(answer)}
			default:
				return nil
			}
			if err := send(ctx, out); err != nil {
				return err
			}
		}
	}
}

func TestCoroutineAwaits(t *testing.T) {
	c := one(t, executor.ClassConfig{Workers: 2})
	start, end := make(chan struct{}, 2), make(chan struct{})
	app := ask(c, func(_ context.Context, text string) (string, error) {
		start <- struct{}{}
		<-end
		return "<" + text + ">", nil
	}, func(err error) { t.Error(err) })
	// Two connections of one loop: neither waits for the other's job.
	var xs []*asgitest.Exchange
	for i := range 2 {
		x := asgitest.New(t, asgi.Coroutine(app), asgitest.WebSocketScope("/"))
		x.Deliver(&asgi.WebSocketConnect{}, &asgi.WebSocketReceive{Data: []byte(fmt.Sprint(i))})
		xs = append(xs, x)
	}
	receive(t, start)
	receive(t, start)
	close(end)
	for i, x := range xs {
		sent := x.WaitSent(2)
		if got := string(sent[1].(*asgi.WebSocketSend).Data); got != fmt.Sprintf("<%d>", i) {
			t.Errorf("connection %d got %s", i, got)
		}
		x.Deliver(&asgi.WebSocketDisconnect{})
		x.WaitEnded()
	}
}

func TestDisconnectEndsTheAwait(t *testing.T) {
	c := one(t, executor.ClassConfig{Workers: 1})
	told := make(chan error, 1)
	began := make(chan struct{})
	var failure error
	app := ask(c, func(ctx context.Context, _ string) (string, error) {
		close(began)
		<-ctx.Done()
		told <- context.Cause(ctx)
		return "", nil
	}, func(err error) { failure = err })
	x := asgitest.New(t, asgi.Coroutine(app), asgitest.WebSocketScope("/"))
	x.Deliver(&asgi.WebSocketConnect{}, &asgi.WebSocketReceive{})
	receive(t, began)
	x.Deliver(&asgi.WebSocketDisconnect{})
	x.WaitEnded()
	if err := receive(t, told); err != asgi.ErrDisconnected || failure != asgi.ErrDisconnected {
		t.Errorf("the job was told %v, the application %v", err, failure)
	}
	eventually(t, "the job's end", func() bool { return c.Stats().Running == 0 })
}

func TestCoroutineGetsProgress(t *testing.T) {
	c := one(t, executor.ClassConfig{})
	app := func(ctx context.Context, _ *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
		if _, err := receive(ctx); err != nil {
			return err
		}
		if err := send(ctx, &asgi.WebSocketAccept{}); err != nil {
			return err
		}
		f, err := c.Submit(ctx, executor.Job{Reports: 1, Run: func(ctx context.Context) (any, error) {
			for n := range 5 {
				percent(ctx, n)
			}
			return "end", nil
		}})
		if err != nil {
			return err
		}
		var text string
		for p, ok := f.NextProgress(ctx); ok; p, ok = f.NextProgress(ctx) {
			text += fmt.Sprint(p.Percent)
		}
		v, err := f.Wait(ctx)
		if err != nil {
			return err
		}
		return send(ctx, &asgi.WebSocketSend{Data: fmt.Append(nil, text, v)})
	}
	x := asgitest.New(t, asgi.Coroutine(app), asgitest.WebSocketScope("/"))
	x.Deliver(&asgi.WebSocketConnect{})
	sent := x.WaitSent(2)
	if got := string(sent[1].(*asgi.WebSocketSend).Data); got != "01234end" {
		t.Errorf("sent %s", got)
	}
	x.WaitEnded()
}

// An application that is refused ends its request with what the error says.
func TestSaturatedApplication(t *testing.T) {
	c := one(t, executor.ClassConfig{Workers: 1, QueueJobs: -1})
	release := hold(t, c, 1)
	app := ask(c, func(context.Context, string) (string, error) { return "", nil }, func(error) {})
	x := asgitest.New(t, asgi.Coroutine(app), asgitest.WebSocketScope("/"))
	x.Deliver(&asgi.WebSocketConnect{}, &asgi.WebSocketReceive{})
	var of interface{ CloseCode() int }
	if err := x.WaitEnded(); !errors.As(err, &of) || of.CloseCode() != 1013 {
		t.Error(err)
	}
	release()
}

// Handlers that block, on the workers of a class.
func TestSerialOnAClass(t *testing.T) {
	c := one(t, executor.ClassConfig{Workers: 1})
	h := asgi.Serial(asgi.HandlerFunc(func(_ *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		f, err := c.Submit(context.Background(), executor.Job{Run: returns("worked")})
		if err != nil {
			t.Error(err)
		}
		f.Notify(x, func(v any, _ error) {
			x.Send(&asgi.HTTPResponseStart{Status: 200})
			x.Send(&asgi.HTTPResponseBody{Body: []byte(v.(string))})
			x.End(nil)
		}, nil)
		return nil
	}), c.Go)
	if r := asgitest.Get(t, h, "/"); r.Status != 200 || string(r.Body) != "worked" {
		t.Errorf("%+v", r)
	}
}
