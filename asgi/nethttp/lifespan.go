package nethttp

import (
	"context"
	"fmt"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/internal/engine"
)

// lifeLoop is the loop of the lifespan.
//
// Safe for concurrent use.
type lifeLoop struct{ loop loop }

func (l *lifeLoop) Post(fn func()) bool     { l.loop.post(fn); return true }
func (l *lifeLoop) PostOwed(fn func()) bool { return l.Post(fn) }
func (l *lifeLoop) Adopt()                  { l.loop.adopt() }
func (l *lifeLoop) Owned() bool             { return l.loop.owned() }

// Startup begins the application's lifespan and blocks until it is ready, for
// at most Config.LifespanTimeout. An error means that it failed to start, or
// wraps the cause of ctx: the application's context is cancelled then, and
// there is nothing to shut down. An application without lifespan is ready at
// once. It is called once.
func (h *Handler) Startup(ctx context.Context) error {
	life := engine.NewLifespan(new(lifeLoop), engine.LifespanConfig{
		Handler: h.cfg.Handler,
		Timeout: h.cfg.LifespanTimeout,
		Strict:  h.cfg.Strict,
		Failed:  func(err error) { h.failure(&record{protocol: asgi.ScopeLifespan}, err) },
	})
	state, err := life.Startup(ctx)
	if err != nil {
		return fmt.Errorf("nethttp: %w", err)
	}
	h.life, h.state = life, state
	return nil
}

// Shutdown tells the application that the last exchange is over and blocks
// until it is done, for at most Config.LifespanTimeout. An error says what went
// wrong with it. After a Startup that failed there is nobody to tell.
//
// Then applications that still wait for something although their exchange is
// over, as in an Await that heeds no disconnect, wait no longer.
func (h *Handler) Shutdown(ctx context.Context) error {
	defer h.abandonLate()
	if h.life == nil {
		return nil
	}
	if err := h.life.Shutdown(ctx); err != nil {
		return fmt.Errorf("nethttp: %w", err)
	}
	return nil
}
