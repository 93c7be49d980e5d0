package executor

import (
	"context"
	"slices"

	"github.com/gale-server/gale/asgi"
)

// Progress is what a job tells while it runs.
type Progress struct {
	Percent int // of the work, 0 to 100
	Partial any // a part of the result, or nil; it belongs to whoever gets it
}

// Poster runs functions on an event loop; an asgi.Exchange is one.
type Poster interface {
	// Post runs fn on the loop, in order, and never blocks. It reports false if
	// the loop has stopped, and then fn does not run. A Poster that refuses when
	// too much waits has a method PostOwed as well, which does not: see
	// asgi.PostOwed.
	Post(fn func()) bool
}

// Report tells the futures of the job that runs under ctx how far it is. Outside
// of a job it does nothing. It returns at once, unless a future has Job.Reports
// set and as many wait for it: then it blocks until one is taken, or returns the
// cause of ctx when that is done.
func Report(ctx context.Context, p Progress) error {
	t := taskOf(ctx)
	if t == nil {
		return nil
	}
	c := t.class
	c.mu.Lock()
	if t.state != running {
		c.mu.Unlock()
		return context.Cause(ctx)
	}
	futures := slices.Clone(t.futures)
	c.mu.Unlock()
	for _, f := range futures {
		if err := f.report(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// report adds p to what waits for the future's owner.
func (f *Future) report(ctx context.Context, p Progress) error {
	mu := &f.task.class.mu
	mu.Lock()
	for f.limit > 0 && len(f.reports) >= f.limit && !f.settled && !f.silenced {
		if f.room == nil {
			f.room = make(chan struct{})
		}
		room := f.room
		mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		mu.Lock()
	}
	if f.settled || f.silenced {
		mu.Unlock()
		return nil
	}
	if f.limit == 0 {
		f.reports = f.reports[:0]
	}
	f.reports = append(f.reports, p)
	var wakers []*waker
	f.wakers = slices.DeleteFunc(f.wakers, func(w *waker) bool {
		if w.progress {
			wakers = append(wakers, w)
		}
		return w.progress
	})
	post := f.toPost()
	mu.Unlock()
	for _, w := range wakers {
		w.wake()
	}
	if post {
		f.post()
	}
	return nil
}

func (f *Future) makeRoom() {
	if f.room != nil {
		close(f.room)
		f.room = nil
	}
}

// NextProgress returns the next report of the job. It waits as [Future.Wait]
// does. It returns false when there will be no more, or ctx is done. It is for
// one reader, and not for use beside Notify with a progress function.
func (f *Future) NextProgress(ctx context.Context) (Progress, bool) {
	f.waitedFor()
	for {
		if p, ok, over := f.takeReport(); ok || over {
			return p, ok
		}
		var w *waker
		_, err := asgi.Await(ctx, func(done func(struct{}, error)) {
			w = f.onWake(true, func() { done(struct{}{}, nil) })
		})
		if w != nil {
			f.forget(w)
		}
		if err != nil {
			return Progress{}, false
		}
	}
}

// takeReport returns the oldest report that waits; over says that none follows.
func (f *Future) takeReport() (p Progress, ok, over bool) {
	mu := &f.task.class.mu
	mu.Lock()
	defer mu.Unlock()
	if len(f.reports) == 0 {
		return p, false, f.settled
	}
	p = f.reports[0]
	f.reports = slices.Delete(f.reports, 0, 1)
	f.makeRoom()
	return p, true, false
}

// watcher is the receiving end of an application in event form.
type watcher struct {
	loop     Poster
	result   func(value any, err error)
	progress func(Progress)
}

// Notify has result called on p's loop, once, with the job's result, and before
// it progress with each report; progress may be nil. Nothing is called once
// [Future.Cancel] was called on that loop, or after the loop has stopped: a
// handler cancels its futures when its peer disconnects. It is called at most once
// per future.
func (f *Future) Notify(p Poster, result func(value any, err error), progress func(Progress)) {
	mu := &f.task.class.mu
	mu.Lock()
	if f.watcher != nil {
		mu.Unlock()
		panic("executor: Future.Notify called twice")
	}
	f.watcher = &watcher{p, result, progress}
	if progress == nil {
		f.limit = 0 // nobody will make room
		f.makeRoom()
	}
	post := (f.settled || len(f.reports) > 0) && f.toPost()
	mu.Unlock()
	if post {
		f.post()
	}
}

// toPost reports whether the caller is to call post, without the lock, since
// there is news for the watcher. One call on its way is enough.
func (f *Future) toPost() bool {
	if f.watcher == nil || f.posted || f.silenced || !f.settled && f.watcher.progress == nil {
		return false
	}
	f.posted = true
	return true
}

func (f *Future) post() {
	if asgi.PostOwed(f.watcher.loop, f.tell) { // one at a time, and nothing else tells of the result
		return
	}
	mu := &f.task.class.mu
	mu.Lock()
	defer mu.Unlock()
	f.silenced = true // its loop has stopped
	f.makeRoom()
}

// tell hands the watcher what there is, on its loop.
func (f *Future) tell() {
	mu := &f.task.class.mu
	mu.Lock()
	f.posted = false
	reports, settled := f.reports, f.settled
	f.reports = nil
	f.makeRoom()
	silenced := func() bool { // by what was just called
		mu.Lock()
		defer mu.Unlock()
		return f.silenced
	}
	mu.Unlock()
	for _, p := range reports {
		if f.watcher.progress != nil && !silenced() {
			f.watcher.progress(p)
		}
	}
	if settled && !silenced() {
		f.watcher.result(f.outcome())
	}
}
