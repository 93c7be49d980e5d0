package executor_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gale-server/gale/executor"
)

// lasts takes d, unless the job is cancelled before.
func lasts(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

func TestShutdownWaits(t *testing.T) {
	inBubble(t, executor.Config{Classes: []executor.ClassConfig{{Name: "test", Workers: 2}}}, func(t *testing.T, e *executor.Executor) {
		c := e.Class("test")
		began := time.Now()
		var all []*executor.Future
		for range 10 {
			all = append(all, submit(t, c, context.Background(), executor.Job{Run: func(ctx context.Context) (any, error) {
				if err := lasts(ctx, time.Second); err != nil {
					return nil, err
				}
				// What a job needs to end is accepted to the end.
				return executor.Run(ctx, e.Class(executor.Blocking), func(ctx context.Context) (int, error) { return 1, lasts(ctx, time.Second) })
			}}))
		}
		done := make(chan error)
		go func() { done <- e.Shutdown(context.Background()) }()
		synctest.Wait()
		if _, err := c.Submit(context.Background(), executor.Job{Run: never(t)}); err != executor.ErrClosed {
			t.Errorf("submitted: %v", err)
		}
		if err := c.Go(func() {}); err != executor.ErrClosed {
			t.Errorf("submitted: %v", err)
		}
		if c.Stats().Closed != 2 {
			t.Errorf("%+v", c.Stats())
		}
		if err := <-done; err != nil || time.Since(began) != 10*time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		for _, f := range all {
			if v, err := f.Result(); v != 1 || err != nil {
				t.Error(v, err)
			}
		}
		if err := e.Shutdown(context.Background()); err != nil {
			t.Errorf("again: %v", err)
		}
		if _, err := c.Submit(context.Background(), executor.Job{Run: never(t)}); err != executor.ErrClosed {
			t.Errorf("submitted: %v", err)
		}
	})
}

func TestCloseDropsWhatWaits(t *testing.T) {
	inBubble(t, executor.Config{Classes: []executor.ClassConfig{{Name: "test", Workers: 1}}}, func(t *testing.T, e *executor.Executor) {
		c := e.Class("test")
		runs := submit(t, c, context.Background(), executor.Job{Run: func(ctx context.Context) (any, error) { return 1, lasts(ctx, time.Second) }})
		synctest.Wait()
		waits := submit(t, c, context.Background(), executor.Job{Run: never(t)})
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if v, err := runs.Result(); v != 1 || err != nil {
			t.Error(v, err)
		}
		if _, err := waits.Result(); err != executor.ErrClosed {
			t.Error(err)
		}
	})
}

func TestShutdownDeadline(t *testing.T) {
	inBubble(t, executor.Config{Classes: []executor.ClassConfig{{Name: "test", Workers: 2, CPU: true}}}, func(t *testing.T, e *executor.Executor) {
		c := e.Class("test")
		told := make(chan error, 1)
		obeys := submit(t, c, context.Background(), executor.Job{Run: func(ctx context.Context) (any, error) {
			<-ctx.Done()
			told <- context.Cause(ctx)
			return nil, nil
		}})
		stubborn := submit(t, c, context.Background(), executor.Job{Run: takes(time.Minute)})
		synctest.Wait()
		waits := submit(t, c, context.Background(), executor.Job{Run: never(t)})
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		began := time.Now()
		if err := e.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		for _, f := range []*executor.Future{obeys, stubborn, waits} {
			if _, err := f.Result(); err != executor.ErrClosed {
				t.Error(err)
			}
		}
		if err := <-told; err != executor.ErrClosed {
			t.Errorf("told %v", err)
		}
		if err := e.Shutdown(context.Background()); err != nil || time.Since(began) != time.Minute {
			t.Errorf("a second wait ended after %v: %v", time.Since(began), err)
		}
	})
}

func TestCancelQueued(t *testing.T) {
	c := one(t, executor.ClassConfig{Workers: 1})
	release := hold(t, c, 1)
	var all []*executor.Future
	for range 10 {
		all = append(all, submit(t, c, context.Background(), executor.Job{Run: never(t)}))
	}
	if n := c.CancelQueued(); n != 10 {
		t.Errorf("%d were cancelled", n)
	}
	for _, f := range all {
		if _, err := result(t, f); err != context.Canceled {
			t.Error(err)
		}
	}
	release()
	if v, err := result(t, submit(t, c, context.Background(), executor.Job{Run: returns(1)})); v != 1 || err != nil {
		t.Error(v, err)
	}
}

func TestShutdownOfWhatNeverRan(t *testing.T) {
	e := start(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := e.Shutdown(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}
