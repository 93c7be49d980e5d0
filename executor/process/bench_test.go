package process

import (
	"fmt"
	"testing"
)

// What a call costs beyond its job, by size of payload and result, of workers at
// our own niceness, since others use the processors too; "pipe" is a
// worker without shared memory.
func BenchmarkDo(b *testing.B) {
	for _, worker := range []string{"go", "pipe", "python"} {
		for _, size := range []int{64, 64 << 10, 1 << 20} {
			b.Run(fmt.Sprintf("worker=%s/bytes=%d", worker, size), func(b *testing.B) {
				var pool *Pool
				switch worker {
				case "go":
					pool = newPool(b, Config{Workers: 1, Nice: -1})
				case "pipe":
					config := misbehaving("echo inline")
					config.Workers, config.Nice = 1, -1
					pool = newPool(b, config)
				case "python":
					pool = python(b, benchJobs, Config{Workers: 1, Nice: -1})
				}
				ctx := b.Context()
				payload := make([]byte, size)
				if _, err := pool.Do(ctx, "echo", payload); err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := pool.Do(ctx, "echo", payload); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

const benchJobs = `
from gale_worker import job

@job("echo", payload=bytes)
def echo(data):
    return data
`

// What it costs to have a new process for every job.
func BenchmarkStart(b *testing.B) {
	pool := newPool(b, Config{Workers: 1, MaxJobs: 1})
	for b.Loop() {
		if _, err := pool.Do(b.Context(), "echo", nil); err != nil {
			b.Fatal(err)
		}
	}
}
