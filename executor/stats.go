package executor

import (
	"errors"
	"math/bits"
	"time"
)

// Stats is the state of a class at one instant. Counters are since the start.
type Stats struct {
	Class    string
	Workers  int   // that may run at the same time
	Running  int   // jobs
	Waiting  int   // jobs
	Bytes    int64 // Cost of what waits and runs
	RunBytes int64 // RunCost of what runs

	OldestWaiting time.Duration // how long the job that came first has waited
	Standing      bool          // the queue stands: see ClassConfig.TargetDelay
	Unheard       int           // running jobs nobody waits for any more
	LongRunning   int           // running jobs that were logged as such

	Accepted  uint64            // jobs
	Joined    uint64            // submissions that joined an equal job
	Rejected  map[Reason]uint64 // by reason; QueueTime and Overload were accepted before
	Closed    uint64            // refused since the executor was shutting down
	Completed uint64            // jobs that ran, Failed and Panicked among them
	Failed    uint64            // jobs that returned an error
	Panicked  uint64
	Cancelled uint64 // jobs that left the queue as nobody wanted them
	Abandoned uint64 // jobs that nobody wanted while they ran
	Deadlocks uint64 // see ErrDeadlock

	QueueTime Histogram // of jobs that have started
	RunTime   Histogram // of jobs that have ended
}

// counters is what a class counts; its lock guards it.
type counters struct {
	accepted, joined, closed, completed, failed, panics, cancelled, abandoned, deadlocks uint64

	rejected  [reasons]uint64
	queueTime Histogram
	runTime   Histogram
}

func (n *counters) ran(d time.Duration, err error) {
	n.completed++
	n.runTime.add(d)
	var p *PanicError
	switch {
	case err == nil:
	case errors.As(err, &p):
		n.panics++
	default:
		n.failed++
	}
}

// Stats returns the state of the class.
func (c *Class) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := &c.count
	s := Stats{
		Class:         c.name,
		Workers:       c.limit,
		Running:       len(c.running),
		Waiting:       c.queue.Waiting(),
		Bytes:         c.queue.Bytes(),
		RunBytes:      c.queue.RunBytes(),
		OldestWaiting: c.queue.Oldest(time.Now()),
		Standing:      c.queue.Standing(),
		Accepted:      n.accepted,
		Joined:        n.joined,
		Rejected:      make(map[Reason]uint64),
		Closed:        n.closed,
		Completed:     n.completed,
		Failed:        n.failed,
		Panicked:      n.panics,
		Cancelled:     n.cancelled,
		Abandoned:     n.abandoned,
		Deadlocks:     n.deadlocks,
		QueueTime:     n.queueTime,
		RunTime:       n.runTime,
	}
	for why, count := range n.rejected {
		if count > 0 {
			s.Rejected[Reason(why)] = count
		}
	}
	for _, t := range c.running {
		if len(t.futures) == 0 {
			s.Unheard++
		}
		if t.reported {
			s.LongRunning++
		}
	}
	return s
}

// Histogram counts durations in buckets that double: bucket i holds those below
// 2^i microseconds that do not fit the one before, the last one all others.
type Histogram struct {
	Count   uint64
	Sum     time.Duration
	Buckets [33]uint64
}

func (h *Histogram) add(d time.Duration) {
	h.Count++
	h.Sum += d
	i := bits.Len64(uint64(max(d, 0) / time.Microsecond))
	h.Buckets[min(i, len(h.Buckets)-1)]++
}

// Bound returns the upper bound of bucket i.
func (h Histogram) Bound(i int) time.Duration { return time.Microsecond << i }

// Mean returns the mean duration, 0 if there is none.
func (h Histogram) Mean() time.Duration {
	if h.Count == 0 {
		return 0
	}
	return h.Sum / time.Duration(h.Count)
}

// Quantile returns a duration that a share q of all do not exceed: the bound of
// the bucket it falls into, so up to twice the true one.
func (h Histogram) Quantile(q float64) time.Duration {
	rest := uint64(q*float64(h.Count) + 0.5)
	for i, n := range h.Buckets {
		if n >= rest && rest > 0 {
			return h.Bound(i)
		}
		rest -= min(n, rest)
	}
	return 0
}
