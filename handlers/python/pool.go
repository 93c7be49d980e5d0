package python

import (
	"context"
	"errors"
	"sync/atomic"
)

// pool is the worker processes of an application: it starts them, replaces those that
// end, and ends them. It passes no requests.
//
// Safe for concurrent use.
type pool struct {
	config  *Config
	onReady func() // a worker has become ready; set before start, called on any goroutine
	serving atomic.Pointer[[]*worker]
}

// newPool returns a pool that has started nothing. config has every default put in.
func newPool(config *Config) *pool {
	return &pool{config: config, onReady: func() {}}
}

// start starts the workers, and waits until all are ready. The error is that of the
// first one that cannot start; then none is left.
func (p *pool) start(ctx context.Context) error { return errors.ErrUnsupported }

// stop ends all workers: it tells them to end what there is, and kills those that are
// left when Config.StopTimeout is over, or ctx is. Nothing of them is left then.
func (p *pool) stop(ctx context.Context) error { return nil }

// ready returns the workers that may get requests. The slice is not to be changed.
func (p *pool) ready() []*worker {
	if w := p.serving.Load(); w != nil {
		return *w
	}
	return nil
}
