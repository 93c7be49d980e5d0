package executor

import (
	"context"
	"fmt"
)

// Run runs fn as a job of the class and returns what it returned, or why it did
// not: see [Class.Submit] and [Future]. In an application in coroutine form, with
// its ctx, it suspends the application; elsewhere it blocks the goroutine. It is
// what `await loop.run_in_executor(...)` is in Python.
//
// When ctx is done it returns at once, with the cause. fn's context is cancelled
// then; what fn returns later is dropped.
//
// job, of which there may be one, says more about the job; its Run is not used.
// Jobs that share a Key must return the same type.
func Run[T any](ctx context.Context, c *Class, fn func(ctx context.Context) (T, error), job ...Job) (T, error) {
	var zero T
	if fn == nil {
		return zero, errNoJob
	}
	var j Job
	if len(job) > 0 {
		j = job[0]
	}
	j.Run = func(ctx context.Context) (any, error) { return fn(ctx) }
	f, err := c.Submit(ctx, j)
	if err != nil {
		return zero, err
	}
	v, err := f.Wait(ctx)
	if err != nil {
		f.Cancel() // for a wait that ended before the job
		return zero, err
	}
	result, ok := v.(T)
	if !ok && v != nil {
		return zero, fmt.Errorf("executor: job with the key %q returned %T, not %T", j.Key, v, zero)
	}
	return result, nil
}

// Go runs fn as a job whose result nobody wants; it never waits in vain. It is an
// asgi.Runner for handlers and applications that block:
//
//	asgi.Serial(handler, e.Class(executor.Blocking).Go)
//
// fn is lost only if the executor is shut down before it had its turn.
func (c *Class) Go(fn func()) error {
	if fn == nil {
		return errNoJob
	}
	_, err := c.Submit(context.Background(), Job{
		Run:          func(context.Context) (any, error) { fn(); return nil, nil },
		MaxQueueTime: -1,
	})
	return err
}
