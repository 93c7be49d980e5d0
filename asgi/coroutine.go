package asgi

import (
	"context"
	"iter"
	"runtime/debug"
)

// Coroutine runs app as a coroutine on the exchange's loop: about 3 KiB per
// exchange for its stack, and a switch of some 40 ns where a goroutine would
// need a channel. app must not block the loop: it waits in receive, send,
// [Await] and [Sleep] only.
//
// It starts at once, before the request's body has come. Delivery is never ahead
// of it by more than one event.
func Coroutine(app Application) Handler {
	return HandlerFunc(func(scope *Scope, x Exchange) Receiver {
		c := &coroutine{x: x}
		c.ctx.owner = c
		c.next, _ = iter.Pull(func(yield func(struct{}) bool) {
			c.yield = yield
			c.run(app, scope)
		})
		c.paused = true // nothing is read before the application asks (Expect: 100-continue)
		x.Pause()
		c.resume()
		return c
	})
}

// coroutine is the state between an Application and its Exchange. It is owned
// by the loop, or by the application's goroutine while the loop has switched to
// it; never both.
type coroutine struct {
	ctx   appContext
	x     Exchange
	next  func() (struct{}, bool) // the loop switches to the application
	yield func(struct{}) bool     // the application switches to the loop

	data    ReceiveEvent // delivered, not yet received
	aside   ReceiveEvent // delivered in spite of a pause; comes behind data
	gone    ReceiveEvent // the disconnect, from when it came
	sending SendEvent    // handed to the loop by send; nil else
	sendErr error        // what became of it
	err     error        // what the application returned

	parks    uint32 // counts parks, so that a late wake-up finds its park over
	burst    int32  // what was sent since the last park, as maxBurst counts
	futile   int16  // calls that failed at once, since the last park
	parked   parking
	paused   bool // delivery stands still until the application receives
	outlives bool // it goes on after the disconnect, and the engine knows
	stopped  bool // the loop stops: nothing wakes the application any more
	running  bool // the loop has switched to the application
	finished bool
}

// parking is what a suspended application waits for.
type parking uint8

const (
	parkedReceive parking = iota
	parkedSend
	parkedAwait
)

// maxFutile ends an application that spins, on a disconnect or on a context that
// is done: on the loop it would hold every other connection.
const maxFutile = 1000

// maxBurst is what an application may send before the loop gets a turn, in bytes
// of payload and burstPerEvent for each event: a peer that reads as fast as the
// application writes would never congest the outbox.
const (
	maxBurst      = 256 << 10
	burstPerEvent = 256
)

func coroutineOf(ctx context.Context) *coroutine {
	c, _ := ctx.Value(ownerKey{}).(*coroutine)
	if c == nil || !c.x.Owned() || !c.running {
		return nil
	}
	return c
}

// Receive takes an event from the engine, on the loop.
func (c *coroutine) Receive(ev ReceiveEvent) {
	if c.finished {
		return
	}
	switch ev.(type) {
	case *Writable:
		if c.parked == parkedSend {
			c.resume()
		}
	case *HTTPDisconnect, *WebSocketDisconnect:
		c.gone = CloneReceive(ev)
		c.ctx.end(ErrDisconnected)
		c.resume()
	case *Drain, *LifespanShutdown:
		c.aside = CloneReceive(ev)
		c.resumeReceive()
	default:
		c.data = keepReceive(c.x, ev)
		c.resumeReceive()
		if c.data != nil && !c.finished {
			c.paused = true
			c.x.Pause()
		}
	}
}

// Abandon brings an application to its end whose loop is about to stop: one that
// gets no disconnect, or goes on after it. A coroutine that is never resumed
// would stay for ever. Engines look for this method.
func (c *coroutine) Abandon() {
	if !c.finished {
		c.stopped = true
		c.ctx.end(context.Canceled)
		c.resume()
	}
}

// over is why a call with ctx must not wait any longer: ctx's error, with its
// cause, or that the loop stops, whatever ctx says.
func (c *coroutine) over(ctx context.Context) (err, cause error) {
	if err := ctx.Err(); err != nil {
		return err, context.Cause(ctx)
	}
	if c.stopped {
		return errLoopStopped, errLoopStopped
	}
	return nil, nil
}

func (c *coroutine) resumeReceive() {
	if c.parked == parkedReceive {
		c.resume()
	}
}

// wake resumes an application parked in Await or Sleep, on the loop.
func (c *coroutine) wake() {
	if c.parked == parkedAwait && !c.finished {
		c.resume()
	}
}

