package handlers

import (
	"context"

	"github.com/gale-server/gale/asgi"
)

// answerLifespan is the lifespan of an application that has nothing to start or
// stop: both questions are answered at once.
//
// See https://asgi.readthedocs.io/en/latest/specs/lifespan.html.
func answerLifespan(x asgi.Exchange) asgi.Receiver {
	return asgi.ReceiverFunc(func(ev asgi.ReceiveEvent) {
		switch ev.(type) {
		case *asgi.LifespanStartup:
			_ = x.Send(&asgi.LifespanStartupComplete{})
		case *asgi.LifespanShutdown:
			_ = x.Send(&asgi.LifespanShutdownComplete{})
		}
	})
}

// Lifespan is a handler of the lifespan for what takes a while to start and to stop. Both
// may block: they run on a goroutine. What start returns keeps the server from serving;
// what stop returns is its error at the end. ctx is over when the server waits no more.
// Other scopes are unsupported: see Mux.Lifespan.
//
// See https://asgi.readthedocs.io/en/latest/specs/lifespan.html.
func Lifespan(start, stop func(ctx context.Context) error) asgi.Handler {
	return asgi.Goroutine(func(ctx context.Context, scope *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
		if scope.Type != asgi.ScopeLifespan {
			return asgi.ErrUnsupportedScope
		}
		for {
			ev, err := receive(ctx)
			if err != nil {
				return err
			}
			switch ev.(type) {
			case *asgi.LifespanStartup:
				if err := start(ctx); err != nil {
					return send(ctx, &asgi.LifespanStartupFailed{Message: err.Error()})
				}
				err = send(ctx, &asgi.LifespanStartupComplete{})
			case *asgi.LifespanShutdown:
				if err := stop(ctx); err != nil {
					return send(ctx, &asgi.LifespanShutdownFailed{Message: err.Error()})
				}
				return send(ctx, &asgi.LifespanShutdownComplete{})
			}
			if err != nil {
				return err
			}
		}
	}, nil)
}
