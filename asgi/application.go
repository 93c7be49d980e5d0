package asgi

import (
	"context"
	"time"
)

// Application is an application in coroutine form: straight-line code, called
// once per scope. Its return ends the exchange, as [Exchange.End] does.
//
// ctx is cancelled, with ErrDisconnected as its cause, when the exchange is
// over. [Await], [Sleep] and what is built on them suspend the application
// when they are given ctx or a context derived from it.
type Application func(ctx context.Context, scope *Scope, receive Receive, send Send) error

// Receive returns the next receive event, which then belongs to the
// application; see [Recycle] for large payloads. It suspends until there is one or ctx is done; a receive that
// ends with ctx's error has lost no event. Once the exchange is over it returns
// the disconnect event, on this and every later call.
//
// Loop-owned: call only from its application's goroutine.
type Receive func(ctx context.Context) (ReceiveEvent, error)

// Send hands an event to the server, as [Exchange.Send] does; the event may be
// reused when it returns. It suspends while the outbox is above its high
// watermark, and fails with ErrDisconnected once the peer is gone. A send that
// ends with ctx's error has sent nothing. A large payload is written from the
// caller's memory: send suspends until the kernel has taken it, or ctx is done, when
// what is left is copied.
//
// Loop-owned: call only from its application's goroutine.
type Send func(ctx context.Context, ev SendEvent) error

// Recycle gives the payload of a received event back to the engine, which uses its
// memory again; the event has none from then on. An application in coroutine form
// that receives much and keeps little saves the collector's work so. ctx is its own;
// elsewhere Recycle only drops the payload. Whoever splits a payload for others cuts
// its capacity too (p[:n:n]): what is recycled is used up to that.
//
// Loop-owned: call only from its application's goroutine.
func Recycle(ctx context.Context, ev ReceiveEvent) {
	var p []byte
	switch e := ev.(type) {
	case *HTTPRequest:
		p, e.Body = e.Body, nil
	case *WebSocketReceive:
		p, e.Data = e.Data, nil
	}
	if len(p) < recycleBytes {
		return
	}
	if c := coroutineOf(ctx); c != nil {
		c.x.Recycle(p)
	}
}

// ApplicationMiddleware wraps an Application in another.
type ApplicationMiddleware func(Application) Application

// ChainApplication wraps app in the given middleware; the first is the
// outermost.
func ChainApplication(app Application, middleware ...ApplicationMiddleware) Application {
	for i := len(middleware) - 1; i >= 0; i-- {
		app = middleware[i](app)
	}
	return app
}

// Await calls start and suspends the application until done is called, with
// whose arguments it returns: what `await` does for a future. done may be called
// from any goroutine, once; start itself runs on the caller's goroutine and must
// not block. Await returns early, with its cause, when ctx is done; what done
// delivers then is dropped. With [context.WithoutCancel] it outlives the
// exchange, but not the loop: it returns an error when that stops.
//
// Where ctx does not come from [Coroutine], Await blocks the goroutine instead.
func Await[T any](ctx context.Context, start func(done func(T, error))) (T, error) {
	c := coroutineOf(ctx)
	if c == nil {
		return await(ctx, start)
	}
	var (
		result  T
		failure error
		settled bool
	)
	start(func(v T, err error) {
		PostOwed(c.x, func() {
			if !settled {
				result, failure, settled = v, err, true
				c.wake()
			}
		})
	})
	for !settled {
		if _, cause := c.over(ctx); cause != nil {
			var zero T
			return zero, c.fail(cause)
		}
		c.park(ctx, parkedAwait)
	}
	return result, failure
}

func await[T any](ctx context.Context, start func(done func(T, error))) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	outcomes := make(chan outcome, 1)
	start(func(v T, err error) {
		select {
		case outcomes <- outcome{v, err}:
		default:
		}
	})
	select {
	case o := <-outcomes:
		return o.value, o.err
	case <-ctx.Done():
		var zero T
		return zero, context.Cause(ctx)
	}
}

// Sleep suspends the application for d, with the resolution of the loop's
// timers. It returns early, with the cause, when ctx is done or the exchange is
// over. Where ctx does not come from [Coroutine] it blocks the goroutine.
func Sleep(ctx context.Context, d time.Duration) error {
	c := coroutineOf(ctx)
	if c == nil {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	elapsed := false
	timer := c.x.AfterFunc(d, func() {
		elapsed = true
		c.wake()
	})
	defer timer.Stop()
	for !elapsed {
		if _, cause := c.over(ctx); cause != nil {
			return c.fail(cause)
		}
		if c.gone != nil {
			return c.fail(ErrDisconnected)
		}
		c.park(ctx, parkedAwait)
	}
	return nil
}