// resume switches to the application until it parks or ends.
func (c *coroutine) resume() {
	if c.running {
		return // it will look before it parks
	}
	alive := true
	for again := true; again; again = c.sendHeld() {
		c.running = true
		alive = c.step()
		c.running = false
		c.x.Adopt()
	}
	if !alive {
		c.finished = true
		if c.outlives {
			forget(c.x, c)
		}
		c.ctx.end(context.Canceled)
		c.x.End(c.err)
	}
}

// sendHeld sends what the application has handed over, and reports whether
// there was anything. It is done on the loop's stack, for that is large: an
// application that never ran down into the server keeps the 2 KiB it began with.
func (c *coroutine) sendHeld() bool {
	if c.sending == nil {
		return false
	}
	c.sendErr = c.x.Send(c.sending)
	c.sending = nil
	return true
}

func (c *coroutine) step() (alive bool) {
	// A Goexit arrives here as a panic (see run); it must not end the loop.
	defer func() {
		if r := recover(); r != nil {
			c.err = &PanicError{Value: r, Stack: debug.Stack()}
		}
	}()
	_, alive = c.next()
	return alive
}

// run is the body of the coroutine, on its own goroutine.
func (c *coroutine) run(app Application, scope *Scope) {
	returned := false
	defer func() {
		if returned {
			return
		}
		r := recover()
		if r == nil {
			panic(errGoexit) // iter.Pull would pass a Goexit on to the loop
		}
		c.err = &PanicError{Value: r, Stack: debug.Stack()}
	}()
	c.x.Adopt()
	c.err = app(&c.ctx, scope, c.receive, c.send)
	returned = true
}

// park suspends the application until the loop resumes it. The caller looks
// again at what it waits for: a wake-up promises nothing.
func (c *coroutine) park(ctx context.Context, why parking) {
	if c.gone != nil && !c.outlives {
		c.outlives = true
		c.stopped = !outlive(c.x, c)
	}
	if c.stopped {
		return
	}
	c.parks++
	if ctx != context.Context(&c.ctx) && ctx.Done() != nil {
		turn := c.parks
		stop := context.AfterFunc(ctx, func() {
			PostOwed(c.x, func() {
				if c.parks == turn && !c.finished {
					c.resume()
				}
			})
		})
		defer stop()
	}
	c.parked = why
	c.futile, c.burst = 0, 0
	c.yield(struct{}{})
	c.x.Adopt()
}

func (c *coroutine) receive(ctx context.Context) (ReceiveEvent, error) {
	if !c.x.Owned() || !c.running {
		return nil, ErrForeignGoroutine
	}
	for {
		if ev := c.take(); ev != nil {
			return ev, nil
		}
		if err, _ := c.over(ctx); err != nil {
			return nil, c.fail(err)
		}
		if c.paused {
			c.paused = false
			c.x.Resume()
		}
		c.park(ctx, parkedReceive)
	}
}

func (c *coroutine) take() (ev ReceiveEvent) {
	switch {
	case c.data != nil:
		ev, c.data = c.data, nil
	case c.aside != nil:
		ev, c.aside = c.aside, nil
	case c.gone != nil:
		c.fail(nil)
		ev = c.gone
	}
	return ev
}

func (c *coroutine) send(ctx context.Context, ev SendEvent) error {
	if !c.x.Owned() || !c.running {
		return ErrForeignGoroutine
	}
	if IsNil(ev) {
		return ErrNilEvent
	}
	if c.burst > maxBurst && c.gone == nil && !c.stopped {
		PostOwed(c.x, c.wake)
		c.park(&c.ctx, parkedAwait)
	}
	for c.x.Congested() && c.gone == nil {
		if err, _ := c.over(ctx); err != nil {
			return c.fail(err)
		}
		c.park(ctx, parkedSend)
	}
	c.burst += int32(min(Size(ev), maxBurst)) + burstPerEvent
	loan := lent(ev, lendBytes)
	if c.sending = ev; loan != nil {
		c.sending = loan
	}
	c.yield(struct{}{})
	c.x.Adopt()
	if c.gone != nil {
		c.fail(nil)
	}
	err := c.sendErr
	if loan != nil && err == nil {
		c.takeBack(ctx)
	}
	return err
}

// takeBack suspends the application until the engine refers no more to the payload
// that was lent, or ctx is done: what is left is copied then.
func (c *coroutine) takeBack(ctx context.Context) {
	for c.x.Congested() && c.gone == nil {
		if err, _ := c.over(ctx); err != nil {
			c.x.Reclaim()
			return
		}
		c.park(ctx, parkedSend)
	}
}

// fail counts a call that neither suspends nor gets anywhere, and returns err.
func (c *coroutine) fail(err error) error {
	if c.futile++; c.futile > maxFutile {
		panic("asgi: application goes on and on after a disconnect, or with a context that is done")
	}
	return err
}
