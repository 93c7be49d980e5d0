package asgi

import "time"

// Handler is an application in event form.
type Handler interface {
	// Open begins an exchange. It is called on the exchange's loop, once per
	// scope, and must not block. The returned Receiver gets the exchange's
	// events; nil means that the handler wants none of them. A handler that
	// does not know the scope's type calls x.End(ErrUnsupportedScope).
	Open(scope *Scope, x Exchange) Receiver
}

// HandlerFunc makes a Handler of a function.
type HandlerFunc func(scope *Scope, x Exchange) Receiver

// Open calls f.
func (f HandlerFunc) Open(scope *Scope, x Exchange) Receiver { return f(scope, x) }

// Receiver is the handler's end of one exchange.
type Receiver interface {
	// Receive is called on the exchange's loop with each receive event, in
	// order and never re-entrantly, and must not block. ev and its payload are
	// valid only during the call, and are not to be changed ([Exchange.Keep] is for
	// whoever needs more). The last event is the disconnect, which an
	// HTTP exchange also gets when its response is complete; there is none
	// after the handler's own Exchange.End.
	Receive(ev ReceiveEvent)
}

// ReceiverFunc makes a Receiver of a function.
type ReceiverFunc func(ev ReceiveEvent)

// Receive calls f.
func (f ReceiverFunc) Receive(ev ReceiveEvent) { f(ev) }

// Exchange is an application's side of the conversation about one scope.
// Engines implement it.
//
// Loop-owned: call only from its event loop, except Post.
type Exchange interface {
	// Send hands an event to the server and never blocks: bytes the socket does
	// not take at once wait in the bounded outbox. It retains nothing of ev, but
	// for a large payload whose [Lifetime] allows it.
	//
	// Errors: an *OrderError when ev is not legal now; ErrDisconnected once the
	// peer is gone; ErrForeignGoroutine; ErrNilEvent; an error of the engine when ev is
	// malformed (bad header, more body than Content-Length). After an error the
	// exchange is as it was. Events after completion are ignored.
	Send(ev SendEvent) error

	// Buffered returns the bytes that wait in the connection's outbox.
	Buffered() int

	// Congested reports whether the outbox is above its high watermark, or refers
	// to a payload that was lent (UntilWritable). Once it was true, a Writable event
	// follows when the outbox has drained to its low watermark and nothing is lent
	// any more, unless the exchange ends first.
	Congested() bool

	// Reclaim has the engine copy what it still refers to of payloads that were
	// lent, so that their memory may change. The end of the exchange does so, too.
	Reclaim()

	// Keep returns a slice with the bytes of p, the payload of the event being
	// received, which then belongs to the caller: p itself if the engine can do
	// without it, else a copy.
	Keep(p []byte) []byte

	// Recycle gives p, which Keep returned, back to the engine for what comes next.
	// The caller uses it no more.
	Recycle(p []byte)

	// Pause stops the delivery of HTTPRequest and WebSocketReceive events, and
	// with it the reading of the socket, until Resume. Other events still come.
	// Resume never delivers events from within the call. A client that waits
	// for 100 (Continue) gets it when its body could be delivered: as Open
	// returns without a pause, or upon Resume.
	Pause()
	Resume()

	// End says that the application has ended: err is nil if it is done, else
	// what went wrong. An incomplete response is answered for by the server:
	// 500 before its start, a visible truncation after it; a WebSocket is
	// closed with 1000, or 1011 upon an error. No event follows. Later calls
	// are ignored.
	End(err error)

	// Post runs fn on the exchange's loop, in the order of the posts of one
	// goroutine, even after the exchange has ended; it never blocks and may be
	// called from any goroutine. It reports false if the loop has stopped, or if
	// as much waits as the engine allows, and then fn does not run.
	Post(fn func()) bool

	// AfterFunc runs fn on the exchange's loop once d has passed, with the
	// resolution of the loop's timers (tens of milliseconds). Timers stop when
	// the exchange ends.
	AfterFunc(d time.Duration, fn func()) Timer

	// Adopt makes the calling goroutine the exchange's owner, until the loop
	// goes on or another goroutine adopts it. It is for adapters that run
	// application code on a coroutine of the loop.
	Adopt()

	// Owned reports whether the calling goroutine owns the exchange. It may be
	// called from any goroutine.
	Owned() bool
}

// Timer is a pending call of [Exchange.AfterFunc].
type Timer interface {
	// Stop prevents the call and reports whether it did.
	Stop() bool
}

// Middleware wraps a Handler in another.
type Middleware func(Handler) Handler

// Chain wraps h in the given middleware; the first is the outermost.
func Chain(h Handler, middleware ...Middleware) Handler {
	for i := len(middleware) - 1; i >= 0; i-- {
		h = middleware[i](h)
	}
	return h
}
