package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/gale-server/gale/asgi"
)

// Loop is what a lifespan needs of the event loop it lives on.
type Loop interface {
	Post(fn func()) bool
	PostOwed(fn func()) bool // not refused for want of room
	Adopt()
	Owned() bool
}

// Lifespan is the Exchange of the lifespan scope. An application that ends
// without answering does not support lifespan, and is served without
// (https://asgi.readthedocs.io/en/latest/specs/lifespan.html).
//
// Startup comes first and Shutdown last; each is called once. After a Startup
// that failed, and after Shutdown, nothing of the application is left on the
// loop but what it does in answer to its cancellation.
//
// Loop-owned: call only from its event loop, except Post, PostOwed, Owned, Startup and
// Shutdown.
type Lifespan struct {
	loop     Loop
	cfg      LifespanConfig
	scope    asgi.Scope
	order    asgi.Order
	receiver asgi.Receiver
	stopping bool // lifespan.shutdown was delivered
	ended    bool
	timers   Timers
	answers  chan answer // of the phase under way
}

// LifespanConfig says how an engine holds its lifespan.
//
// Safe for concurrent use while nobody changes it.
type LifespanConfig struct {
	// Handler is the application. Required.
	Handler asgi.Handler

	// Timeout bounds each of startup and shutdown. Zero or negative: no bound.
	Timeout time.Duration

	// Strict makes events after completion an *asgi.OrderError instead of
	// ignoring them.
	Strict bool

	// Failed takes what no caller is told: the error of an application that is
	// served on without its lifespan. It is called on the loop. Required.
	Failed func(err error)
}

// answer is how a phase of the lifespan ended.
type answer struct {
	err   error          // the application reported a failure
	state map[string]any // upon startup; nil if the application does not support lifespan
}

// NewLifespan returns a lifespan on loop that has not begun.
func NewLifespan(loop Loop, cfg LifespanConfig) *Lifespan {
	return &Lifespan{
		loop:    loop,
		cfg:     cfg,
		order:   asgi.NewOrder(asgi.ScopeLifespan),
		answers: make(chan answer, 1),
		scope: asgi.Scope{
			Type:        asgi.ScopeLifespan,
			SpecVersion: asgi.LifespanSpecVersion,
			State:       map[string]any{},
		},
	}
}

// Startup opens the lifespan and blocks until the application is ready, which
// one that does not support lifespan is at once; its state is nil then. An
// error means that the application failed to start, or did not in time, or is
// the cause of ctx: an application whose startup is cut short has its context
// cancelled, and is not told to shut down, as it never started.
func (l *Lifespan) Startup(ctx context.Context) (state map[string]any, err error) {
	if ctx.Err() != nil {
		return nil, fmt.Errorf("lifespan startup: %w", context.Cause(ctx))
	}
	got, err := l.ask(ctx, &asgi.LifespanStartup{}, func() {
		l.protect(func() { l.receiver = l.cfg.Handler.Open(&l.scope, l) })
	})
	switch {
	case err != nil:
		err = fmt.Errorf("lifespan startup: %w", err)
	case got.err != nil:
		err = fmt.Errorf("lifespan startup failed: %w", got.err)
	}
	if err != nil {
		l.abandon()
	}
	return got.state, err
}

// Shutdown tells the application that the last exchange is over, and blocks
// until it is done, unless it has ended before. An error says what went wrong
// with it, or is the cause of ctx.
func (l *Lifespan) Shutdown(ctx context.Context) error {
	got, err := l.ask(ctx, &asgi.LifespanShutdown{}, func() { l.stopping = true })
	l.abandon()
	switch {
	case err != nil:
		return fmt.Errorf("lifespan shutdown: %w", err)
	case got.err != nil:
		return fmt.Errorf("lifespan shutdown failed: %w", got.err)
	}
	return nil
}

var errNoAnswer = errors.New("no answer within the timeout")

// ask delivers ev on the loop, after before, and waits for the answer.
func (l *Lifespan) ask(ctx context.Context, ev asgi.ReceiveEvent, before func()) (answer, error) {
	if l.cfg.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, l.cfg.Timeout, errNoAnswer)
		defer cancel()
	}
	l.loop.PostOwed(func() {
		if l.ended {
			l.answer(answer{})
			return
		}
		before()
		if l.receiver == nil {
			l.End(nil)
		}
		if !l.ended {
			l.protect(func() { l.receiver.Receive(ev) })
		}
	})
	select {
	case a := <-l.answers:
		return a, nil
	case <-ctx.Done():
	}
	select {
	case a := <-l.answers: // both: what the application says counts
		return a, nil
	default:
		return answer{}, context.Cause(ctx)
	}
}

