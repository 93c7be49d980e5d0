package executor_test

import (
	"context"
	"log/slog"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/executor"
	"github.com/gale-server/gale/internal/longtest"
)

// patience is how long a test waits for what must happen.
const patience = longtest.Patience

// start returns an executor that leaves nothing behind. However slow the machine
// is, its queues do not stand.
func start(t testing.TB, classes ...executor.ClassConfig) *executor.Executor {
	t.Helper()
	asgitest.CheckLeaks(t)
	for i := range classes {
		if classes[i].TargetDelay == 0 {
			classes[i].TargetDelay = -1
		}
	}
	e, err := executor.New(executor.Config{Classes: classes, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { finish(t, e, patience) })
	return e
}

// one returns a class of its own executor.
func one(t testing.TB, c executor.ClassConfig) *executor.Class {
	t.Helper()
	if c.Name == "" {
		c.Name = "test"
	}
	return start(t, c).Class(c.Name)
}

// finish closes an executor and looks at what it says of itself then.
func finish(t testing.TB, e *executor.Executor, patience time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := e.Close(ctx); err != nil {
		t.Error(err)
	}
	for _, s := range e.Stats() {
		if s.Running+s.Waiting+s.Unheard != 0 || s.Bytes+s.RunBytes != 0 {
			t.Errorf("after the end: %+v", s)
		}
		var late uint64
		for _, why := range []executor.Reason{executor.QueueTime, executor.Overload} {
			late += s.Rejected[why]
		}
		if s.Accepted != s.Completed+s.Cancelled+late {
			t.Errorf("accepted %d, but completed %d, cancelled %d, expired %d", s.Accepted, s.Completed, s.Cancelled, late)
		}
	}
}

// submit must be accepted.
func submit(t testing.TB, c *executor.Class, ctx context.Context, j executor.Job) *executor.Future {
	t.Helper()
	f, err := c.Submit(ctx, j)
	if err != nil {
		t.Fatalf("submit: %v", err)
	}
	return f
}

// hold has n workers of the class busy until release is called.
func hold(t testing.TB, c *executor.Class, n int) (release func()) {
	t.Helper()
	gate := make(chan struct{})
	release = sync.OnceFunc(func() { close(gate) })
	t.Cleanup(release)
	for range n {
		began := make(chan struct{})
		submit(t, c, context.Background(), executor.Job{Label: "hold", MaxQueueTime: -1, Run: func(context.Context) (any, error) {
			close(began)
			<-gate
			return nil, nil
		}})
		receive(t, began)
	}
	return release
}

func receive[T any](t testing.TB, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(patience):
		t.Fatal("nothing came")
	}
	return v
}

// eventually polls for what gives no signal.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for limit := time.Now().Add(patience); !cond(); runtime.Gosched() {
		if time.Now().After(limit) {
			t.Fatalf("never: %s", what)
		}
	}
}

// result waits for a future's result.
func result(t testing.TB, f *executor.Future) (any, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	v, err := f.Wait(ctx)
	if ctx.Err() != nil {
		t.Fatal("a future has no result")
	}
	return v, err
}

// returns is a job that returns v.
func returns(v any) executor.Func {
	return func(context.Context) (any, error) { return v, nil }
}

// untilDone is a job that ends when nobody wants it, and returns why.
func untilDone(began chan<- struct{}) executor.Func {
	return func(ctx context.Context) (any, error) {
		if began != nil {
			close(began)
		}
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
}

// never is a job that must not run.
func never(t testing.TB) executor.Func {
	return func(context.Context) (any, error) {
		t.Error("a job ran that should not")
		return nil, nil
	}
}
