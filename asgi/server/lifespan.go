package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/eventloop"
)

// lifespan is the Exchange of the lifespan scope. It lives on the first loop.
// An application that ends without answering does not support lifespan, and is
// served without (https://asgi.readthedocs.io/en/latest/specs/lifespan.html).
//
// Loop-owned: call only from its event loop, except Post, Owned, startup and
// shutdown.
type lifespan struct {
	srv      *Server
	loop     *eventloop.Loop
	scope    asgi.Scope
	order    asgi.Order
	receiver asgi.Receiver
	stopping bool // lifespan.shutdown was delivered
	ended    bool
	answers  chan answer // of the phase under way
}

// answer is how a phase of the lifespan ended.
type answer struct {
	err   error          // the application reported a failure
	state map[string]any // upon startup; nil if the application does not support lifespan
}

// startup opens the lifespan and waits until the application is ready.
func (s *Server) startup(ctx context.Context) (*lifespan, error) {
	l := &lifespan{
		srv:     s,
		loop:    s.group.Loop(0),
		order:   asgi.NewOrder(asgi.ScopeLifespan),
		answers: make(chan answer, 1),
		scope: asgi.Scope{
			Type:        asgi.ScopeLifespan,
			SpecVersion: asgi.LifespanSpecVersion,
			State:       map[string]any{},
		},
	}
	got, err := l.ask(ctx, &asgi.LifespanStartup{}, func() {
		l.receiver = open(s.cfg.Handler, &l.scope, l)
	})
	switch {
	case err != nil:
		return l, fmt.Errorf("server: lifespan startup: %w", err)
	case got.err != nil:
		return l, fmt.Errorf("server: lifespan startup failed: %w", got.err)
	}
	s.state = got.state
	return l, nil
}

// shutdown tells the application and waits for its answer, unless it has ended
// before.
func (l *lifespan) shutdown(ctx context.Context) error {
	got, err := l.ask(ctx, &asgi.LifespanShutdown{}, func() { l.stopping = true })
	switch {
	case err != nil:
		return fmt.Errorf("server: lifespan shutdown: %w", err)
	case got.err != nil:
		return fmt.Errorf("server: lifespan shutdown failed: %w", got.err)
	}
	return nil
}

// ask delivers ev on the loop, after before, and waits for the answer.
func (l *lifespan) ask(ctx context.Context, ev asgi.ReceiveEvent, before func()) (answer, error) {
	if timeout := l.srv.cfg.LifespanTimeout; timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, timeout, errors.New("no answer within the timeout"))
		defer cancel()
	}
	l.loop.Post(func() {
		before()
		if l.ended {
			l.answer(answer{})
			return
		}
		deliver(l, l.receiver, ev)
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
	switch {
	case !l.Owned():
		return asgi.ErrForeignGoroutine
	case l.ended || l.order.Complete():
		return nil
	}
	if err := l.order.Send(ev); err != nil {
		return err
	}
	switch e := ev.(type) {
	case *asgi.LifespanStartupComplete:
		// A copy: the application's own may change while the loops read this one.
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
func (l *lifespan) End(err error) {
	if l.ended {
		return
	}
	l.ended = true
	if l.stopping && !l.order.Complete() {
		l.answer(answer{err: err})
		return
	}
	var p *asgi.PanicError
	if errors.As(err, &p) || err != nil && l.order.SendState() == asgi.LifespanRunning {
		l.srv.logFailure("lifespan", asgi.Address{}, "", err)
	}
	l.answer(answer{})
}

// abandon leaves no coroutine behind on a loop that is about to stop.
func (l *lifespan) abandon() {
	l.loop.Post(func() {
		if l.ended {
			return
		}
		l.ended = true // what it still says is not heard
		if r, ok := l.receiver.(interface{ Abandon() }); ok {
			r.Abandon()
		}
	})
}

func (l *lifespan) Buffered() int       { return 0 }
func (l *lifespan) Congested() bool     { return false }
func (l *lifespan) Pause()              {}
func (l *lifespan) Resume()             {}
func (l *lifespan) Adopt()              { l.loop.Adopt() }
func (l *lifespan) Owned() bool         { return l.loop.Owned() }
func (l *lifespan) Post(fn func()) bool { return post(l.loop, l, fn) }

func (l *lifespan) AfterFunc(d time.Duration, fn func()) asgi.Timer {
	return l.loop.AfterFunc(d, func() {
		if !l.ended {
			protect(l, fn)
		}
	})
}
