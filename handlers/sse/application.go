package sse

import (
	"context"
	"sync/atomic"

	"github.com/gale-server/gale/asgi"
)

// Application streams events to one client, as straight-line code:
//
//	func answer(ctx context.Context, scope *asgi.Scope, receive asgi.Receive, w *sse.Writer) error {
//		for token := range tokens(ctx) {
//			if err := w.Send(ctx, &sse.Event{Data: token}); err != nil {
//				return err
//			}
//		}
//		return nil
//	}
//
// ctx is cancelled when there is no more use in going on: with
// asgi.ErrDisconnected as its cause when the client is gone, with ErrDraining and
// ErrTooOld when the stream must end. What waits with ctx (asgi.Await,
// executor.Run) returns then, and the application should, too: what it returns
// does not matter then, and the client is told when to come back.
//
// Otherwise nil ends the stream for good, with an event of the type "end" and so
// that browsers do not ask again. An error before anything is sent is answered
// with a status, as [asgi.Exchange.End] does; one after it cuts the response off,
// which every client can tell from its end.
type Application func(ctx context.Context, scope *asgi.Scope, receive asgi.Receive, w *Writer) error

// Coroutine makes a Handler of an Application that runs as a coroutine on the
// exchange's loop: see [asgi.Coroutine]. o is not copied; nil is all defaults.
func Coroutine(app Application, o *Options) asgi.Handler {
	return handler(app, o, asgi.Coroutine)
}

// Goroutine makes a Handler of an Application that may block: see
// [asgi.Goroutine].
func Goroutine(app Application, run asgi.Runner, o *Options) asgi.Handler {
	return handler(app, o, func(app asgi.Application) asgi.Handler { return asgi.Goroutine(app, run) })
}

// Writer is what an Application sends its events with.
//
// Not safe for concurrent use.
type Writer struct {
	ctx    context.Context // of the application: over when it is to end
	send   asgi.Send
	stream *kept
	buf    []byte
}

// Start sends the head of the response, if nothing was sent yet. Until then the
// client waits, and nothing keeps its connection alive; but the application can
// still fail with a status.
func (w *Writer) Start(ctx context.Context) error {
	if err := w.over(); err != nil || w.stream.started.Load() {
		return err
	}
	return w.start(ctx)
}

// Send sends an event. It suspends, or blocks, while the client is slower than the
// application, and fails once there is no more use in it: with
// asgi.ErrDisconnected, ErrDraining or ErrTooOld. Other errors: a *FieldError,
// and those of [asgi.Send].
func (w *Writer) Send(ctx context.Context, e *Event) error {
	p, err := e.Append(w.buf[:0])
	if err != nil {
		return err
	}
	w.buf = p
	return w.SendEncoded(ctx, p)
}

// SendEncoded sends what Event.Append has made, as Send does: one or more whole
// events. p is not retained.
func (w *Writer) SendEncoded(ctx context.Context, p []byte) error {
	if err := w.Start(ctx); err != nil {
		return err
	}
	w.stream.spoke.Store(true)
	return w.send(ctx, &asgi.HTTPResponseBody{Body: p, MoreBody: true})
}

// over returns why the application is to end.
func (w *Writer) over() error {
	if w.ctx.Err() != nil {
		return context.Cause(w.ctx)
	}
	return nil
}

func (w *Writer) start(ctx context.Context) error {
	if err := w.send(ctx, start(w.stream.o.Headers)); err != nil {
		return err
	}
	if err := w.send(ctx, &asgi.HTTPResponseBody{Body: w.stream.o.hello(), MoreBody: true}); err != nil {
		return err
	}
	w.stream.spoke.Store(true)
	w.stream.started.Store(true)
	return nil
}

// kept is the loop's part of an application's stream.
//
// Loop-owned, except for its atomic fields.
type kept struct {
	x       asgi.Exchange
	o       *Options
	inner   asgi.Receiver
	clock   clock
	started atomic.Bool // the head is on its way
	spoke   atomic.Bool // since the last heartbeat

	// The application has begun when stop is there, and is to end when cause is.
	stop  atomic.Pointer[context.CancelCauseFunc]
	cause atomic.Pointer[error]
}

// handler runs an application in one of the forms.
func handler(app Application, o *Options, form func(asgi.Application) asgi.Handler) asgi.Handler {
	if o == nil {
		o = defaultOptions
	}
	return asgi.HandlerFunc(func(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		if scope.Type != asgi.ScopeHTTP {
			x.End(asgi.ErrUnsupportedScope)
			return nil
		}
		if answered(scope, x, o) {
			return nil
		}
		k := &kept{x: x, o: o}
		k.clock.left = o.life()
		k.clock.arm(x, o, k.tick)
		k.inner = form(func(ctx context.Context, scope *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
			return k.run(ctx, scope, receive, send, app)
		}).Open(scope, x)
		return k
	})
}

// run is the application, and the end of its stream.
func (k *kept) run(outer context.Context, scope *asgi.Scope, receive asgi.Receive, send asgi.Send, app Application) error {
	ctx, stop := context.WithCancelCause(outer)
	defer stop(nil)
	k.stop.Store(&stop)
	if cause := k.cause.Load(); cause != nil { // it came before stop was there
		stop(*cause)
	}
	w := &Writer{ctx: ctx, send: send, stream: k}
	err := app(ctx, scope, receive, w)
	if outer.Err() != nil {
		return err // there is nobody to tell
	}
	last := final
	if cause := context.Cause(ctx); cause != nil {
		last = k.o.goodbye(cause)
	} else if err != nil {
		return err
	}
	if !k.started.Load() {
		if err := w.start(outer); err != nil {
			return err
		}
	}
	return send(outer, &asgi.HTTPResponseBody{Body: last})
}

// Receive passes events on, and sees to a drain.
func (k *kept) Receive(ev asgi.ReceiveEvent) {
	if d, ok := ev.(*asgi.Drain); ok {
		if k.o.Drain == DrainEnds {
			k.end(ErrDraining)
		} else {
			afterDrain(k.x, d, func() { k.end(ErrDraining) })
		}
	}
	k.inner.Receive(ev)
}

// end has the application end. Only the first cause counts.
func (k *kept) end(cause error) {
	k.cause.CompareAndSwap(nil, &cause)
	if stop := k.stop.Load(); stop != nil {
		(*stop)(cause)
	}
}

func (k *kept) tick() {
	if k.clock.ended() {
		k.end(ErrTooOld)
		return
	}
	// What is not started is not kept alive, and an error means that the response
	// has ended meanwhile, or not got here yet from another goroutine.
	if !k.spoke.Swap(false) && k.started.Load() && !k.x.Congested() {
		_ = k.x.Send(&asgi.HTTPResponseBody{Body: heartbeat, MoreBody: true})
	}
	k.clock.arm(k.x, k.o, k.tick)
}
