package nethttp

import (
	"slices"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/internal/engine"
)

// exchange is what the exchanges of both protocols share: the loop, the
// application's end, and what it has asked for.
//
// Loop-owned: call only from its event loop, except Post, PostOwed and Owned.
type exchange struct {
	loop
	h        *Handler
	self     asgi.Exchange // the whole of which this is a part
	receiver asgi.Receiver
	order    asgi.Order
	log      record

	paused    bool // by the application
	congested bool // the outbox was above its high watermark
	gone      bool // the peer is
	ended     bool // the application is
	over      bool // the connection has nothing to do with this exchange any more
	timers    engine.Timers
}

// finish ends the connection's part in the exchange, end the application's.
func (x *exchange) finish() {
	if !x.over {
		x.over = true
		x.h.forget(x)
	}
	x.stopTimers()
}

func (x *exchange) end() { x.ended = true; x.stopTimers() }

// ready reports whether data may be delivered. A peer that does not read is not
// read from either: what it asks for next would only pile up.
func (x *exchange) ready() bool { return !x.paused && !x.congested }

// Reclaim has nothing to do: what is not immutable is copied at once.
func (x *exchange) Reclaim() {}

// Keep returns a copy: the memory that is read into is used again.
func (x *exchange) Keep(p []byte) []byte { return slices.Clone(p) }

// Recycle leaves p to the collector.
func (x *exchange) Recycle(p []byte) {}

func (x *exchange) Adopt()      { x.adopt() }
func (x *exchange) Owned() bool { return x.owned() }

func (x *exchange) Post(fn func()) bool {
	return x.offer(func() { x.protect(fn) }, x.h.cfg.MailboxTasks)
}

// PostOwed is what the adapters of package asgi look for: no bound must lose
// what an application waits for.
func (x *exchange) PostOwed(fn func()) bool {
	x.post(func() { x.protect(fn) })
	return true
}

// PostLimit is what the adapters of package asgi look for: they have mailboxes of
// their own.
func (x *exchange) PostLimit() int { return x.h.cfg.MailboxTasks }

// Outlive is what they look for, too: a goes on after the exchange, suspended
// perhaps for ever, and has until Shutdown.
func (x *exchange) Outlive(a interface{ Abandon() }) bool {
	x.h.mu.Lock()
	defer x.h.mu.Unlock()
	if x.h.stopped {
		return false
	}
	x.h.late[a] = x
	return true
}

// Forget ends Outlive.
func (x *exchange) Forget(a interface{ Abandon() }) {
	x.h.mu.Lock()
	defer x.h.mu.Unlock()
	delete(x.h.late, a)
}

// check is the common beginning of Send: proceed is false when ev is to be
// ignored.
func (x *exchange) check(ev asgi.SendEvent) (proceed bool, err error) {
	switch {
	case !x.owned():
		return false, asgi.ErrForeignGoroutine
	case (x.ended || x.order.Complete()) && asgi.IsNil(ev):
		return false, asgi.ErrNilEvent
	case x.ended || x.order.Complete():
		if x.h.cfg.Strict {
			return false, &asgi.OrderError{State: x.order.SendState(), Event: ev.EventType()}
		}
		return false, nil
	case x.gone:
		return false, asgi.ErrDisconnected
	}
	return true, nil
}

// open opens the exchange with the handler.
func (x *exchange) open(scope *asgi.Scope) {
	d := x.h.enroll(x) // before a handler that may block
	x.protect(func() { x.receiver = x.h.cfg.Handler.Open(scope, x.self) })
	if d != nil {
		x.deliver(d)
	}
}

// deliver hands an event to the application.
func (x *exchange) deliver(ev asgi.ReceiveEvent) {
	if x.receiver != nil && !x.ended {
		x.protect(func() { x.receiver.Receive(ev) })
	}
}

// protect runs a call of the application and ends x if it panics.
func (x *exchange) protect(fn func()) { engine.Protect(x.self, fn) }

func (x *exchange) AfterFunc(d time.Duration, fn func()) asgi.Timer {
	if x.over || x.ended {
		return engine.Stopped
	}
	return x.timers.After(x.PostOwed, d, fn)
}

func (x *exchange) stopTimers() { x.timers.Stop() }
