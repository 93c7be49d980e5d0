package executor_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/executor"
)

type key struct{}

func TestResults(t *testing.T) {
	e := start(t)
	ctx := context.WithValue(context.Background(), key{}, "mine")
	for _, name := range []string{executor.Blocking, executor.CPU} {
		c := e.Class(name)
		for _, tt := range []struct {
			name string
			run  executor.Func
			want any
			err  string
		}{
			{"a value", returns(7), 7, ""},
			{"an error", func(context.Context) (any, error) { return 8, io.EOF }, 8, "EOF"},
			{"the submitter's values", func(ctx context.Context) (any, error) { return ctx.Value(key{}), nil }, "mine", ""},
			{"a panic", func(context.Context) (any, error) { panic(io.ErrUnexpectedEOF) }, nil, "executor: job panicked: unexpected EOF"},
			{"a panic with nothing", func(context.Context) (any, error) { panic(nil) }, nil, "executor: job panicked: panic called with nil argument"},
			{"the end of the goroutine", func(context.Context) (any, error) { runtime.Goexit(); return 1, nil }, nil, "executor: job panicked: executor: job called runtime.Goexit"},
			{"and on", returns("on"), "on", ""},
		} {
			t.Run(name+"/"+tt.name, func(t *testing.T) {
				f := submit(t, c, ctx, executor.Job{Run: tt.run})
				v, err := result(t, f)
				if v != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.HasPrefix(err.Error(), tt.err) {
					t.Errorf("%v, %v, want %v, %q", v, err, tt.want, tt.err)
				}
				var p *executor.PanicError
				if errors.As(err, &p) && !strings.Contains(string(p.Stack), "TestResults") {
					t.Errorf("the stack does not show where: %s", p.Stack)
				}
				if again, err2 := f.Result(); again != v || err2 != err {
					t.Errorf("a second look: %v, %v", again, err2)
				}
				receive(t, f.Done())
			})
		}
		s := c.Stats()
		if s.Completed != 7 || s.Failed != 1 || s.Panicked != 3 || s.RunTime.Count != 7 || s.QueueTime.Count != 7 {
			t.Errorf("%+v", s)
		}
	}
	if _, err := e.Class(executor.CPU).Submit(ctx, executor.Job{}); err == nil {
		t.Error("a job without a function was accepted")
	}
}

func TestPanicKeepsItsError(t *testing.T) {
	c := one(t, executor.ClassConfig{})
	_, err := executor.Run(context.Background(), c, func(context.Context) (int, error) { panic(io.ErrNoProgress) })
	if !errors.Is(err, io.ErrNoProgress) {
		t.Error(err)
	}
}

func TestConfig(t *testing.T) {
	for _, classes := range [][]executor.ClassConfig{
		{{}},
		{{Name: "a", Workers: -1}},
		{{Name: "a"}, {Name: "a"}},
	} {
		if _, err := executor.New(executor.Config{Classes: classes}); err == nil {
			t.Errorf("%+v was accepted", classes)
		}
	}
	e := start(t, executor.ClassConfig{Name: executor.Blocking, Workers: 3}, executor.ClassConfig{Name: "own"})
	for name, workers := range map[string]int{executor.Blocking: 3, "own": 64, executor.CPU: e.Class(executor.CPU).Stats().Workers} {
		if c := e.Class(name); c == nil || c.Name() != name || c.Stats().Workers != workers || workers < 1 {
			t.Errorf("class %s: %+v", name, c)
		}
	}
}

// TestMistakes are a program's own: each is told where it was made, in words.
func TestMistakes(t *testing.T) {
	e := start(t, executor.ClassConfig{Name: "own"})
	said := func(fn func()) (text any) {
		defer func() { text = recover() }()
		fn()
		return nil
	}
	if got := said(func() { e.Class("nosuch") }); got != `executor: there is no class "nosuch"; there are blocking, cpu, own` {
		t.Errorf("a class from nowhere: %v", got)
	}
	if got := said(func() { (*executor.Executor)(nil).Class("own") }); got != "executor: Class of a nil Executor: New makes one" {
		t.Errorf("a class of nobody: %v", got)
	}
	ctx := context.Background()
	none, own := (*executor.Class)(nil), e.Class("own")
	run := func(context.Context) (any, error) { t.Error("it runs"); return nil, nil }
	const noClass, noFunction = "for a nil Class", "without a function"
	for _, tt := range []struct {
		name, says string
		attempt    func() error
	}{
		{"Submit", noClass, func() error { _, err := none.Submit(ctx, executor.Job{Run: run}); return err }},
		{"Go", noClass, func() error { return none.Go(func() { _, _ = run(ctx) }) }},
		{"Run", noClass, func() error { _, err := executor.Run(ctx, none, run); return err }},
		{"Submit", noFunction, func() error { _, err := own.Submit(ctx, executor.Job{}); return err }},
		{"Go", noFunction, func() error { return own.Go(nil) }},
		{"Run", noFunction, func() error { _, err := executor.Run[any](ctx, own, nil); return err }},
	} {
		if err := tt.attempt(); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s of a job %s: %v", tt.name, tt.says, err)
		}
	}
}

