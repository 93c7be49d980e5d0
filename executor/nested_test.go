package executor_test

import (
	"context"
	"errors"
	"testing"

	"github.com/gale-server/gale/executor"
)

// call submits fn to c from within a job, and waits for it in one of the ways.
type call func(ctx context.Context, c *executor.Class, job executor.Job) error

var calls = map[string]call{
	"Run": func(ctx context.Context, c *executor.Class, job executor.Job) error {
		_, err := executor.Run(ctx, c, func(ctx context.Context) (any, error) { return job.Run(ctx) }, job)
		return err
	},
	"Result": func(ctx context.Context, c *executor.Class, job executor.Job) error {
		f, err := c.Submit(ctx, job)
		if err != nil {
			return err
		}
		_, err = f.Result()
		return err
	},
	"Done": func(ctx context.Context, c *executor.Class, job executor.Job) error {
		f, err := c.Submit(ctx, job)
		if err != nil {
			return err
		}
		<-f.Done()
		_, err = f.Result()
		return err
	},
	"NextProgress": func(ctx context.Context, c *executor.Class, job executor.Job) error {
		f, err := c.Submit(ctx, job)
		if err != nil {
			return err
		}
		for ok := true; ok; {
			_, ok = f.NextProgress(ctx)
		}
		_, err = f.Result()
		return err
	},
}

