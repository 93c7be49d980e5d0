package admission

import (
	"math"
	"time"
)

// delays watches how long the oldest impatient job of a band waits, and says
// whether the queue stands. It looks when a job is about to be taken; so an
// interval ends with the first look after its time.
type delays struct {
	least    time.Duration // the shortest wait seen in this interval
	until    time.Time     // when this interval ends
	standing bool
}

// reset begins anew: there is no queue, so none that stands.
func (d *delays) reset(now time.Time, interval time.Duration) {
	*d = delays{least: math.MaxInt64, until: now.Add(interval)}
}

func (d *delays) look(now time.Time, wait, target, interval time.Duration) {
	d.least = min(d.least, wait)
	if now.Before(d.until) {
		return
	}
	d.standing = d.least > target
	d.least, d.until = math.MaxInt64, now.Add(interval)
}

// Without a target of its own a queue has one of some run times: less would call
// it a standing queue when a handful of jobs wait for a worker. For jobs of 1 ms
// and less this gives the 5 ms and 100 ms of folly; for jobs of 100 ms it gives
// 500 ms and 10 s, so that a burst of a hundred jobs on two workers is no
// standing queue.
const (
	runsPerTarget      = 5
	minTarget          = 5 * time.Millisecond
	targetsPerInterval = 20
)

// limits returns the target and the interval in force; a negative target is none.
func (q *Queue) limits() (target, interval time.Duration) {
	target, interval = q.config.Target, q.config.Interval
	if target == 0 {
		target = max(minTarget, runsPerTarget*q.meanRun)
	}
	if interval <= 0 {
		interval = targetsPerInterval * target
	}
	return target, interval
}