func TestSaturated(t *testing.T) {
	for _, tt := range []struct {
		name      string
		config    executor.ClassConfig
		job       executor.Job
		accepted  int
		reason    executor.Reason
		status    int
		closeCode int
		text      string
	}{
		{"jobs", executor.ClassConfig{QueueJobs: 2}, executor.Job{}, 2, executor.QueueFull, 503, 1013, "queue full"},
		{"no queue", executor.ClassConfig{QueueJobs: -1}, executor.Job{}, 0, executor.QueueFull, 503, 1013, "queue full"},
		{"bytes", executor.ClassConfig{QueueBytes: 100}, executor.Job{Cost: 30}, 3, executor.BytesHeld, 503, 1013, "bytes held"},
		{"a client", executor.ClassConfig{ClientJobs: 4}, executor.Job{Client: "x"}, 4, executor.ClientLimit, 429, 1013, "client limit"},
		{"a client by default", executor.ClassConfig{QueueJobs: 9}, executor.Job{Client: "x"}, 5, executor.ClientLimit, 429, 1013, "client limit"},
		{"large", executor.ClassConfig{QueueBytes: 100}, executor.Job{Cost: 101}, 0, executor.TooLarge, 413, 1009, "too large"},
		{"large to run", executor.ClassConfig{RunBytes: 100}, executor.Job{RunCost: 101}, 0, executor.TooLarge, 413, 1009, "too large"},
		{"joined", executor.ClassConfig{QueueJobs: 5}, executor.Job{Key: "k"}, 1 + 6, executor.JoinLimit, 503, 1013, "join limit"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.config.Workers = 1
			c := one(t, tt.config)
			release := hold(t, c, 1)
			tt.job.Run = returns(nil)
			var futures []*executor.Future
			for range tt.accepted {
				futures = append(futures, submit(t, c, context.Background(), tt.job))
			}
			for range 2 {
				_, err := c.Submit(context.Background(), tt.job)
				var s *executor.SaturatedError
				if !errors.As(err, &s) || !errors.Is(err, executor.ErrSaturated) {
					t.Fatalf("refused with %v", err)
				}
				if s.Reason != tt.reason || s.Class != "test" || s.HTTPStatus() != tt.status || s.CloseCode() != tt.closeCode || !strings.HasSuffix(s.Error(), tt.text) {
					t.Errorf("refused with %+v", s)
				}
				if final := tt.reason == executor.TooLarge; (s.RetryAfter == 0) != final || (s.HTTPHeaders() == nil) != final {
					t.Errorf("retry after %v, fields %v", s.RetryAfter, s.HTTPHeaders())
				}
				later := executor.SaturatedError{RetryAfter: 1001 * time.Millisecond}
				if h := later.HTTPHeaders(); len(h) != 1 || h[0] != (asgi.Header{Name: "retry-after", Value: "2"}) {
					t.Errorf("after 1.001 s: %v", h)
				}
			}
			if n := c.Stats().Rejected[tt.reason]; n != 2 {
				t.Errorf("%d rejections are counted", n)
			}
			release()
			for _, f := range futures {
				if _, err := result(t, f); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestDisconnectFreesItsJobsAtOnce(t *testing.T) {
	c := one(t, executor.ClassConfig{Workers: 1, QueueJobs: 1100, ClientJobs: -1, QueueBytes: 1 << 30})
	release := hold(t, c, 1)
	gone := errors.New("gone")
	ctx, disconnect := context.WithCancelCause(context.Background())
	before := runtime.NumGoroutine()
	var futures []*executor.Future
	for i := range 1000 {
		job := executor.Job{Run: never(t), Cost: 1 << 20, Priority: executor.Priority(i%3 - 1)}
		switch i % 4 {
		case 0:
			job.Client = fmt.Sprint(i % 7)
		case 1:
			job.Key = fmt.Sprint(i)
		case 2:
			job.Deadline = time.Now().Add(time.Hour)
		}
		if job.Priority == executor.PriorityLow {
			job.Priority = executor.PriorityNormal
		}
		futures = append(futures, submit(t, c, context.WithValue(ctx, key{}, i), job))
	}
	other := submit(t, c, context.Background(), executor.Job{Run: returns("other")})
	if n := runtime.NumGoroutine(); n > before+10 {
		t.Errorf("%d goroutines for jobs that wait", n-before)
	}
	if s := c.Stats(); s.Waiting != 1001 || s.Bytes != 1000<<20 {
		t.Fatalf("%+v", s)
	}
	disconnect(gone)
	for _, f := range futures {
		if _, err := result(t, f); err != gone {
			t.Fatalf("cancelled with %v", err)
		}
	}
	// While the worker is still busy: nothing of it waits for the queue's turn.
	if s := c.Stats(); s.Waiting != 1 || s.Bytes != 0 || s.Cancelled != 1000 {
		t.Errorf("%+v", s)
	}
	release()
	if v, err := result(t, other); v != "other" || err != nil {
		t.Error(v, err)
	}
}

func TestCancel(t *testing.T) {
	c := one(t, executor.ClassConfig{Workers: 1})
	began := make(chan struct{})
	ended := make(chan error, 1)
	runs := submit(t, c, context.Background(), executor.Job{Run: func(ctx context.Context) (any, error) {
		close(began)
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return "late", nil
	}})
	waits := submit(t, c, context.Background(), executor.Job{Run: never(t)})
	receive(t, began)
	if runs.Position() != 0 || waits.Position() != 1 {
		t.Errorf("positions %d, %d", runs.Position(), waits.Position())
	}
	for _, f := range []*executor.Future{waits, runs, runs} {
		f.Cancel()
		if v, err := result(t, f); v != nil || err != context.Canceled {
			t.Errorf("%v, %v", v, err)
		}
	}
	if err := receive(t, ended); err != context.Canceled {
		t.Errorf("what runs was told %v", err)
	}
	submit(t, c, context.Background(), executor.Job{Run: returns(nil)}).Result()
	if s := c.Stats(); s.Cancelled != 1 || s.Abandoned != 1 || s.Completed != 2 {
		t.Errorf("%+v", s)
	}
	runs.Cancel() // after all is over
}

func TestDisconnectSignalsWhatRuns(t *testing.T) {
	c := one(t, executor.ClassConfig{})
	gone := errors.New("gone")
	for _, job := range []executor.Job{{}, {Key: "k"}, {Deadline: time.Now().Add(time.Hour)}} {
		ctx, disconnect := context.WithCancelCause(context.Background())
		began, told := make(chan struct{}), make(chan error, 1)
		job.Run = func(ctx context.Context) (any, error) {
			close(began)
			<-ctx.Done()
			told <- context.Cause(ctx)
			return nil, nil
		}
		f := submit(t, c, ctx, job)
		receive(t, began)
		disconnect(gone)
		if err := receive(t, told); err != gone {
			t.Errorf("the job was told %v", err)
		}
		if _, err := result(t, f); err != gone {
			t.Errorf("the future failed with %v", err)
		}
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(gone)
	if _, err := c.Submit(ctx, executor.Job{Run: never(t)}); err != gone {
		t.Errorf("submitted with a context that is done: %v", err)
	}
}

// lazy is a context of somebody else's make. It is slow to tell that it is done.
type lazy struct {
	context.Context
	done       chan struct{}
	err        error
	registered atomic.Int64
}

func newLazy() *lazy { return &lazy{Context: context.Background(), done: make(chan struct{})} }

func (l *lazy) Done() <-chan struct{} { return l.done }
func (l *lazy) Err() error            { return l.err }

func (l *lazy) AfterFunc(func()) (stop func() bool) {
	l.registered.Add(1)
	return func() bool { l.registered.Add(-1); return true }
}

func TestJobKnowsBeforeItsFuture(t *testing.T) {
	gone := errors.New("gone")
	c := one(t, executor.ClassConfig{Workers: 1})
	// It has not started: it need not.
	release := hold(t, c, 1)
	l := newLazy()
	f := submit(t, c, l, executor.Job{Run: never(t)})
	l.err = gone
	close(l.done)
	release()
	if v, err := result(t, f); v != nil || err != gone {
		t.Errorf("%v, %v", v, err)
	}
	// It runs: what it returns now is no result.
	l = newLazy()
	f = submit(t, c, l, executor.Job{Run: func(context.Context) (any, error) {
		l.err = gone
		close(l.done)
		return "late", nil
	}})
	if v, err := result(t, f); v != nil || err != gone {
		t.Errorf("%v, %v", v, err)
	}
}

// A connection may live for days, and have a job each second.
func TestContextIsNotBurdened(t *testing.T) {
	inClass(t, executor.ClassConfig{Workers: 1}, func(t *testing.T, c *executor.Class) {
		l := newLazy()
		for _, job := range []executor.Job{{}, {Key: "k"}, {Deadline: time.Now().Add(time.Hour)}, {Priority: executor.PriorityHigh}} {
			job.Run = returns(nil)
			submit(t, c, l, job).Result()
		}
		var all []*executor.Future
		for range 10 {
			all = append(all, submit(t, c, l, executor.Job{Run: untilDone(nil)}))
		}
		for _, f := range all {
			f.Cancel()
		}
		synctest.Wait()
		if n := l.registered.Load(); n != 0 {
			t.Errorf("%d functions are left", n)
		}
	})
}

func TestPrioritiesAndClients(t *testing.T) {
	c := one(t, executor.ClassConfig{Workers: 1})
	release := hold(t, c, 1)
	var mu sync.Mutex
	var order []string
	for _, name := range strings.Fields("low:x/1 x/1 x/2 y/1 high:y/2 low:y/2 z/1") {
		job := executor.Job{Run: func(context.Context) (any, error) {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, name)
			return nil, nil
		}}
		rest := name
		if s, ok := strings.CutPrefix(rest, "low:"); ok {
			job.Priority, rest = executor.PriorityLow, s
		} else if s, ok := strings.CutPrefix(rest, "high:"); ok {
			job.Priority, rest = executor.PriorityHigh, s
		}
		job.Client, _, _ = strings.Cut(rest, "/")
		submit(t, c, context.Background(), job)
	}
	release()
	submit(t, c, context.Background(), executor.Job{Run: returns(nil), Priority: executor.PriorityLow, Client: "z"}).Result()
	last := submit(t, c, context.Background(), executor.Job{Run: returns(nil), Priority: executor.PriorityLow, Client: "z"})
	last.Result()
	mu.Lock()
	defer mu.Unlock()
	if got, want := strings.Join(order, " "), "high:y/2 x/1 y/1 z/1 x/2 low:x/1 low:y/2"; got != want {
		t.Errorf("ran  %s\nwant %s", got, want)
	}
}

// One client's ten thousand jobs let another's wait for no more than what runs.
func TestOneAmongTenThousand(t *testing.T) {
	const many = 10000
	c := one(t, executor.ClassConfig{Workers: 2, QueueJobs: 2 * many, ClientJobs: -1, MaxQueueTime: -1, TargetDelay: -1})
	var started atomic.Int64
	step := make(chan struct{})
	for range many {
		submit(t, c, context.Background(), executor.Job{Client: "many", Run: func(context.Context) (any, error) {
			started.Add(1)
			<-step
			return nil, nil
		}})
	}
	for range 100 {
		step <- struct{}{}
	}
	f := submit(t, c, context.Background(), executor.Job{Client: "one", Run: func(context.Context) (any, error) { return started.Load(), nil }})
	if f.Position() != 1 {
		t.Errorf("position %d", f.Position())
	}
	before := started.Load()
	step <- struct{}{} // one job ends
	v, err := result(t, f)
	if err != nil || v.(int64) > before+2 { // the other worker's may have ended and begun a next
		t.Errorf("%v more jobs started before it (%v)", v.(int64)-before, err)
	}
	close(step)
}

func TestRunBytes(t *testing.T) {
	c := one(t, executor.ClassConfig{Workers: 8, RunBytes: 100})
	var now, most atomic.Int64
	var all []*executor.Future
	for i := range 200 {
		n := int64(i*37%100 + 1)
		all = append(all, submit(t, c, context.Background(), executor.Job{RunCost: n, Run: func(context.Context) (any, error) {
			held := now.Add(n)
			defer now.Add(-n)
			for m := most.Load(); held > m && !most.CompareAndSwap(m, held); m = most.Load() {
			}
			runtime.Gosched()
			return nil, nil
		}}))
	}
	for _, f := range all {
		if _, err := result(t, f); err != nil {
			t.Fatal(err)
		}
	}
	if m := most.Load(); m > 100 {
		t.Errorf("%d bytes at the same time", m)
	}
}

// When what a large job holds or blocks is free again, all that fits begins.
func TestRunBytesFreed(t *testing.T) {
	for name, free := range map[string]func(runs, waits *executor.Future){
		"as it ends":          func(runs, _ *executor.Future) { runs.Cancel() },
		"as the next is gone": func(_, waits *executor.Future) { waits.Cancel() },
		"as the next is late": func(_, waits *executor.Future) { <-waits.Done() },
		"as both have gone":   func(runs, waits *executor.Future) { waits.Cancel(); runs.Cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			inClass(t, executor.ClassConfig{Workers: 8, RunBytes: 100}, func(t *testing.T, c *executor.Class) {
				runs := submit(t, c, context.Background(), executor.Job{RunCost: 50, Run: untilDone(nil)})
				synctest.Wait()
				waits := submit(t, c, context.Background(), executor.Job{RunCost: 100, Run: never(t), MaxQueueTime: time.Second})
				if name == "as it ends" {
					waits.Cancel()
					waits = submit(t, c, context.Background(), executor.Job{RunCost: 60, Run: returns(nil)})
				}
				synctest.Wait()
				var small []*executor.Future
				for range 5 {
					small = append(small, submit(t, c, context.Background(), executor.Job{RunCost: 10, Run: untilDone(nil)}))
				}
				synctest.Wait()
				if s := c.Stats(); s.Running != 1 || s.Waiting != 6 {
					t.Fatalf("%+v", s)
				}
				free(runs, waits)
				synctest.Wait()
				if s := c.Stats(); s.Waiting != 0 || s.Running < 5 {
					t.Errorf("%+v", s)
				}
				for _, f := range append(small, runs, waits) {
					f.Cancel()
				}
			})
		})
	}
}

func TestResize(t *testing.T) {
	for _, cpu := range []bool{false, true} {
		t.Run(fmt.Sprintf("cpu=%v", cpu), func(t *testing.T) {
			c := one(t, executor.ClassConfig{Workers: 1, CPU: cpu})
			var now, most atomic.Int64
			began, end := make(chan struct{}, 100), make(chan struct{})
			job := executor.Job{Run: func(context.Context) (any, error) {
				most.Store(max(most.Load(), now.Add(1)))
				defer now.Add(-1)
				began <- struct{}{}
				<-end
				return nil, nil
			}}
			var all []*executor.Future
			for range 12 {
				all = append(all, submit(t, c, context.Background(), job))
			}
			receive(t, began)
			c.Resize(4)
			for range 3 {
				receive(t, began)
			}
			c.Resize(0) // 1
			if s := c.Stats(); s.Workers != 1 || s.Running != 4 {
				t.Fatalf("%+v", s)
			}
			for range 4 {
				end <- struct{}{} // of which only the last lets another begin
			}
			receive(t, began)
			if s := c.Stats(); s.Running != 1 {
				t.Fatalf("%+v", s)
			}
			c.Resize(2)
			receive(t, began)
			close(end)
			for _, f := range all {
				result(t, f)
			}
			if m := most.Load(); m != 4 {
				t.Errorf("%d ran at the same time", m)
			}
			for _, n := range []int{5, 1, 3} {
				c.Resize(n) // with nothing to do
				submit(t, c, context.Background(), executor.Job{Run: returns(nil)}).Result()
			}
		})
	}
}

func TestGoIsARunner(t *testing.T) {
	c := one(t, executor.ClassConfig{Workers: 1, QueueJobs: 1})
	var run asgi.Runner = c.Go
	release := hold(t, c, 1)
	done := make(chan struct{})
	if err := run(func() { close(done) }); err != nil {
		t.Fatal(err)
	}
	if err := run(func() {}); !errors.Is(err, executor.ErrSaturated) {
		t.Errorf("a full class: %v", err)
	}
	release()
	receive(t, done)
}
