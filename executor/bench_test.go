package executor_test

import (
	"context"
	"sync"
	"testing"

	"github.com/alitto/pond/v2"

	"github.com/gale-server/gale/executor"
)

func benchClass(b *testing.B, c executor.ClassConfig) *executor.Class {
	c.Name, c.QueueJobs, c.ClientJobs, c.MaxQueueTime, c.TargetDelay = "test", 1<<20, -1, -1, -1
	return one(b, c)
}

// BenchmarkRun is the whole way of one job, there and back, for a goroutine.
func BenchmarkRun(b *testing.B) {
	for name, cpu := range map[string]bool{"blocking": false, "cpu": true} {
		b.Run(name, func(b *testing.B) {
			c := benchClass(b, executor.ClassConfig{CPU: cpu, Workers: 2})
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := executor.Run(ctx, c, func(context.Context) (int, error) { return 1, nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSubmit is the throughput of jobs whose results come back by Notify, as
// the event form has them. The context is one of a connection.
func BenchmarkSubmit(b *testing.B) {
	for name, client := range map[string]string{"no-client": "", "client": "x"} {
		b.Run(name, func(b *testing.B) {
			c := benchClass(b, executor.ClassConfig{Workers: 2})
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			var wg sync.WaitGroup
			run := returns(nil)
			told := func(any, error) { wg.Done() }
			b.ReportAllocs()
			for b.Loop() {
				wg.Add(1)
				f, err := c.Submit(ctx, executor.Job{Run: run, Client: client})
				if err != nil {
					b.Fatal(err)
				}
				f.Notify(inline{}, told, nil)
			}
			wg.Wait()
		})
	}
}

// BenchmarkPond is pond alone, with a future and without, for comparison.
func BenchmarkPond(b *testing.B) {
	for name, submit := range map[string]func(p pond.Pool, fn func()){
		"Go":     func(p pond.Pool, fn func()) { p.Go(fn) },
		"Submit": func(p pond.Pool, fn func()) { p.Submit(fn) },
	} {
		b.Run(name, func(b *testing.B) {
			p := pond.NewPool(2)
			var wg sync.WaitGroup
			fn := func() { wg.Done() }
			b.ReportAllocs()
			for b.Loop() {
				wg.Add(1)
				submit(p, fn)
			}
			wg.Wait()
			p.StopAndWait()
		})
	}
}

// BenchmarkRefuse is what a job costs that a full class refuses.
func BenchmarkRefuse(b *testing.B) {
	c := one(b, executor.ClassConfig{Workers: 1, QueueJobs: -1})
	release := hold(b, c, 1)
	ctx, run := context.Background(), returns(nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Submit(ctx, executor.Job{Run: run}); err == nil {
			b.Fatal("accepted")
		}
	}
	release()
}

// BenchmarkDisconnect cancels a thousand jobs that wait for the same peer.
func BenchmarkDisconnect(b *testing.B) {
	c := benchClass(b, executor.ClassConfig{Workers: 1})
	release := hold(b, c, 1)
	b.ReportAllocs()
	for b.Loop() {
		ctx, cancel := context.WithCancel(context.Background())
		var last *executor.Future
		for range 1000 {
			last, _ = c.Submit(ctx, executor.Job{Run: never(b), Client: "x"})
		}
		cancel()
		last.Result()
	}
	release()
}
