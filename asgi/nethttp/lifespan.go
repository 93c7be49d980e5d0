package nethttp

import (
	"context"
	"errors"
	"fmt"

	"github.com/gale-server/gale/asgi"
)

// lifespan is the Exchange of the lifespan scope. An application that ends
// without answering does not support lifespan, and is served without
// (https://asgi.readthedocs.io/en/latest/specs/lifespan.html).
//
// Loop-owned: call only from its event loop, except Post, Owned and ask.
type lifespan struct {
	exchange
	answers chan answer // of the phase under way
}

// answer is how a phase of the lifespan ended.
type answer struct {
	err         error // the application reported a failure
	unsupported bool
}

// Startup begins the application's lifespan and blocks until it is ready, for
// at most Config.LifespanTimeout. An error means that it failed to start. An
// application without lifespan is ready at once. It is called once.
func (h *Handler) Startup(ctx context.Context) error {
	l := &lifespan{answers: make(chan answer, 1)}
	l.exchange = exchange{h: h, self: l, order: asgi.NewOrder(asgi.ScopeLifespan), log: record{protocol: asgi.ScopeLifespan}}
	scope := &asgi.Scope{
		Type:        asgi.ScopeLifespan,
		SpecVersion: asgi.LifespanSpecVersion,
		State:       map[string]any{},
	}
	got, err := l.ask(ctx, &asgi.LifespanStartup{}, func() {
		l.protect(func() { l.receiver = h.cfg.Handler.Open(scope, l) })
	})
	switch {
	case err != nil:
		return fmt.Errorf("nethttp: lifespan startup: %w", err)
	case got.err != nil:
		return fmt.Errorf("nethttp: lifespan startup failed: %w", got.err)
	case !got.unsupported:
		h.life, h.state = l, scope.State
	}
	return nil
}

// Shutdown tells the application that the last exchange is over and blocks
// until it is done, for at most Config.LifespanTimeout. An error says what went
// wrong with it.
func (h *Handler) Shutdown(ctx context.Context) error {
	if h.life == nil {
		return nil
	}
	got, err := h.life.ask(ctx, &asgi.LifespanShutdown{}, func() {})
	switch {
	case err != nil:
		return fmt.Errorf("nethttp: lifespan shutdown: %w", err)
	case got.err != nil:
		return fmt.Errorf("nethttp: lifespan shutdown failed: %w", got.err)
	}
	return nil
}

// ask delivers ev on the loop, after before, and waits for the answer.
func (l *lifespan) ask(ctx context.Context, ev asgi.ReceiveEvent, before func()) (answer, error) {
	if timeout := l.h.cfg.LifespanTimeout; timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, timeout, errors.New("no answer within the timeout"))
		defer cancel()
	}
	l.post(func() {
		before()
		if l.ended {
			l.answer(answer{unsupported: true})
			return
		}
		l.deliver(ev)
		if l.receiver == nil {
			l.End(nil)
		}
	})
	select {
	case a := <-l.answers:
		return a, nil
	case <-ctx.Done():
		return answer{}, context.Cause(ctx)
	}
}

func (l *lifespan) answer(a answer) {
	select {
	case l.answers <- a:
	default: // the phase has been answered
	}
}

func (l *lifespan) Send(ev asgi.SendEvent) error {
	proceed, err := l.check(ev)
	if !proceed {
		return err
	}
	if err := l.order.Send(ev); err != nil {
		return err
	}
	switch e := ev.(type) {
	case *asgi.LifespanStartupComplete, *asgi.LifespanShutdownComplete:
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
// an application raise then.
func (l *lifespan) End(err error) {
	if l.ended {
		return
	}
	l.end()
	var p *asgi.PanicError
	if errors.As(err, &p) || err != nil && l.order.SendState() == asgi.LifespanRunning {
		l.h.failure(&l.log, err)
	}
	l.answer(answer{unsupported: true})
}

func (l *lifespan) Buffered() int   { return 0 }
func (l *lifespan) Congested() bool { return false }
func (l *lifespan) Pause()          {}
func (l *lifespan) Resume()         {}
