package asgi

import (
	"context"
	"sync"
	"time"
)

// appContext is the context of one application. The cancellable context behind
// it is made when somebody first asks for it: most requests never do.
type appContext struct {
	owner  any // what coroutineOf finds
	mu     sync.Mutex
	inner  context.Context
	cancel context.CancelCauseFunc
	cause  error // set by end
}

type ownerKey struct{}

func (c *appContext) ensure() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inner == nil {
		c.inner, c.cancel = context.WithCancelCause(context.Background())
		if c.cause != nil {
			c.cancel(c.cause)
		}
	}
	return c.inner
}

// end cancels the context with a cause; the first cause stays.
func (c *appContext) end(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		return
	}
	c.cause = cause
	if c.cancel != nil {
		c.cancel(cause)
	}
}

func (c *appContext) Deadline() (time.Time, bool) { return time.Time{}, false }
func (c *appContext) Done() <-chan struct{}       { return c.ensure().Done() }

func (c *appContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		return context.Canceled
	}
	return nil
}

func (c *appContext) Value(key any) any {
	if key == (ownerKey{}) {
		return c.owner
	}
	return c.ensure().Value(key)
}