func TestNestedDeadlock(t *testing.T) {
	for how, call := range calls {
		t.Run(how, func(t *testing.T) {
			c := one(t, executor.ClassConfig{Workers: 1, MaxQueueTime: -1})
			f := submit(t, c, context.Background(), executor.Job{Run: func(ctx context.Context) (any, error) {
				return nil, call(ctx, c, executor.Job{Run: never(t)})
			}})
			if _, err := result(t, f); !errors.Is(err, executor.ErrDeadlock) {
				t.Error(err)
			}
			if s := c.Stats(); s.Deadlocks != 1 || s.Cancelled != 1 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// All workers wait for a nested job each: the last to wait gets the error, which
// lets the others go on.
func TestNestedDeadlockOfMany(t *testing.T) {
	const workers = 4
	c := one(t, executor.ClassConfig{Workers: workers, MaxQueueTime: -1})
	all := make(chan struct{}, workers)
	together := make(chan struct{})
	var futures []*executor.Future
	for range workers {
		futures = append(futures, submit(t, c, context.Background(), executor.Job{Run: func(ctx context.Context) (any, error) {
			all <- struct{}{}
			<-together
			return executor.Run(ctx, c, func(context.Context) (int, error) { return 1, nil })
		}}))
	}
	for range workers {
		receive(t, all)
	}
	close(together)
	failed := 0
	for _, f := range futures {
		switch v, err := result(t, f); {
		case errors.Is(err, executor.ErrDeadlock):
			failed++
		case v != 1 || err != nil:
			t.Error(v, err)
		}
	}
	if failed != 1 {
		t.Errorf("%d failed", failed)
	}
}

// deep nests one job in the other, through the classes.
func deep(ctx context.Context, classes ...*executor.Class) error {
	if len(classes) == 0 {
		return nil
	}
	_, err := executor.Run(ctx, classes[0], func(ctx context.Context) (any, error) { return nil, deep(ctx, classes[1:]...) })
	return err
}

func TestNested(t *testing.T) {
	e := start(t,
		executor.ClassConfig{Name: "a", Workers: 1, MaxQueueTime: -1},
		executor.ClassConfig{Name: "b", Workers: 1, MaxQueueTime: -1},
		executor.ClassConfig{Name: "c", Workers: 2, MaxQueueTime: -1})
	a, b, c := e.Class("a"), e.Class("b"), e.Class("c")
	for _, tt := range []struct {
		name    string
		classes []*executor.Class
		ok      bool
	}{
		{"no nesting", []*executor.Class{a}, true},
		{"another class", []*executor.Class{a, b}, true},
		{"its own", []*executor.Class{a, a}, false},
		{"its own, by another", []*executor.Class{a, b, a}, false},
		{"its own with room", []*executor.Class{c, c}, true},
		{"its own with too little room", []*executor.Class{c, c, c}, false},
		{"every class", []*executor.Class{c, a, c, b}, true},
		{"every class twice", []*executor.Class{c, a, c, b, c}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			err := deep(ctx, tt.classes...)
			if tt.ok && err != nil || !tt.ok && !errors.Is(err, executor.ErrDeadlock) {
				t.Error(err)
			}
		})
	}
}

// Jobs that have nothing to do with each other may deadlock as well: one holds
// the only worker of a and waits for b, the other the other way round.
func TestNestedDeadlockAcrossClasses(t *testing.T) {
	e := start(t, executor.ClassConfig{Name: "a", Workers: 1, MaxQueueTime: -1}, executor.ClassConfig{Name: "b", Workers: 1, MaxQueueTime: -1})
	a, b := e.Class("a"), e.Class("b")
	began := make(chan struct{}, 2)
	together := make(chan struct{})
	crossing := func(to *executor.Class) executor.Job {
		return executor.Job{Run: func(ctx context.Context) (any, error) {
			began <- struct{}{}
			<-together
			return executor.Run(ctx, to, func(context.Context) (any, error) { return nil, nil })
		}}
	}
	futures := []*executor.Future{submit(t, a, context.Background(), crossing(b)), submit(t, b, context.Background(), crossing(a))}
	receive(t, began)
	receive(t, began)
	close(together)
	_, err1 := result(t, futures[0])
	_, err2 := result(t, futures[1])
	if errors.Is(err1, executor.ErrDeadlock) == errors.Is(err2, executor.ErrDeadlock) {
		t.Errorf("%v; %v", err1, err2)
	}
}

func TestNestedWaitForABusyWorkerIsNone(t *testing.T) {
	c := one(t, executor.ClassConfig{Workers: 2, MaxQueueTime: -1})
	release := hold(t, c, 1)
	waits := make(chan struct{})
	f := submit(t, c, context.Background(), executor.Job{Run: func(ctx context.Context) (any, error) {
		inner, err := c.Submit(ctx, executor.Job{Run: returns("inner")})
		if err != nil {
			return nil, err
		}
		done := inner.Done()
		close(waits)
		<-done
		return inner.Result()
	}})
	receive(t, waits)
	release()
	if v, err := result(t, f); v != "inner" || err != nil {
		t.Error(v, err)
	}
}

func TestNestedByKeyOfItself(t *testing.T) {
	c := one(t, executor.ClassConfig{Workers: 8})
	f := submit(t, c, context.Background(), executor.Job{Key: "k", Run: func(ctx context.Context) (any, error) {
		return executor.Run(ctx, c, func(context.Context) (any, error) { return nil, nil }, executor.Job{Key: "k"})
	}})
	if _, err := result(t, f); !errors.Is(err, executor.ErrDeadlock) {
		t.Error(err)
	}
}

func TestNestedWithoutBytes(t *testing.T) {
	c := one(t, executor.ClassConfig{Workers: 8, RunBytes: 100, MaxQueueTime: -1})
	f := submit(t, c, context.Background(), executor.Job{RunCost: 60, Run: func(ctx context.Context) (any, error) {
		return executor.Run(ctx, c, func(context.Context) (any, error) { return nil, nil }, executor.Job{RunCost: 60})
	}})
	if _, err := result(t, f); !errors.Is(err, executor.ErrDeadlock) {
		t.Error(err)
	}
}

func TestNestedWhenTheClassShrinks(t *testing.T) {
	c := one(t, executor.ClassConfig{Workers: 2, MaxQueueTime: -1})
	release := hold(t, c, 1)
	waits := make(chan struct{})
	f := submit(t, c, context.Background(), executor.Job{Run: func(ctx context.Context) (any, error) {
		inner, err := c.Submit(ctx, executor.Job{Run: never(t)})
		if err != nil {
			return nil, err
		}
		done := inner.Done()
		close(waits)
		<-done
		return inner.Result()
	}})
	receive(t, waits)
	c.Resize(1) // the worker that is held will not come back
	if _, err := result(t, f); !errors.Is(err, executor.ErrDeadlock) {
		t.Error(err)
	}
	release()
}

func TestContextThatOutlivesItsJob(t *testing.T) {
	c := one(t, executor.ClassConfig{Workers: 1})
	kept := make(chan context.Context, 1)
	submit(t, c, context.Background(), executor.Job{Run: func(ctx context.Context) (any, error) {
		kept <- context.WithoutCancel(ctx)
		return nil, nil
	}}).Result()
	ctx := receive(t, kept)
	release := hold(t, c, 1)
	f := submit(t, c, ctx, executor.Job{Run: returns(1)})
	done := f.Done()
	release()
	receive(t, done)
	if v, err := f.Result(); v != 1 || err != nil {
		t.Error(v, err)
	}
	if err := executor.Report(ctx, executor.Progress{}); err != nil {
		t.Error(err)
	}
}

// A job that has ended waits for nothing, whatever it said.
func TestNestedWaitOfAnEndedJob(t *testing.T) {
	c := one(t, executor.ClassConfig{Workers: 2, MaxQueueTime: -1})
	release := hold(t, c, 1)
	began, goOn := make(chan struct{}), make(chan struct{})
	ended := submit(t, c, context.Background(), executor.Job{Run: func(ctx context.Context) (any, error) {
		f, err := c.Submit(ctx, executor.Job{Run: returns(1), Priority: executor.PriorityLow})
		if err == nil {
			f.Done()
		}
		close(began)
		<-goOn
		return nil, err
	}})
	receive(t, began)
	waits := make(chan struct{})
	f := submit(t, c, context.Background(), executor.Job{Run: func(ctx context.Context) (any, error) {
		inner, err := c.Submit(ctx, executor.Job{Run: returns("inner")})
		if err != nil {
			return nil, err
		}
		done := inner.Done()
		close(waits)
		<-done
		return inner.Result()
	}})
	close(goOn)
	result(t, ended)
	receive(t, waits)
	release()
	if v, err := result(t, f); v != "inner" || err != nil {
		t.Error(v, err)
	}
}
