package executor

import (
	"context"
	"runtime"
	"runtime/debug"
	"time"
)

// worker is what runs on the pool.
func (c *Class) worker() {
	defer c.left.Done()
	if !c.config.CPU {
		c.serve()
		return
	}
	onOwnThread(func() {
		c.lowerPriority()
		c.serve()
	})
}

// onOwnThread runs fn on a thread that ends with it. The process's first thread
// cannot end, and its priority is what tools show as that of the process: while
// it is held here, another goroutine gets another thread.
func onOwnThread(fn func()) {
	runtime.LockOSThread() // never unlocked: a goroutine that ends so ends its thread
	if !onFirstThread() {
		fn()
		return
	}
	done := make(chan struct{})
	go func() { // ends with fn, which is waited for
		defer close(done)
		runtime.LockOSThread()
		fn()
	}()
	<-done
	runtime.UnlockOSThread()
}

// serve runs the best job that waits until none does. A worker that computes
// stays: its thread is of no other use, since without privilege nobody can raise
// a priority.
func (c *Class) serve() {
	returned := false
	defer func() {
		if !returned { // a job called Goexit, and takes the goroutine with it
			c.mu.Lock()
			defer c.mu.Unlock()
			c.workers--
			c.dispatch()
		}
	}()
	for t, ctx := c.next(true); t != nil; t, ctx = c.next(false) {
		c.perform(t, ctx)
	}
	returned = true
}

// next returns the task that is to run, and its context. Without one the worker
// is no longer counted, and ends. sent says that dispatch has sent it to look.
func (c *Class) next(sent bool) (*task, context.Context) {
	swept := false
	for {
		var settled batch
		c.mu.Lock()
		if sent {
			c.seeking--
			sent = false
		}
		if c.workers > c.limit {
			c.workers--
			c.mu.Unlock()
			return nil, nil
		}
		t, ctx := c.take(&settled)
		switch {
		case t != nil:
			c.dispatch() // what was blocked before may not be now
			c.mu.Unlock()
			settled.deliver(c)
			return t, ctx
		case !settled.empty():
			c.mu.Unlock()
			settled.deliver(c)
		case c.queue.Blocked() && !swept:
			c.mu.Unlock()
			c.exec.nested.sweep()
			swept = true
		case c.config.CPU && !c.stopping:
			c.parked++
			c.work.Wait() // whoever wakes it counts it as seeking, no longer as parked
			sent = true
			c.mu.Unlock()
		default:
			c.workers--
			c.mu.Unlock()
			return nil, nil
		}
	}
}

// take makes a task run.
func (c *Class) take(settled *batch) (*task, context.Context) {
	now := time.Now()
	it, dropped := c.queue.Take(now)
	c.drop(dropped, now, settled)
	if it == nil {
		return nil, nil
	}
	t := it.Value.(*task)
	t.state, t.began, t.place = running, now, len(c.running)
	t.profile = c.labels.of(c.name, t.label)
	c.running = append(c.running, t)
	c.count.queueTime.add(now.Sub(t.Arrived()))
	if c.config.LongRun != endless {
		c.watch(now, now.Add(c.config.LongRun))
	}
	ctx, cancel := context.WithCancelCause(t)
	t.cancel = cancel
	return t, ctx
}

// perform runs a task to its end, whatever that is.
func (c *Class) perform(t *task, ctx context.Context) {
	var value any
	var err error
	returned := false
	defer func() {
		if !returned {
			value, err = nil, panicked(recover())
		}
		c.finish(t, value, err)
	}()
	setProfile(t.profile)
	if ctx.Err() != nil {
		err = context.Cause(ctx) // it came while the task was being taken
	} else {
		value, err = t.run(ctx)
	}
	returned = true
}

func panicked(value any) *PanicError {
	if value == nil {
		value = errGoexit
	}
	return &PanicError{Value: value, Stack: debug.Stack()}
}

// finish hands out what came of a task.
func (c *Class) finish(t *task, value any, err error) {
	var settled batch
	failure := err
	c.mu.Lock()
	ran := time.Since(t.began)
	last := len(c.running) - 1
	c.running[t.place] = c.running[last]
	c.running[t.place].place = t.place
	c.running[last] = nil
	c.running = c.running[:last]
	c.queue.Done(&t.Item, ran)
	c.count.ran(ran, err)
	unheard := len(t.futures) == 0
	if t.key == "" && t.Context.Err() != nil {
		// It was told before its future was. What it made of that is no result.
		value, err, unheard = nil, context.Cause(t.Context), true
	}
	c.fulfil(t, value, err, &settled)
	c.end(t, &settled)
	c.mu.Unlock()
	t.cancel(context.Canceled) // what it left behind
	settled.deliver(c)
	if p, ok := failure.(*PanicError); ok && unheard {
		c.exec.log.Error("executor job panicked", "class", c.name, "job", t.label, "panic", p.Value, "stack", string(p.Stack))
	}
}
