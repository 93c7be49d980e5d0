package executor

import (
	"context"
	"time"

	"github.com/gale-server/gale/executor/internal/admission"
)

// Func is what a job does. ctx carries the values of the context the job was
// submitted with, and is done when nobody wants the result any more; a function
// that never looks at it runs to its end.
type Func func(ctx context.Context) (any, error)

// Priority is the band of a job. Bands are strict: while a higher one has jobs
// that wait, no lower one starts any.
type Priority int8

// Priorities.
const (
	PriorityLow    Priority = -1 // work at leisure; may fill half of the queue
	PriorityNormal Priority = 0
	PriorityHigh   Priority = 1
)

func (p Priority) band() int {
	switch {
	case p < PriorityNormal:
		return admission.Low
	case p > PriorityNormal:
		return admission.High
	}
	return admission.Normal
}

// Job is a function and what a class needs to know to place it. All fields but
// Run may be left out.
type Job struct {
	// Run is called once on a worker of the class, or not at all.
	Run Func

	// Deadline ends the wait and the run: the future fails with
	// context.DeadlineExceeded. Run sees it in its context, which also has an
	// earlier deadline of the context the job was submitted with.
	Deadline time.Time

	// MaxQueueTime is how long the job may wait for a worker, however long the
	// queue has been standing. Default: that of the class, and less while its
	// queue stands. Negative: no limit.
	MaxQueueTime time.Duration

	// Priority is the job's band.
	Priority Priority

	// Client says who takes turns with whom: a user, an address. Jobs without
	// one share a turn, and have no ClientJobs limit.
	Client string

	// Cost is the memory the job holds from its acceptance to its end, in bytes:
	// its input. RunCost is what it needs beside while it runs: a picture's
	// pixels. See ClassConfig.QueueBytes and RunBytes.
	Cost    int64
	RunCost int64

	// Key makes jobs that are equal run once: while a job with the same key waits
	// or runs in the class, this one joins it and gets its result. The run ends
	// early when everybody who joined has cancelled. Its other fields, except
	// for Deadline, Reports and a higher Priority, are not used then.
	Key string

	// Label names the kind of job in logs, and in profiles under the label
	// gale.job. There should not be more than some dozens of different ones.
	Label string

	// Reports is how many calls of [Report] may wait for whoever follows the
	// progress; a further one blocks the job until there is room. Default and
	// negative: the latest report replaces one that waits, and Report never
	// blocks.
	Reports int
}

// task is a job that was accepted. With a Key several futures wait for it. It
// is the context its function runs under.
//
// The class's lock guards all of it, except what is set before it is queued.
type task struct {
	admission.Item
	context.Context // the submitter's

	class *Class
	run   Func
	key   string
	label string

	state    state
	futures  []*Future // that have no result yet
	began    time.Time
	cancel   context.CancelCauseFunc // set while it runs
	place    int                     // in class.running
	reported bool                    // that it runs for too long
	profile  context.Context         // with the labels for profiles

	future Future // the first of futures
	only   [1]*Future
}

type state uint8

const (
	queued state = iota
	running
	ended
)

type taskKey struct{}

// Value implements context.Context.
func (t *task) Value(key any) any {
	if key == (taskKey{}) {
		return t
	}
	return t.Context.Value(key)
}

// taskOf returns the job that runs under ctx, or has run; nil if there is none.
func taskOf(ctx context.Context) *task {
	t, _ := ctx.Value(taskKey{}).(*task)
	return t
}
