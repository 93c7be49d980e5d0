package python

import (
	"container/list"
	"sync"
	"sync/atomic"

	"github.com/gale-server/gale/asgi"
)

// waiting are the exchanges that wait for a worker, in the order in which they came.
//
// Safe for concurrent use.
type waiting struct {
	most int

	waits atomic.Int32 // the length of the queue
	mu    sync.Mutex
	queue list.List // of *waiter
}

// waiter is one of them.
type waiter struct {
	place *list.Element // nil once it waits no more; guarded by the list's lock
	loop  asgi.Loop
	try   func() bool // on the loop; false if it has to go on waiting
	timer asgi.Timer
}

// wait has an exchange wait until try is true, which is called on its loop when there may
// be a worker. If it has to wait for too long, or too many do, failed is called instead;
// in the latter case at once, and there is no waiter.
func (h *Handler) wait(x asgi.Exchange, try func() bool, failed func(why error)) *waiter {
	if why := h.hopeless(); why != nil {
		failed(why)
		return nil
	}
	w := &waiter{loop: asgi.LoopOf(x), try: try}
	if !h.waiting.enter(w) {
		failed(ErrBusy)
		return nil
	}
	w.timer = x.AfterFunc(h.config.StartTimeout, func() {
		if h.waiting.leave(w) {
			failed(h.hopeless())
		}
	})
	if len(h.pool.ready()) > 0 { // one has become ready meanwhile, or has room
		h.waiting.next()
	}
	return w
}

// hopeless says why no worker will be ready soon; nil if one may be.
func (h *Handler) hopeless() error {
	if h.pool.over() {
		return ErrClosed
	}
	return h.pool.failure()
}

func (q *waiting) enter(w *waiter) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.queue.Len() >= q.most {
		return false
	}
	w.place = q.queue.PushBack(w)
	q.waits.Add(1)
	return true
}

// leave takes a waiter out, and reports whether it waited.
func (q *waiting) leave(w *waiter) bool {
	if w == nil {
		return false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if w.place == nil {
		return false
	}
	q.queue.Remove(w.place)
	w.place = nil
	q.waits.Add(-1)
	return true
}

// wake has all that wait try again.
func (q *waiting) wake() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for e := q.queue.Front(); e != nil; e = e.Next() {
		w := e.Value.(*waiter)
		w.loop.Post(func() { q.again(w) })
	}
}

// next has the one that has waited longest try again: there is room for one more.
func (q *waiting) next() {
	if q.waits.Load() == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if e := q.queue.Front(); e != nil {
		w := e.Value.(*waiter)
		w.loop.Post(func() { q.again(w) })
	}
}

// empty reports whether nobody waits.
func (q *waiting) empty() bool { return q.waits.Load() == 0 }

// again is wake for one, on its loop. Where it found room, or has left, another may.
func (q *waiting) again(w *waiter) {
	q.mu.Lock()
	waits := w.place != nil
	q.mu.Unlock()
	if waits && !w.try() {
		return
	}
	if q.leave(w) {
		w.timer.Stop()
	}
	q.next()
}
