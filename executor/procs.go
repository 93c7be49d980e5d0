package executor

import (
	"os"
	"runtime"

	"github.com/gale-server/gale/eventloop/procs"
	"github.com/gale-server/gale/executor/internal/priority"
)

// defaultCPUWorkers returns how many workers a CPU class has by default.
//
// Priority keeps workers from the loops' processors, but not from their quota: a
// control group that has used its quota stands still until the next period,
// commonly 100 ms, loops and all. So workers are fewer than the quota, by a
// quarter of it and at least half a processor.
func defaultCPUWorkers() int {
	n := max(1, min(procs.Base(), runtime.NumCPU()))
	if quota, ok := cpuQuota(os.DirFS("/")); ok && quota < float64(runtime.NumCPU()) {
		n = min(n, quotaWorkers(quota))
	}
	return n
}

func quotaWorkers(quota float64) int {
	return max(1, int(quota-max(0.5, quota/4)))
}

// raise makes room for the workers of a CPU class that begins to be used.
func (c *Class) raise() {
	if c.config.CPU && c.raised == 0 {
		c.setRaised(c.limit)
	}
}

func (c *Class) setRaised(n int) {
	procs.Raise(n - c.raised)
	c.raised = n
}

// lowest is the highest nice value.
const lowest = 19

// lowerPriority makes the calling thread one of the lowest priority.
func (c *Class) lowerPriority() {
	if err := priority.Lower(0, lowest); err != nil {
		c.exec.log.Warn("executor cannot lower the priority of a worker", "class", c.name, "error", err)
	}
}
