package asgi

import (
	"context"
	"math"
	"sync"
	"time"
)

// ApplicationOf makes an Application of a Handler, so that it can stand behind
// middleware written in coroutine form. The handler runs on the application's
// goroutine; its Send suspends while the outbox is above its high watermark, so
// that it never sees congestion or a Writable event. While it has paused, a
// Drain event may wait behind data. Of its posts 65,536 may wait. The application
// returns when the handler has ended or got its disconnect.
//
// A handler whose context is cancelled by such middleware gets its disconnect,
// and the application returns the context's error.
func ApplicationOf(h Handler) Application {
	return func(ctx context.Context, scope *Scope, receive Receive, send Send) error {
		a := &adapted{ctx: ctx, next: send, outer: coroutineOf(ctx)}
		a.thread, _ = ctx.Value(ownerKey{}).(*threaded)
		defer a.close()
		r := h.Open(scope, a)
		if r == nil {
			r = ReceiverFunc(func(ReceiveEvent) {})
		}
		for {
			a.runPosted()
			if a.ended {
				return a.result
			}
			ev, err := a.receive(receive)
			switch {
			case err == nil:
				r.Receive(ev)
				if (item{ev: ev}).last() {
					return a.result
				}
			case ctx.Err() != nil:
				if last := disconnectOf(scope.Type); last != nil {
					r.Receive(last)
				} else if r, ok := r.(abandoner); ok {
					r.Abandon()
				}
				return err
			}
		}
	}
}

// adapted is the Exchange of a handler that runs as an application.
type adapted struct {
	ctx    context.Context
	next   Send
	outer  *coroutine // what the application runs on; nil for a goroutine
	thread *threaded  // that goroutine, if it is of an exchange
	paused bool
	ended  bool
	result error

	mu     sync.Mutex
	posted []func()
	wake   context.CancelFunc // interrupts the receive under way; nil when there is none
	closed bool               // the application has returned
	late   bool               // runLate is under way
}

// receive waits for an event or a post; while the handler has paused, for a
// post only.
func (a *adapted) receive(receive Receive) (ReceiveEvent, error) {
	ctx, cancel := context.WithCancel(a.ctx)
	defer cancel()
	a.mu.Lock()
	waiting := len(a.posted) > 0
	a.wake = cancel
	a.mu.Unlock()
	switch {
	case waiting && a.outer != nil:
		PostOwed(a.outer.x, cancel) // not at once: a handler that posts to itself lets the loop go on
	case waiting:
		cancel()
	}
	if !a.paused {
		return receive(ctx)
	}
	_, err := Await(ctx, func(func(ReceiveEvent, error)) {})
	for a.ctx.Err() != nil { // a pause does not hold back the last event
		ev, err := receive(a.ctx)
		if err != nil || (item{ev: ev}).last() {
			return ev, err
		}
	}
	return nil, err
}

func (a *adapted) runPosted() {
	a.mu.Lock()
	posted := a.posted
	a.posted, a.wake = nil, nil
	a.mu.Unlock()
	for _, fn := range posted {
		fn()
	}
}

func (a *adapted) Send(ev SendEvent) error {
	switch {
	case IsNil(ev):
		return ErrNilEvent
	case a.ended:
		return nil
	case a.over():
		return ErrDisconnected
	}
	return a.next(a.ctx, ev)
}

func (a *adapted) Buffered() int   { return 0 }
func (a *adapted) Congested() bool { return false }
func (a *adapted) Reclaim()        {}

// Keep: what an application receives belongs to it already.
func (a *adapted) Keep(p []byte) []byte { return p }

func (a *adapted) Recycle(p []byte) {
	if a.outer != nil {
		a.outer.x.Recycle(p)
	}
}

func (a *adapted) Pause()  { a.paused = true }
func (a *adapted) Resume() { a.paused = false }

func (a *adapted) Adopt() {
	if a.outer != nil {
		a.outer.x.Adopt()
	}
}

func (a *adapted) Owned() bool { return a.outer == nil || a.outer.x.Owned() }

// close runs what was posted; what is posted from now on runs without the
// application.
func (a *adapted) close() {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.runPosted()
}

// runLate runs what is posted after the application has returned.
func (a *adapted) runLate() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.posted) > 0 {
		a.mu.Unlock()
		a.runPosted()
		a.mu.Lock()
	}
	a.late = false
}

func (a *adapted) End(err error) {
	if !a.ended {
		a.ended, a.result = true, err
	}
}

func (a *adapted) Post(fn func()) bool { return a.post(fn, maxPosts) }

// PostOwed is Post for what somebody waits for, and something else bounds.
func (a *adapted) PostOwed(fn func()) bool { return a.post(fn, math.MaxInt) }

// post has fn run unless limit functions wait.
func (a *adapted) post(fn func(), limit int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.closed && a.outer != nil && limit < math.MaxInt:
		return a.outer.x.Post(fn)
	case a.closed && a.outer != nil:
		return PostOwed(a.outer.x, fn)
	case len(a.posted) >= limit:
		return false
	}
	a.posted = append(a.posted, fn)
	switch {
	case a.closed && !a.late:
		a.late = true
		go a.runLate() // ends when nothing is posted any more
	case a.wake != nil:
		a.wake()
	}
	return true
}

func (a *adapted) AfterFunc(d time.Duration, fn func()) Timer {
	post := func() {
		a.PostOwed(func() {
			if !a.over() {
				fn()
			}
		})
	}
	if a.outer != nil {
		return a.outer.x.AfterFunc(d, post)
	}
	return time.AfterFunc(d, post)
}

// Outlive implements keeper, by that of the exchange behind the application.
func (a *adapted) Outlive(who interface{ Abandon() }) bool {
	switch {
	case a.outer != nil:
		return outlive(a.outer.x, who)
	case a.thread != nil:
		late := lateAbandon{a, who}
		kept := PostOwed(a.thread.x, func() {
			if !outlive(a.thread.x, late) {
				late.Abandon()
			}
		})
		return kept
	}
	return true
}

// Forget implements keeper.
func (a *adapted) Forget(who interface{ Abandon() }) {
	switch {
	case a.outer != nil:
		forget(a.outer.x, who)
	case a.thread != nil:
		PostOwed(a.thread.x, func() { forget(a.thread.x, lateAbandon{a, who}) })
	}
}

// lateAbandon abandons somebody where a's posts run, not on the loop.
type lateAbandon struct {
	a   *adapted
	who abandoner
}

func (l lateAbandon) Abandon() { l.a.PostOwed(l.who.Abandon) }

func (a *adapted) over() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.closed
}
