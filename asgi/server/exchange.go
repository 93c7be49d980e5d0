package server

import (
	"math"
	"slices"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/internal/engine"
	"github.com/gale-server/gale/eventloop"
)

// exchange is what the exchanges of both protocols share: the application's
// end, and what it has asked for.
//
// Loop-owned: call only from its event loop, except Post, PostOwed and Owned.
type exchange struct {
	c         *conn
	receiver  asgi.Receiver
	order     asgi.Order
	paused    bool // by the application
	congested bool // the conn is, or a file is being sent
	lending   bool // the outbox may refer to a payload that was lent; it is congested then
	gone      bool // the peer is
	ended     bool // the application is
	over      bool // the conn has nothing to do with this exchange any more
	timers    *timer
}

// finish ends the conn's part in the exchange, end the application's.
func (x *exchange) finish() { x.over = true; x.Reclaim(); x.stopTimers() }
func (x *exchange) end()    { x.ended = true; x.Reclaim(); x.stopTimers() }

// ready reports whether data may be delivered. A peer that does not read is not
// read from either: what it asks for next would only pile up.
func (x *exchange) ready() bool { return !x.paused && !x.congested }

func (x *exchange) Buffered() int {
	if x.over {
		return 0
	}
	return x.c.sock.Buffered()
}

// Congested is true of a conn that broke in this turn, too: who sends until it
// is would never stop.
func (x *exchange) Congested() bool {
	return x.congested || !x.over && x.c.sock.Ended()
}

// Reclaim ends what was lent, with a copy of what is still needed.
func (x *exchange) Reclaim() {
	if x.lending {
		x.lending = false
		x.c.sock.Reclaim()
	}
}

// Keep gives up the memory of a message that was gathered for it.
func (x *exchange) Keep(p []byte) []byte {
	if w := x.c.w; w.received != nil && w.received.Holds(p) && !w.received.Shared() {
		w.received = nil // nobody gives it back
		return p
	}
	if len(p) < pooledBytes {
		return slices.Clone(p)
	}
	return append(x.c.w.loop.Take(len(p)), p...)
}

// pooledBytes is from where a copy of a payload lies in the loop's memory: below it
// costs the collector little.
const pooledBytes = 4 << 10

func (x *exchange) Recycle(p []byte) { x.c.w.loop.Give(p) }

// write hands a large payload to the socket. What lies in the message being
// received stays as it is, since nobody may change that.
func (x *exchange) write(p []byte, l asgi.Lifetime) {
	sock, received := x.c.sock, x.c.w.received
	switch {
	case received != nil && received.Holds(p):
		sock.WriteBuffer(p, received)
	case l == asgi.Immutable:
		sock.WriteImmutable(p)
	case l == asgi.UntilWritable:
		sock.WriteLent(p)
		x.lending = sock.Congested()
	default:
		sock.Write(p)
	}
}

func (x *exchange) Pause()  { x.setPaused(true) }
func (x *exchange) Resume() { x.setPaused(false) }

// setPaused has the conn reconsider what it expects of its peer.
func (x *exchange) setPaused(paused bool) {
	if x.paused == paused {
		return
	}
	x.paused = paused
	if !x.over {
		x.c.wake()
	}
}

func (x *exchange) Adopt()      { x.c.w.loop.Adopt() }
func (x *exchange) Owned() bool { return x.c.w.loop.Owned() }

// Loop is what asgi.LoopOf looks for.
func (x *exchange) Loop() asgi.Loop { return x.c.w }

// check is the common beginning of Send: proceed is false when ev is to be
// ignored.
func (x *exchange) check(ev asgi.SendEvent) (proceed bool, err error) {
	switch {
	case !x.Owned():
		return false, asgi.ErrForeignGoroutine
	case (x.ended || x.order.Complete()) && asgi.IsNil(ev):
		return false, asgi.ErrNilEvent
	case x.ended || x.order.Complete():
		if x.c.w.srv.cfg.Strict {
			return false, &asgi.OrderError{State: x.order.SendState(), Event: ev.EventType()}
		}
		return false, nil
	case x.gone || x.c.sock.Ended():
		return false, asgi.ErrDisconnected
	}
	return true, nil
}

// wrote notes that something was written to the outbox.
func (x *exchange) wrote() {
	if !x.congested && x.c.sock.Congested() {
		x.congested = true
		x.c.wake()
	}
}

// open opens an exchange with the handler.
func open(h asgi.Handler, scope *asgi.Scope, x asgi.Exchange) (r asgi.Receiver) {
	engine.Protect(x, func() { r = h.Open(scope, x) })
	return r
}

// deliver hands an event to the application.
func deliver(x asgi.Exchange, r asgi.Receiver, ev asgi.ReceiveEvent) {
	if r == nil {
		return
	}
	returned := false
	defer func() {
		if !returned {
			x.End(asgi.Recovered(recover()))
		}
	}()
	r.Receive(ev)
	returned = true
}

// PostLimit is what the adapters of package asgi look for: they have mailboxes of
// their own.
func (x *exchange) PostLimit() int {
	if n := x.c.w.srv.cfg.Loop.MailboxTasks; n > 0 {
		return n
	}
	return math.MaxInt // or the loop's default, which is above theirs
}

// post implements Exchange.Post for x.
func post(loop *eventloop.Loop, x asgi.Exchange, fn func()) bool {
	return loop.Post(func() { engine.Protect(x, fn) })
}

// postOwed implements PostOwed for x, which the adapters of package asgi look
// for: a full mailbox must not lose what an application waits for.
func postOwed(loop *eventloop.Loop, x asgi.Exchange, fn func()) bool {
	return loop.PostOwed(func() { engine.Protect(x, fn) })
}