func (l *Lifespan) answer(a answer) {
	select {
	case l.answers <- a:
	default: // the phase has been answered
	}
}

// Send answers a phase.
func (l *Lifespan) Send(ev asgi.SendEvent) error {
	switch {
	case !l.Owned():
		return asgi.ErrForeignGoroutine
	case asgi.IsNil(ev):
		return asgi.ErrNilEvent
	case !l.ended && !l.order.Complete():
	case l.cfg.Strict:
		return &asgi.OrderError{State: l.order.SendState(), Event: ev.EventType()}
	default:
		return nil
	}
	if err := l.order.Send(ev); err != nil {
		return err
	}
	switch e := ev.(type) {
	case *asgi.LifespanStartupComplete:
		// A copy: the application's own may change while others read this one.
		l.answer(answer{state: maps.Clone(l.scope.State)})
	case *asgi.LifespanShutdownComplete:
		l.answer(answer{})
	case *asgi.LifespanStartupFailed:
		l.answer(answer{err: errors.New(e.Message)})
	case *asgi.LifespanShutdownFailed:
		l.answer(answer{err: errors.New(e.Message)})
	}
	return nil
}

// End ends the lifespan. Before startup is answered it means that the
// application does not support it, whatever the error: the specification has
// an application raise then. An error in answer to shutdown is a failed one.
func (l *Lifespan) End(err error) {
	if l.ended {
		return
	}
	l.end()
	if l.stopping && !l.order.Complete() {
		l.answer(answer{err: err})
		return
	}
	var p *asgi.PanicError
	if errors.As(err, &p) || err != nil && l.order.SendState() == asgi.LifespanRunning {
		l.cfg.Failed(err)
	}
	l.answer(answer{})
}

func (l *Lifespan) end() {
	l.ended = true
	l.timers.Stop()
}

// abandon leaves no coroutine behind on a loop that is about to stop.
func (l *Lifespan) abandon() {
	l.loop.PostOwed(func() {
		if l.ended {
			return
		}
		l.end() // what it still says is not heard
		if r, ok := l.receiver.(interface{ Abandon() }); ok {
			r.Abandon()
		}
	})
}

func (l *Lifespan) protect(fn func()) { Protect(l, fn) }

// Post has fn run on the loop; see asgi.Exchange.
func (l *Lifespan) Post(fn func()) bool {
	return l.loop.Post(func() { l.protect(fn) })
}

// PostOwed is Post for what the adapters of package asgi owe the application.
func (l *Lifespan) PostOwed(fn func()) bool {
	return l.loop.PostOwed(func() { l.protect(fn) })
}

// AfterFunc has fn run on the loop after d, unless the lifespan has ended.
func (l *Lifespan) AfterFunc(d time.Duration, fn func()) asgi.Timer {
	if l.ended {
		return Stopped
	}
	return l.timers.After(l.PostOwed, d, fn)
}

// Adopt makes the calling goroutine the loop's.
func (l *Lifespan) Adopt() { l.loop.Adopt() }

// Owned reports whether the calling goroutine is the loop's.
func (l *Lifespan) Owned() bool { return l.loop.Owned() }

// Buffered is 0: nothing is sent to a peer.
func (l *Lifespan) Buffered() int { return 0 }

// Congested is false: nothing is sent to a peer.
func (l *Lifespan) Congested() bool { return false }

// Reclaim does nothing: nothing is sent to a peer.
func (l *Lifespan) Reclaim() {}

// Keep returns p: no event of a lifespan has a payload.
func (l *Lifespan) Keep(p []byte) []byte { return p }

// Recycle leaves p to the collector.
func (l *Lifespan) Recycle(p []byte) {}

// Pause does nothing: there is no data to hold back.
func (l *Lifespan) Pause() {}

// Resume does nothing.
func (l *Lifespan) Resume() {}

// ToldToStop reports whether err, of a Startup under ctx, only says that ctx was
// done: who runs a server has it end then, and nothing has gone wrong.
func ToldToStop(ctx context.Context, err error) bool {
	return ctx.Err() != nil && errors.Is(err, context.Cause(ctx))
}
