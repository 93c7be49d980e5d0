package executor_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/executor"
)

// inBubble runs a test in a time of its own, in which nothing takes any but sleep.
func inBubble(t *testing.T, c executor.Config, test func(t *testing.T, e *executor.Executor)) {
	t.Helper()
	asgitest.CheckLeaks(t)
	synctest.Test(t, func(t *testing.T) {
		e, err := executor.New(c)
		if err != nil {
			t.Fatal(err)
		}
		test(t, e)
		finish(t, e, time.Hour)
	})
}

func inClass(t *testing.T, c executor.ClassConfig, test func(t *testing.T, c *executor.Class)) {
	t.Helper()
	c.Name = "test"
	inBubble(t, executor.Config{Classes: []executor.ClassConfig{c}, Logger: slog.New(slog.DiscardHandler)}, func(t *testing.T, e *executor.Executor) {
		test(t, e.Class("test"))
	})
}

// takes is a job that takes d.
func takes(d time.Duration) executor.Func {
	return func(context.Context) (any, error) {
		time.Sleep(d)
		return nil, nil
	}
}

func TestQueueTime(t *testing.T) {
	for _, tt := range []struct {
		name  string
		class time.Duration
		job   time.Duration
		want  time.Duration // 0: it runs
	}{
		{"default", 0, 0, 30 * time.Second},
		{"of the class", time.Second, 0, time.Second},
		{"of the job", time.Second, 2 * time.Second, 2 * time.Second},
		{"none", time.Second, -1, 0},
		{"none in the class", -1, 0, 0},
		{"long enough", -1, 2 * time.Minute, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inClass(t, executor.ClassConfig{Workers: 1, MaxQueueTime: tt.class}, func(t *testing.T, c *executor.Class) {
				submit(t, c, context.Background(), executor.Job{Run: takes(time.Minute)})
				synctest.Wait()
				began := time.Now()
				f := submit(t, c, context.Background(), executor.Job{MaxQueueTime: tt.job, Run: returns("ran")})
				v, err := f.Result()
				var s *executor.SaturatedError
				switch {
				case tt.want == 0:
					if v != "ran" || err != nil {
						t.Errorf("%v, %v", v, err)
					}
				case !errors.As(err, &s) || s.Reason != executor.QueueTime || s.Waited != tt.want || time.Since(began) != tt.want:
					t.Errorf("after %v: %+v", time.Since(began), err)
				case c.Stats().Rejected[executor.QueueTime] != 1:
					t.Errorf("%+v", c.Stats())
				}
			})
		})
	}
}

func TestDeadline(t *testing.T) {
	inClass(t, executor.ClassConfig{Workers: 1}, func(t *testing.T, c *executor.Class) {
		for _, k := range []string{"", "key"} {
			began := time.Now()
			told := make(chan error, 2)
			runs := submit(t, c, context.Background(), executor.Job{Key: k, Deadline: began.Add(time.Second), Run: func(ctx context.Context) (any, error) {
				if d, ok := ctx.Deadline(); k == "" && (!ok || !d.Equal(began.Add(time.Second))) {
					t.Errorf("deadline %v, %v", d, ok)
				}
				<-ctx.Done()
				told <- context.Cause(ctx)
				time.Sleep(3 * time.Second) // it does not listen
				return "late", nil
			}})
			waits := submit(t, c, context.Background(), executor.Job{Deadline: began.Add(2 * time.Second), Run: never(t)})
			for i, f := range []*executor.Future{runs, waits} {
				v, err := f.Result()
				if v != nil || err != context.DeadlineExceeded || time.Since(began) != time.Duration(i+1)*time.Second {
					t.Errorf("after %v: %v, %v", time.Since(began), v, err)
				}
			}
			if err := <-told; err != context.DeadlineExceeded {
				t.Errorf("told %v", err)
			}
			if s := c.Stats(); s.Unheard != 1 || s.Running != 1 || s.Waiting != 0 {
				t.Errorf("%+v", s)
			}
			time.Sleep(time.Minute)
		}
	})
}

