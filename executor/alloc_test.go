//go:build !race

// The race detector allocates on its own account.

package executor_test

import (
	"context"
	"testing"

	"github.com/gale-server/gale/executor"
)

func TestAllocations(t *testing.T) {
	c := one(t, executor.ClassConfig{Workers: 1})
	ctx, run := context.Background(), returns(nil)
	done := make(chan struct{}, 1)
	told := func(any, error) { done <- struct{}{} }
	for _, tt := range []struct {
		name string
		most float64
		do   func()
	}{
		{"run", 13, func() {
			executor.Run(ctx, c, func(context.Context) (any, error) { return nil, nil })
		}},
		{"notify", 7, func() {
			f, _ := c.Submit(ctx, executor.Job{Run: run, Client: "x"})
			f.Notify(inline{}, told, nil)
			<-done
		}},
	} {
		if n := testing.AllocsPerRun(200, tt.do); n > tt.most {
			t.Errorf("%s: %v allocations, want at most %v", tt.name, n, tt.most)
		}
	}
}
