package main

import (
	"context"
	"time"

	"github.com/gale-server/gale/asgi"
)

// lifespanTimeout is for servers with applications of Python, whose start and stop have
// shorter timeouts of their own, one after the other.
const lifespanTimeout = 10 * time.Minute

// lifecycle is the lifespan of a server that has more to start than its handlers: start
// may block, and what it cannot start keeps the server from serving.
type lifecycle struct {
	start func(ctx context.Context) error
	stop  func(ctx context.Context) error
}

// handler is what a server asks.
func (l lifecycle) handler() asgi.Handler { return asgi.Goroutine(l.serve, nil) }

func (l lifecycle) serve(ctx context.Context, scope *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
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
			if err := l.start(ctx); err != nil {
				return send(ctx, &asgi.LifespanStartupFailed{Message: err.Error()})
			}
			err = send(ctx, &asgi.LifespanStartupComplete{})
		case *asgi.LifespanShutdown:
			if err := l.stop(ctx); err != nil {
				return send(ctx, &asgi.LifespanShutdownFailed{Message: err.Error()})
			}
			return send(ctx, &asgi.LifespanShutdownComplete{})
		}
		if err != nil {
			return err
		}
	}
}
