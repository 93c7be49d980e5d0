package executor

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
)

// nestedWaits is the futures that jobs wait for. It finds those that would wait
// for ever.
//
// A job that waits holds its worker. Call a wait dead if its job is queued in a
// class all of whose workers are held by dead waits, or running and itself a dead
// wait. Nothing but somebody giving up ends those; all others will end by
// themselves. So the largest set of dead waits is what is looked for, by taking
// all for dead and letting go those that are not until none is left to let go.
//
// No class's lock is held over the look, and need not be: a wait that is seen
// unsettled holds its worker from before the look on, since it is removed under
// this lock. Hence no class whose workers are all seen to be held has started
// anything in the meantime.
//
// Safe for concurrent use.
type nestedWaits struct {
	n     atomic.Int32
	mu    sync.Mutex
	waits []*Future
}

// waitedFor tells that somebody is about to wait for the future. If that is a job
// and it would wait for ever, the future fails.
func (f *Future) waitedFor() {
	if f.parent != nil {
		f.task.class.exec.nested.add(f)
	}
}

func (n *nestedWaits) add(f *Future) {
	n.mu.Lock()
	if f.registered || f.isSettled() {
		n.mu.Unlock()
		return
	}
	f.registered = true
	n.waits = append(n.waits, f)
	n.n.Add(1)
	dead := slices.Contains(n.dead(), f)
	n.mu.Unlock()
	if dead {
		f.fail()
	}
}

func (n *nestedWaits) remove(f *Future) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if i := slices.Index(n.waits, f); i >= 0 {
		n.waits = slices.Delete(n.waits, i, i+1)
		n.n.Add(-1)
	}
}

// sweep looks for waits that have died because a class has fewer workers, or no
// room for what a job needs. To fail one may free the others.
func (n *nestedWaits) sweep() {
	for n.n.Load() > 0 {
		n.mu.Lock()
		dead := n.dead()
		n.mu.Unlock()
		if len(dead) == 0 {
			return
		}
		dead[0].fail()
	}
}

func (f *Future) isSettled() bool {
	mu := &f.task.class.mu
	mu.Lock()
	defer mu.Unlock()
	return f.settled
}

// fail settles a future with ErrDeadlock.
func (f *Future) fail() {
	var settled batch
	c := f.task.class
	c.mu.Lock()
	if !f.settled {
		c.count.deadlocks++
		c.detach(f, fmt.Errorf("executor: class %s: %w", c.name, ErrDeadlock), &settled)
	}
	c.mu.Unlock()
	settled.deliver(c)
}

// wait is a nested wait as one look sees it.
type wait struct {
	future *Future
	of     *task // who waits
	queued bool  // what it waits for has not started
}

// dead returns the waits that will never end.
func (n *nestedWaits) dead() (dead []*Future) {
	var waits []wait
	for _, f := range n.waits {
		c := f.task.class
		c.mu.Lock()
		settled, state := f.settled, f.task.state
		c.mu.Unlock()
		if !settled && f.parent.runs() {
			waits = append(waits, wait{f, f.parent, state == queued})
		}
	}
	for {
		held := make(map[*Class]map[*task]bool) // who holds workers by a dead wait
		for _, w := range waits {
			if held[w.of.class] == nil {
				held[w.of.class] = make(map[*task]bool)
			}
			held[w.of.class][w.of] = true
		}
		before := len(waits)
		waits = slices.DeleteFunc(waits, func(w wait) bool {
			t := w.future.task
			if w.queued {
				return !t.class.exhausted(len(held[t.class]))
			}
			return !held[t.class][t]
		})
		if len(waits) == before {
			break
		}
	}
	for _, w := range waits {
		dead = append(dead, w.future)
	}
	return dead
}

// exhausted reports whether the class can start nothing while so many of its jobs
// wait.
func (c *Class) exhausted(waiting int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return waiting >= c.limit || c.queue.Blocked() && waiting == len(c.running)
}