// Ten times what the class can do, for a minute: what is accepted waits for a
// bounded time, the rest is refused at once, and nothing piles up.
func TestOverload(t *testing.T) {
	const workers, run, load = 2, 100 * time.Millisecond, 10
	inClass(t, executor.ClassConfig{Workers: workers, QueueJobs: 200, ClientJobs: -1}, func(t *testing.T, c *executor.Class) {
		var mu sync.Mutex
		var ran, late, refused int
		var longest time.Duration
		began := time.Now()
		var before runtime.MemStats
		most := 0
		for i := 0; time.Since(began) < time.Minute; i++ {
			if i == 3000 {
				runtime.GC()
				runtime.ReadMemStats(&before)
			}
			submitted := time.Now()
			f, err := c.Submit(context.Background(), executor.Job{Run: func(ctx context.Context) (any, error) {
				mu.Lock()
				ran++
				if time.Since(began) > 30*time.Second { // once the queue is known to stand
					longest = max(longest, time.Since(submitted))
				}
				mu.Unlock()
				return takes(run)(ctx)
			}})
			if time.Since(submitted) != 0 {
				t.Fatal("Submit took its time")
			}
			if err != nil {
				refused++
			} else {
				f.Notify(inline{}, func(_ any, err error) {
					var s *executor.SaturatedError
					if errors.As(err, &s) {
						mu.Lock()
						late++
						mu.Unlock()
						if s.Reason != executor.Overload || s.RetryAfter < time.Second {
							t.Errorf("%+v", s)
						}
					}
				}, nil)
			}
			time.Sleep(run / workers / load)
			most = max(most, c.Stats().Waiting)
		}
		var after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&after)
		if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 1<<20 {
			t.Errorf("the heap has grown by %d KiB", grown>>10)
		}
		mu.Lock()
		defer mu.Unlock()
		t.Logf("%d ran, %d waited in vain, %d refused; wait at most %v; %+v", ran, late, refused, longest, c.Stats().QueueTime.Quantile(0.99))
		if capacity := int(time.Minute/run) * workers; ran < capacity*95/100 {
			t.Errorf("%d of %d jobs ran", ran, capacity)
		}
		if longest > run { // newest first
			t.Errorf("a job that ran had waited for %v", longest)
		}
		if refused == 0 || late == 0 || most > 200 || !c.Stats().Standing {
			t.Errorf("%d refused, %d waited in vain, %d in the queue; %+v", refused, late, most, c.Stats())
		}
	})
}

// inline is a loop that runs everything where it is posted.
type inline struct{}

func (inline) Post(fn func()) bool { fn(); return true }

func TestRetryAfterGrowsWithTheQueue(t *testing.T) {
	inClass(t, executor.ClassConfig{Workers: 2, QueueJobs: 200, ClientJobs: -1}, func(t *testing.T, c *executor.Class) {
		for _, tt := range []struct{ run, want time.Duration }{
			{time.Millisecond, time.Second},
			{100 * time.Millisecond, 10100 * time.Millisecond},
			{10 * time.Second, time.Minute},
		} {
			for range 200 { // the mean forgets what was before
				submit(t, c, context.Background(), executor.Job{Run: takes(tt.run)}).Result()
			}
			var all []*executor.Future
			for range 202 {
				all = append(all, submit(t, c, context.Background(), executor.Job{Run: untilDone(nil), MaxQueueTime: -1}))
				synctest.Wait()
			}
			_, err := c.Submit(context.Background(), executor.Job{Run: returns(nil)})
			var s *executor.SaturatedError
			if !errors.As(err, &s) || s.RetryAfter.Round(10*time.Millisecond) != tt.want {
				t.Errorf("runs of %v: %+v", tt.run, err)
			}
			for _, f := range all {
				f.Cancel()
			}
			synctest.Wait()
		}
	})
}

func TestLongRunIsLogged(t *testing.T) {
	var log bytes.Buffer
	config := executor.Config{
		Logger:  slog.New(slog.NewTextHandler(&log, nil)),
		Classes: []executor.ClassConfig{{Name: "test", Workers: 3, LongRun: time.Second}},
	}
	inBubble(t, config, func(t *testing.T, e *executor.Executor) {
		c := e.Class("test")
		submit(t, c, context.Background(), executor.Job{Label: "short", Run: takes(time.Second / 2)})
		time.Sleep(time.Second / 4)
		submit(t, c, context.Background(), executor.Job{Label: "long", Run: takes(time.Minute)})
		time.Sleep(time.Second - 1)
		synctest.Wait()
		if log.Len() > 0 || c.Stats().LongRunning != 0 {
			t.Errorf("logged: %s", &log)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if s := log.String(); strings.Count(s, "\n") != 1 || !strings.Contains(s, "class=test job=long for=1s") {
			t.Errorf("logged: %s", s)
		}
		if n := c.Stats().LongRunning; n != 1 {
			t.Errorf("%d run long", n)
		}
	})
}

func TestOldestWaiting(t *testing.T) {
	inClass(t, executor.ClassConfig{Workers: 1}, func(t *testing.T, c *executor.Class) {
		submit(t, c, context.Background(), executor.Job{Run: takes(10 * time.Second)})
		time.Sleep(time.Second)
		submit(t, c, context.Background(), executor.Job{Run: returns(nil), Priority: executor.PriorityLow})
		time.Sleep(time.Second)
		f := submit(t, c, context.Background(), executor.Job{Run: returns(nil)})
		if old := c.Stats().OldestWaiting; old != time.Second {
			t.Errorf("the oldest has waited for %v", old)
		}
		f.Result()
		if s := c.Stats(); s.QueueTime.Sum < 8*time.Second || s.RunTime.Quantile(1) < 10*time.Second {
			t.Errorf("%+v", s)
		}
	})
}
