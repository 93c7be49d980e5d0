package executor_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gale-server/gale/executor"
)

func percent(ctx context.Context, n int) error {
	return executor.Report(ctx, executor.Progress{Percent: n, Partial: n})
}

func TestLatestReportWins(t *testing.T) {
	c := one(t, executor.ClassConfig{})
	reported, end := make(chan struct{}), make(chan struct{})
	f := submit(t, c, context.Background(), executor.Job{Run: func(ctx context.Context) (any, error) {
		for n := range 100 {
			if err := percent(ctx, n); err != nil {
				return nil, err
			}
		}
		close(reported)
		<-end
		return "done", percent(ctx, 100)
	}})
	receive(t, reported)
	if p, ok := f.NextProgress(context.Background()); !ok || p.Percent != 99 || p.Partial != 99 {
		t.Errorf("%+v, %v", p, ok)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if p, ok := f.NextProgress(ctx); ok {
		t.Errorf("%+v", p)
	}
	close(end)
	result(t, f)
	if p, ok := f.NextProgress(context.Background()); !ok || p.Percent != 100 { // it waits after the end, too
		t.Errorf("%+v, %v", p, ok)
	}
	if p, ok := f.NextProgress(context.Background()); ok {
		t.Errorf("%+v", p)
	}
	if err := percent(context.Background(), 1); err != nil {
		t.Errorf("outside of a job: %v", err)
	}
}

func TestReportsBlock(t *testing.T) {
	c := one(t, executor.ClassConfig{})
	const room, all = 3, 20
	var mu sync.Mutex
	sent := 0
	f := submit(t, c, context.Background(), executor.Job{Reports: room, Run: func(ctx context.Context) (any, error) {
		for n := range all {
			if err := percent(ctx, n); err != nil {
				return nil, err
			}
			mu.Lock()
			sent++
			mu.Unlock()
		}
		return nil, nil
	}})
	for n := range all {
		p, ok := f.NextProgress(context.Background())
		if !ok || p.Percent != n {
			t.Fatalf("%+v, %v, want %d", p, ok, n)
		}
		mu.Lock()
		if ahead := sent - n - 1; ahead > room {
			t.Errorf("the job is %d reports ahead", ahead)
		}
		mu.Unlock()
	}
	if _, ok := f.NextProgress(context.Background()); ok {
		t.Error("more reports than were made")
	}
}

func TestBlockedReportEnds(t *testing.T) {
	gone := errors.New("gone")
	for name, end := range map[string]func(f *executor.Future, disconnect context.CancelCauseFunc){
		"by the context": func(_ *executor.Future, disconnect context.CancelCauseFunc) { disconnect(gone) },
		"by Cancel":      func(f *executor.Future, _ context.CancelCauseFunc) { f.Cancel() },
		"by a loop that has stopped": func(f *executor.Future, _ context.CancelCauseFunc) {
			f.Notify(stopped{}, func(any, error) { t.Error("called") }, func(executor.Progress) { t.Error("called") })
		},
		"by a watcher that wants no progress": func(f *executor.Future, _ context.CancelCauseFunc) {
			f.Notify(inline{}, func(any, error) {}, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := one(t, executor.ClassConfig{})
			full, over := make(chan struct{}), make(chan error, 1)
			ctx, disconnect := context.WithCancelCause(context.Background())
			defer disconnect(nil)
			f := submit(t, c, ctx, executor.Job{Reports: 1, Run: func(ctx context.Context) (any, error) {
				percent(ctx, 1)
				close(full)
				err := percent(ctx, 2)
				over <- err
				return nil, err
			}})
			receive(t, full)
			end(f, disconnect)
			if err := receive(t, over); err != nil && err != gone && err != context.Canceled {
				t.Error(err)
			}
		})
	}
}

type stopped struct{}

func (stopped) Post(func()) bool { return false }

// loop is a Poster that runs what was posted when it is told to.
type loop struct {
	mu    sync.Mutex
	tasks []func()
	some  chan struct{}
}

func newLoop() *loop { return &loop{some: make(chan struct{}, 1)} }

func (l *loop) Post(fn func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tasks = append(l.tasks, fn)
	select {
	case l.some <- struct{}{}:
	default:
	}
	return true
}

func (l *loop) turn(t *testing.T) (tasks int) {
	t.Helper()
	receive(t, l.some)
	l.mu.Lock()
	todo := l.tasks
	l.tasks = nil
	l.mu.Unlock()
	for _, fn := range todo {
		fn()
	}
	return len(todo)
}

func TestNotify(t *testing.T) {
	c := one(t, executor.ClassConfig{})
	l := newLoop()
	step := make(chan int)
	f := submit(t, c, context.Background(), executor.Job{Reports: 100, Run: func(ctx context.Context) (any, error) {
		for n := range step {
			percent(ctx, n)
		}
		return "done", nil
	}})
	step <- 1
	step <- 2 // 1 has been reported
	var got []string
	f.Notify(l, func(v any, err error) { got = append(got, fmt.Sprint(v, err)) }, func(p executor.Progress) { got = append(got, fmt.Sprint(p.Percent)) })
	step <- 3
	step <- 4
	step <- 5
	close(step)
	result(t, f)
	for len(got) == 0 || got[len(got)-1] != "done<nil>" {
		if n := l.turn(t); n != 1 {
			t.Errorf("%d posts at the same time", n)
		}
	}
	if want := []string{"1", "2", "3", "4", "5", "done<nil>"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	defer func() {
		if recover() == nil {
			t.Error("a second Notify was accepted")
		}
	}()
	f.Notify(l, nil, nil)
}

func TestNotifyAfterTheEnd(t *testing.T) {
	c := one(t, executor.ClassConfig{})
	f := submit(t, c, context.Background(), executor.Job{Run: func(ctx context.Context) (any, error) { return 1, percent(ctx, 50) }})
	result(t, f)
	l := newLoop()
	var got []any
	f.Notify(l, func(v any, err error) { got = append(got, v, err) }, func(p executor.Progress) { got = append(got, p.Percent) })
	l.turn(t)
	if !slices.Equal(got, []any{50, 1, nil}) {
		t.Errorf("got %v", got)
	}
}

// A handler whose peer has gone hears nothing more, not even of what is on its way.
func TestNothingAfterCancel(t *testing.T) {
	c := one(t, executor.ClassConfig{})
	l := newLoop()
	f := submit(t, c, context.Background(), executor.Job{Run: func(ctx context.Context) (any, error) { return 1, percent(ctx, 50) }})
	fail := func() { t.Error("called after Cancel") }
	f.Notify(l, func(any, error) { fail() }, func(executor.Progress) { fail() })
	result(t, f)
	f.Cancel()
	l.turn(t)

	// Cancelled by what it is just told.
	g := submit(t, c, context.Background(), executor.Job{Run: func(ctx context.Context) (any, error) { return 1, percent(ctx, 50) }})
	result(t, g)
	told := 0
	g.Notify(l, func(any, error) { fail() }, func(executor.Progress) { told++; g.Cancel() })
	l.turn(t)
	if told != 1 {
		t.Errorf("told %d times", told)
	}
}

func TestWaitLeavesNothingBehind(t *testing.T) {
	c := one(t, executor.ClassConfig{})
	release := hold(t, c, 1)
	f := submit(t, c, context.Background(), executor.Job{Run: untilDone(nil)})
	why := errors.New("why")
	for range 10 {
		ctx, cancel := context.WithTimeoutCause(context.Background(), time.Microsecond, why)
		if _, err := f.Wait(ctx); err != why {
			t.Error(err)
		}
		if _, ok := f.NextProgress(ctx); ok {
			t.Error("progress from nowhere")
		}
		cancel()
	}
	if n := executor.Wakers(f); n != 0 {
		t.Errorf("%d waits are remembered", n)
	}
	f.Cancel()
	release()
}

// crowded is a loop whose mailbox is full: it takes only what is owed.
type crowded struct{ *loop }

func (crowded) Post(func()) bool          { return false }
func (c crowded) PostOwed(fn func()) bool { return c.loop.Post(fn) }

// A mailbox that is full is no loop that has stopped: the result arrives.
func TestNotifyACrowdedLoop(t *testing.T) {
	c := one(t, executor.ClassConfig{})
	f := submit(t, c, context.Background(), executor.Job{Run: func(context.Context) (any, error) { return 1, nil }})
	result(t, f)
	l := newLoop()
	var got any
	f.Notify(crowded{l}, func(v any, err error) { got = v }, nil)
	l.turn(t)
	if got != 1 {
		t.Errorf("got %v", got)
	}
}
