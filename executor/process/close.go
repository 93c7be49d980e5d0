package process

import (
	"context"
	"slices"
	"sync"
)

// Close ends the pool. Jobs that wait for a worker get ErrClosed, those that run
// are waited for, then the workers end, those that do not within
// Config.KillAfter by force. When ctx is over, workers with a job are killed too,
// and the error is that of ctx. When Close returns no process and no goroutine of
// the pool is left. Every further Close waits for the first one, or for its own
// ctx.
func (p *Pool) Close(ctx context.Context) error {
	p.mu.Lock()
	first := !p.begun
	p.begun = true
	p.mu.Unlock()
	if !first {
		select {
		case <-p.closed:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	close(p.closing)
	var err error
	for range p.config.Workers { // whoever has a process has one of these
		select {
		case p.tokens <- struct{}{}:
			continue
		default:
		}
		select {
		case p.tokens <- struct{}{}:
		case <-ctx.Done():
			err = ctx.Err()
			p.abort()
			p.tokens <- struct{}{}
		}
	}
	p.mu.Lock()
	idle := slices.Clone(p.idle)
	p.idle = nil
	p.mu.Unlock()
	var ends sync.WaitGroup
	for _, c := range idle {
		ends.Go(func() { c.end(p.config.KillAfter) })
	}
	ends.Wait()
	close(p.quit)
	p.goroutines.Wait()
	p.starter.Close()
	close(p.closed)
	return err
}

// abort kills every worker, and those that are being started.
func (p *Pool) abort() {
	p.mu.Lock()
	p.aborted = true
	var live []*child
	for c := range p.live {
		live = append(live, c)
	}
	p.mu.Unlock()
	for _, c := range live {
		c.kill(ErrClosed)
	}
}
