package executor

import (
	"context"
	"slices"

	"github.com/gale-server/gale/asgi"
)

// Future is the result of a job that was submitted, once there is one: what the
// function returned, a *PanicError, a *SaturatedError if it waited too long, the
// cause of the submitter's context, context.DeadlineExceeded, context.Canceled
// after Cancel, or ErrClosed.
//
// Safe for concurrent use.
type Future struct {
	task    *task
	parent  *task // the job that submitted this one
	joined  bool  // it is not the first of its task
	release context.CancelFunc

	// The lock of the task's class guards what follows.

	scope *scope
	place int // in scope.futures

	settled bool
	value   any
	err     error
	done    chan struct{} // made by the first Done
	wakers  []*waker

	limit   int // reports that may wait; 0: the latest one only
	reports []Progress
	room    chan struct{} // closed when there is room again; made by a Report that waits

	watcher  *watcher
	posted   bool // a call is on its way to the watcher's loop
	silenced bool // by Cancel, or the loop is gone

	// Once it is settled these are for its batch alone.
	unscope func() bool // its scope's stop, if it was the last of its scope
	toTell  bool        // post is to be called
	next    *Future

	registered bool // guarded by nestedWaits
}

// waker is called once, without a lock, when a future is settled; progress ones
// also when there is a report.
type waker struct {
	wake     func()
	progress bool
}

var closed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// Done returns a channel that is closed when there is a result. A job that calls
// it is expected to wait: see [ErrDeadlock].
func (f *Future) Done() <-chan struct{} {
	f.waitedFor()
	mu := &f.task.class.mu
	mu.Lock()
	defer mu.Unlock()
	switch {
	case f.settled:
		return closed
	case f.done == nil:
		f.done = make(chan struct{})
	}
	return f.done
}

// Result blocks the goroutine until there is a result, and returns it. It is not
// for event loops: these use [Future.Notify] or, in coroutine form, [Future.Wait].
func (f *Future) Result() (any, error) {
	<-f.Done()
	return f.outcome()
}

// Wait returns the result. In an application in coroutine form, with its ctx, it
// suspends the application, elsewhere it blocks the goroutine, until there is a
// result or ctx is done. The latter cancels nothing but the wait.
func (f *Future) Wait(ctx context.Context) (any, error) {
	if f.isSettled() {
		return f.outcome()
	}
	f.waitedFor()
	var w *waker
	v, err := asgi.Await(ctx, func(done func(any, error)) {
		w = f.onWake(false, func() { done(f.outcome()) })
	})
	if w != nil {
		f.forget(w)
	}
	return v, err
}

func (f *Future) outcome() (any, error) {
	mu := &f.task.class.mu
	mu.Lock()
	defer mu.Unlock()
	return f.value, f.err
}

// onWake calls wake when the future is settled or, if progress is set, there is a
// report; at once, if that is so already: it returns nil then.
func (f *Future) onWake(progress bool, wake func()) *waker {
	mu := &f.task.class.mu
	mu.Lock()
	if f.settled || progress && len(f.reports) > 0 {
		mu.Unlock()
		wake()
		return nil
	}
	defer mu.Unlock()
	w := &waker{wake, progress}
	f.wakers = append(f.wakers, w)
	return w
}

// forget undoes onWake.
func (f *Future) forget(w *waker) {
	mu := &f.task.class.mu
	mu.Lock()
	defer mu.Unlock()
	if !f.settled { // else they are with a batch
		f.wakers = slices.DeleteFunc(f.wakers, func(other *waker) bool { return other == w })
	}
}

// Cancel fails the future with context.Canceled, if there is no result yet, and
// silences it: functions given to Notify are not called from then on, if Cancel
// is called on their loop. The job leaves the queue at once, or has its context
// cancelled if it runs, unless others have joined it.
func (f *Future) Cancel() {
	var settled batch
	c := f.task.class
	c.mu.Lock()
	f.silenced = true
	c.detach(f, context.Canceled, &settled)
	c.mu.Unlock()
	settled.deliver(c)
}

// Position returns the place of the job in its class's queue: 1 is the next to
// start, 0 has started or ended. It is an estimate, as jobs of others come and
// go, and costs time in proportion to the client's waiting jobs and to the
// clients: ask once in a while, not in a loop.
func (f *Future) Position() int {
	c := f.task.class
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.queue.Position(&f.task.Item)
}

// settle gives a future its result.
func (c *Class) settle(f *Future, value any, err error, settled *batch) {
	f.settled, f.value, f.err = true, value, err
	if f.joined {
		c.joined--
	}
	if f.done != nil {
		close(f.done)
	}
	f.makeRoom()
	f.unscope = c.unfollow(f)
	f.toTell = f.toPost()
	settled.add(f)
}
