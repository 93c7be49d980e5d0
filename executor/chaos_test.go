package executor_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/gale-server/gale/executor"
	"github.com/gale-server/gale/internal/longtest"
)

// Everything at the same time, at random: each future gets one result, and in the
// end nothing is left.
func TestChaos(t *testing.T) {
	rounds := longtest.Count(60, 150)
	e := start(t,
		executor.ClassConfig{Name: "a", Workers: 2, QueueJobs: 20, RunBytes: 100, ClientJobs: 8, TargetDelay: time.Millisecond, DelayInterval: 5 * time.Millisecond},
		executor.ClassConfig{Name: "b", Workers: 3, QueueJobs: 50, QueueBytes: 500, CPU: true, MaxQueueTime: 20 * time.Millisecond},
	)
	classes := []*executor.Class{e.Class("a"), e.Class("b")}
	allowed := []error{nil, context.Canceled, context.DeadlineExceeded, executor.ErrSaturated, executor.ErrDeadlock}
	check := func(err error) {
		for _, a := range allowed {
			if errors.Is(err, a) {
				return
			}
		}
		var p *executor.PanicError
		if !errors.As(err, &p) {
			t.Error(err)
		}
	}
	var wg sync.WaitGroup
	for g := range uint64(8) {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(g, 7))
			for range rounds {
				ctx, disconnect := context.WithCancel(context.Background())
				var futures []*executor.Future
				for range random.IntN(12) {
					c := classes[random.IntN(2)]
					other := classes[random.IntN(2)]
					job := executor.Job{
						Priority: executor.Priority(random.IntN(3) - 1),
						Client:   fmt.Sprint(random.IntN(4)),
						Cost:     random.Int64N(60),
						RunCost:  random.Int64N(80),
						Reports:  random.IntN(3),
					}
					if random.IntN(3) == 0 {
						job.Key = fmt.Sprint(random.IntN(5))
					}
					if random.IntN(4) == 0 {
						job.Deadline = time.Now().Add(time.Duration(random.IntN(3000)) * time.Microsecond)
					}
					kind, steps := random.IntN(12), random.IntN(20)
					job.Run = func(ctx context.Context) (any, error) {
						for n := range steps {
							if err := executor.Report(ctx, executor.Progress{Percent: n}); err != nil {
								return nil, err
							}
							runtime.Gosched()
						}
						switch kind {
						case 0:
							panic("chaos")
						case 1:
							runtime.Goexit()
						case 2, 3:
							return executor.Run(ctx, other, func(ctx context.Context) (any, error) { return nil, ctx.Err() }, executor.Job{RunCost: 50})
						}
						return steps, nil
					}
					f, err := c.Submit(ctx, job)
					check(err)
					if err == nil {
						futures = append(futures, f)
					}
				}
				switch random.IntN(4) {
				case 0:
					disconnect()
				case 1:
					classes[random.IntN(2)].Resize(1 + random.IntN(4))
				case 2:
					for _, f := range futures {
						if f.Position() > 1 {
							f.Cancel()
						}
					}
				case 3:
					classes[random.IntN(2)].Stats()
				}
				var readers sync.WaitGroup
				for i, f := range futures {
					readers.Go(func() { // one each: a job that reports holds its worker until it is heard
						switch i % 3 {
						case 0:
							told := make(chan error, 1)
							f.Notify(inline{}, func(_ any, err error) { told <- err }, nil)
							select {
							case err := <-told:
								check(err)
							case <-f.Done(): // it may have been silenced
							}
						case 1:
							for ok := true; ok; {
								_, ok = f.NextProgress(ctx)
							}
							f.Cancel()
						case 2:
							for ok := true; ok; {
								_, ok = f.NextProgress(context.Background())
							}
							_, err := f.Wait(context.Background())
							check(err)
						}
					})
				}
				readers.Wait()
				disconnect()
			}
		})
	}
	wg.Wait()
	for _, c := range classes {
		eventually(t, "an idle class", func() bool { s := c.Stats(); return s.Running+s.Waiting == 0 })
		if scopes, flights, joined := executor.Remembered(c); scopes+flights+joined != 0 {
			t.Errorf("%d contexts, %d keys, %d joined are remembered", scopes, flights, joined)
		}
		t.Logf("%+v", c.Stats())
	}
}
