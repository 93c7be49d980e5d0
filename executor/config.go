package executor

import (
	"fmt"
	"log/slog"
	"math"
	"time"
)

// Names of the classes every executor has.
const (
	CPU      = "cpu"      // for work that computes
	Blocking = "blocking" // for work that waits: files, databases, other services
)

// Config tunes an [Executor]. The zero value is ready.
//
// Not safe for concurrent use; [New] takes a copy.
type Config struct {
	// Classes are the classes beside [CPU] and [Blocking], or in place of them.
	Classes []ClassConfig

	// Logger receives what no caller can be told: priorities that cannot be set,
	// jobs that run for too long, panics of jobs nobody waits for. Default:
	// slog.Default().
	Logger *slog.Logger
}

// ClassConfig tunes a class. In every field zero means the default; what a
// negative value means is said there.
type ClassConfig struct {
	// Name is how the class is found; it is required.
	Name string

	// CPU makes it a class for work that computes: its workers are threads of
	// the lowest priority, and GOMAXPROCS is raised by their number as soon as
	// the class is used. See the package comment.
	CPU bool

	// Workers is the number of jobs that run at the same time. Default: 64, what
	// a database takes; for a CPU class GOMAXPROCS, but not more than the
	// processors, and with a CPU quota what leaves a quarter of it to the rest of
	// the program. A negative value is an error.
	Workers int

	// QueueJobs is the number of jobs that wait while every worker is busy. Jobs
	// of PriorityLow may fill half of it. Default: 1024. Negative: none waits.
	QueueJobs int

	// QueueBytes bounds the sum of Job.Cost over the jobs that wait and run.
	// Default: 256 MiB. Negative: no bound.
	QueueBytes int64

	// RunBytes bounds the sum of Job.RunCost over the jobs that run: one that
	// does not fit beside the others waits for them, and those behind it wait
	// too. Default and negative: no bound.
	RunBytes int64

	// ClientJobs bounds the jobs of one Job.Client, waiting and running. Default:
	// half of what the class takes, so that no client closes it to others.
	// Negative: no bound.
	ClientJobs int

	// TurnBytes is how much Cost and RunCost a client's turn pays for; a job of
	// more takes several turns, at most 16. Default: 64 MiB, a picture of 16
	// megapixels. Negative: every job takes one turn.
	TurnBytes int64

	// MaxQueueTime is how long a job may wait that does not say so itself.
	// Default: 30 s, after which most clients have gone. Negative: no limit.
	MaxQueueTime time.Duration

	// TargetDelay and DelayInterval define when the queue stands: when its oldest
	// job has waited for longer than TargetDelay during all of DelayInterval.
	// While it does, jobs that have waited for twice TargetDelay are dropped, and
	// each client's newest runs first. It does not apply to jobs that have a
	// MaxQueueTime of their own. Defaults: five mean run times, but at least
	// 5 ms; and twenty times TargetDelay. A negative TargetDelay: never.
	TargetDelay   time.Duration
	DelayInterval time.Duration

	// LongRun is how long a job may run before it is logged. Default: 1 min.
	// Negative: never.
	LongRun time.Duration
}

const endless = time.Duration(math.MaxInt64)

// withDefaults returns c with every default put in and every "no limit" written
// as zero or as a limit that is never reached.
func (c ClassConfig) withDefaults() (ClassConfig, error) {
	switch {
	case c.Name == "":
		return c, fmt.Errorf("executor: ClassConfig: a class needs a name")
	case c.Workers < 0:
		return c, fmt.Errorf("executor: ClassConfig %s: Workers may not be negative", c.Name)
	case c.Workers == 0 && c.CPU:
		c.Workers = defaultCPUWorkers()
	}
	c.Workers = orDefault(c.Workers, 64, 0)
	c.QueueJobs = orDefault(c.QueueJobs, 1024, 0)
	c.QueueBytes = orDefault(c.QueueBytes, 256<<20, 0)
	c.RunBytes = orDefault(c.RunBytes, 0, 0)
	c.ClientJobs = orDefault(c.ClientJobs, max(1, (c.QueueJobs+c.Workers)/2), 0)
	c.TurnBytes = orDefault(c.TurnBytes, 64<<20, 0)
	c.MaxQueueTime = orDefault(c.MaxQueueTime, 30*time.Second, endless)
	c.LongRun = orDefault(c.LongRun, time.Minute, endless)
	return c, nil
}

// orDefault is def for zero and none for a negative v.
func orDefault[T int | int64 | time.Duration](v, def, none T) T {
	switch {
	case v == 0:
		return def
	case v < 0:
		return none
	}
	return v
}
