package executor_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gale-server/gale/executor"
)

func TestKeyRunsOnce(t *testing.T) {
	c := one(t, executor.ClassConfig{Workers: 1, QueueJobs: 1000})
	release := hold(t, c, 1)
	var runs atomic.Int32
	job := executor.Job{Key: "k", Client: "x", Run: func(context.Context) (any, error) {
		return runs.Add(1), nil
	}}
	var all []*executor.Future
	gone := errors.New("gone")
	ctx, disconnect := context.WithCancelCause(context.Background())
	first := submit(t, c, ctx, job) // whose context the run must not depend on
	for range 100 {
		all = append(all, submit(t, c, context.Background(), job))
	}
	if s := c.Stats(); s.Waiting != 1 || s.Accepted != 2 || s.Joined != 100 {
		t.Errorf("%+v", s)
	}
	disconnect(gone)
	if _, err := result(t, first); err != gone {
		t.Error(err)
	}
	all[7].Cancel()
	release()
	for i, f := range all {
		v, err := result(t, f)
		if i == 7 && err != context.Canceled || i != 7 && (v != int32(1) || err != nil) {
			t.Errorf("%d: %v, %v", i, v, err)
		}
	}
	if v, _ := result(t, submit(t, c, context.Background(), job)); v != int32(2) {
		t.Error("a key is remembered after its job")
	}
}

func TestKeyJoinsWhatRuns(t *testing.T) {
	c := one(t, executor.ClassConfig{})
	began, end := make(chan struct{}), make(chan struct{})
	job := executor.Job{Key: "k", Run: func(context.Context) (any, error) {
		close(began)
		<-end
		return "once", nil
	}}
	a := submit(t, c, context.Background(), job)
	receive(t, began)
	b := submit(t, c, context.Background(), job)
	a.Cancel()
	close(end)
	if v, err := result(t, b); v != "once" || err != nil {
		t.Error(v, err)
	}
}

func TestLastToCancelEndsTheFlight(t *testing.T) {
	c := one(t, executor.ClassConfig{Workers: 2})
	began, told, end := make(chan struct{}), make(chan struct{}), make(chan struct{})
	job := executor.Job{Key: "k", Run: func(ctx context.Context) (any, error) {
		close(began)
		<-ctx.Done()
		close(told)
		<-end
		return "old", nil
	}}
	ctx, cancel := context.WithCancel(context.Background())
	a := submit(t, c, ctx, job)
	b := submit(t, c, context.Background(), job)
	receive(t, began)
	cancel()
	if _, err := result(t, a); err != context.Canceled {
		t.Error(err)
	}
	select {
	case <-told:
		t.Error("told while somebody waits")
	default:
	}
	b.Cancel()
	receive(t, told)
	// Nobody joins a run that was told to end.
	job.Run = returns("new")
	if v, err := result(t, submit(t, c, context.Background(), job)); v != "new" || err != nil {
		t.Error(v, err)
	}
	close(end)
}

func TestJoiningPromotes(t *testing.T) {
	c := one(t, executor.ClassConfig{Workers: 1})
	release := hold(t, c, 1)
	var order []string
	job := func(name string, p executor.Priority) executor.Job {
		return executor.Job{Key: name, Priority: p, Run: func(context.Context) (any, error) {
			order = append(order, name)
			return nil, nil
		}}
	}
	for _, j := range []executor.Job{job("low", executor.PriorityLow), job("normal", 0), job("low", executor.PriorityHigh), job("normal", executor.PriorityLow)} {
		submit(t, c, context.Background(), j)
	}
	last := submit(t, c, context.Background(), executor.Job{Run: returns(nil), Priority: executor.PriorityLow})
	release()
	result(t, last)
	if got := strings.Join(order, " "); got != "low normal" {
		t.Errorf("ran %s", got)
	}
}

func TestKeyWithTwoTypes(t *testing.T) {
	c := one(t, executor.ClassConfig{Workers: 1})
	release := hold(t, c, 1)
	f := submit(t, c, context.Background(), executor.Job{Key: "k", Run: returns("text")})
	errs := make(chan error, 1)
	go func() {
		_, err := executor.Run(context.Background(), c, func(context.Context) (int, error) { return 1, nil }, executor.Job{Key: "k"})
		errs <- err
	}()
	eventually(t, "a second waiter", func() bool { return c.Stats().Joined == 1 })
	release()
	result(t, f)
	if err := receive(t, errs); err == nil || !strings.Contains(err.Error(), `"k" returned string, not int`) {
		t.Error(err)
	}
}
