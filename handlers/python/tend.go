package python

import (
	"time"

	"github.com/gale-server/gale/executor/subprocess"
)

const (
	longestTick  = 5 * time.Second
	shortestTick = 10 * time.Millisecond
)

// tend looks after the workers until the pool stops: it asks them whether their loops
// run, and replaces those that are too old or hold too much memory.
func (p *pool) tend() {
	interval := min(longestTick, p.config.BlockTimeout/4, p.config.MaxAge/20)
	tick := time.NewTicker(max(interval, shortestTick))
	defer tick.Stop()
	for {
		select {
		case <-p.quit:
			return
		case <-tick.C:
		}
		for _, w := range p.all() {
			if w.spoke.Load() { // before that, it waits for its greeting alone
				w.control.ping()
			}
		}
		for _, w := range p.ready() {
			w.judge(time.Now())
		}
	}
}

// judge replaces a worker that is too old, or holds too much memory.
func (w *worker) judge(now time.Time) {
	age := now.Sub(w.born)
	if age >= w.share.age {
		w.expire("it is as old as it may get")
	}
	if w.share.resident == noLimit || age < w.pool.restBeforeWeighing {
		return
	}
	if _, resident, err := subprocess.Memory(w.pid); err == nil && resident > w.share.resident {
		w.expire("it holds more memory than it may")
	}
}

// pong takes an answer. Only a loop that stands still is a reason to end a worker: one
// that does not answer may be busy in a library that keeps the interpreter's lock.
func (w *worker) pong(blocked time.Duration) {
	if blocked >= w.pool.config.BlockTimeout {
		w.process.Kill(errBlocked)
	}
}
