package asgitest

import (
	"slices"
	"time"

	"github.com/gale-server/gale/asgi"
)

// waitLimit bounds every wait for something that happens on another goroutine:
// far above what any machine needs, far below the limit of a test run.
const waitLimit = time.Minute

// Deliver gives events to the application, in order, and runs the loop until it
// is idle. An event that the specification does not allow now fails the test.
// While the application has paused, http.request and websocket.receive wait for
// its Resume; a disconnect drops those that wait. What is delivered after the
// application's end, or after the disconnect that followed its last event, is
// dropped.
func (x *Exchange) Deliver(evs ...asgi.ReceiveEvent) {
	x.tb.Helper()
	x.checkLoop("Deliver")
	x.turn()
	for _, ev := range evs {
		if x.ended || x.gone && x.order.Complete() {
			return
		}
		if err := x.order.Receive(ev); err != nil {
			x.tb.Fatalf("asgitest: the test broke the order: %v", err)
		}
		switch ev.(type) {
		case *asgi.HTTPRequest, *asgi.WebSocketReceive:
			x.pending = append(x.pending, asgi.CloneReceive(ev))
		case *asgi.HTTPDisconnect, *asgi.WebSocketDisconnect:
			x.disconnect(ev)
		default:
			x.hand(ev)
		}
		x.turn()
	}
}

// Run lets the loop run until it is idle: everything posted, everything that
// was held back by a pause.
func (x *Exchange) Run() {
	x.tb.Helper()
	x.checkLoop("Run")
	x.turn()
}

// Wait runs the loop until cond holds, waiting for posts of other goroutines;
// what says in the failure what did not happen. cond runs on the loop.
func (x *Exchange) Wait(what string, cond func() bool) {
	x.tb.Helper()
	x.checkLoop("Wait")
	limit := time.NewTimer(waitLimit)
	defer limit.Stop()
	for {
		x.turn()
		if cond() {
			return
		}
		select {
		case <-x.arrival:
		case <-limit.C:
			x.tb.Fatalf("asgitest: waited %v for %s (%v)", waitLimit, what, x)
		}
	}
}

// WaitEnded runs the loop until the application has ended and returns its
// error.
func (x *Exchange) WaitEnded() error {
	x.tb.Helper()
	x.Wait("the application's end", x.Ended)
	return x.result
}

// WaitSent runs the loop until at least n events were sent and returns all of
// them.
func (x *Exchange) WaitSent(n int) []asgi.SendEvent {
	x.tb.Helper()
	x.Wait("sent events", func() bool { return len(x.sent) >= n })
	return x.Sent()
}

// Advance moves the clock of AfterFunc by d; timers fire in the order of their
// time, each followed by what it caused.
func (x *Exchange) Advance(d time.Duration) {
	x.tb.Helper()
	x.checkLoop("Advance")
	x.turn()
	until := x.clock.now + d
	for {
		fn, ok := x.clock.next(until)
		if !ok {
			break
		}
		x.enter(fn)
		x.turn()
	}
	x.clock.now = until
}

// Congest puts the outbox above its high watermark.
func (x *Exchange) Congest() {
	x.checkLoop("Congest")
	x.filled = true
}

// Drain empties the outbox, which the application learns from a Writable event.
func (x *Exchange) Drain() {
	x.tb.Helper()
	x.checkLoop("Drain")
	x.turn()
	if !x.filled {
		return
	}
	x.filled, x.buffered = false, 0
	if x.scope.Type != asgi.ScopeLifespan && !x.gone && !x.ended {
		x.hand(&asgi.Writable{})
	}
	x.turn()
}

// Sent returns what the application has sent; the events belong to the caller.
func (x *Exchange) Sent() []asgi.SendEvent {
	out := make([]asgi.SendEvent, len(x.sent))
	for i, ev := range x.sent {
		out[i] = asgi.CloneSend(ev)
	}
	return out
}

// Ended reports whether the application has ended.
func (x *Exchange) Ended() bool { return x.ended }

// Err returns the error the application ended with.
func (x *Exchange) Err() error { return x.result }

// Paused reports whether the application holds back what is delivered.
func (x *Exchange) Paused() bool { return x.paused }

// Waiting returns the number of events that a pause holds back.
func (x *Exchange) Waiting() int { return len(x.pending) }

// SendState returns where the application's side stands.
func (x *Exchange) SendState() asgi.State { return x.order.SendState() }

func (x *Exchange) checkLoop(method string) {
	if id := goroutineID(); id != x.loop {
		panic("asgitest: " + method + " was called from a goroutine that is not the test's")
	}
}

// turn runs the loop until it is idle.
func (x *Exchange) turn() {
	for x.runPosted() || x.runTimer() || x.runPending() || x.runLast() {
	}
	x.owner.Store(x.loop)
}

func (x *Exchange) runPosted() bool {
	x.mailbox.Lock()
	posted := x.mailbox.posted
	x.mailbox.posted = nil
	x.mailbox.Unlock()
	for _, fn := range posted {
		x.enter(fn)
	}
	return len(posted) > 0
}

func (x *Exchange) runTimer() bool {
	fn, due := x.clock.next(x.clock.now)
	if due {
		x.enter(fn)
	}
	return due
}

func (x *Exchange) runPending() bool {
	if x.paused || len(x.pending) == 0 {
		return false
	}
	ev := x.pending[0]
	x.pending = slices.Delete(x.pending, 0, 1)
	x.hand(ev)
	return true
}

func (x *Exchange) runLast() bool {
	if x.last == nil || x.gone || x.ended {
		return false
	}
	x.disconnect(x.last)
	return true
}

// disconnect hands over the last event.
func (x *Exchange) disconnect(ev asgi.ReceiveEvent) {
	x.pending = nil
	if x.gone {
		return
	}
	x.gone = true
	if err := x.order.Receive(ev); err != nil {
		x.tb.Errorf("asgitest: %v", err)
	}
	x.hand(ev)
}

// hand gives an event to the handler, and takes its payload back.
func (x *Exchange) hand(ev asgi.ReceiveEvent) {
	if x.receiver == nil || x.ended {
		return
	}
	lent := asgi.CloneReceive(ev)
	x.enter(func() { x.receiver.Receive(lent) })
	poison(lent)
}

// poison overwrites the payload of an event that the handler must no longer
// look at.
func poison(ev asgi.ReceiveEvent) {
	var p []byte
	switch e := ev.(type) {
	case *asgi.HTTPRequest:
		p = e.Body
	case *asgi.WebSocketReceive:
		p = e.Data
	case *asgi.WebSocketDisconnect:
		e.Code, e.Reason = -1, "asgitest: used after Receive returned"
	}
	for i := range p {
		p[i] = 0xDB
	}
}

// close ends what the test has left open.
func (x *Exchange) close() {
	x.loop = goroutineID() // cleanups may run on another goroutine
	x.owner.Store(x.loop)
	if !x.ended {
		switch x.scope.Type {
		case asgi.ScopeHTTP:
			x.disconnect(&asgi.HTTPDisconnect{})
		case asgi.ScopeWebSocket:
			if x.order.ReceiveState() != asgi.WebSocketUnannounced {
				x.disconnect(&asgi.WebSocketDisconnect{Code: 1006})
			}
		case asgi.ScopeLifespan:
			if x.order.ReceiveState() == asgi.LifespanAnnounced {
				x.hand(&asgi.LifespanShutdown{})
			}
		}
		x.turn()
	}
	x.mailbox.Lock()
	x.mailbox.stopped = true
	x.mailbox.Unlock()
	for a := range x.outlives {
		x.enter(a.Abandon)
	}
	x.turn()
}
