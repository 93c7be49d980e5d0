package process

import (
	"maps"
	"slices"
	"time"
)

// heartbeats asks every worker, busy or not, whether it lives, until the pool
// has closed.
func (p *Pool) heartbeats() {
	defer p.goroutines.Done()
	tick := time.NewTicker(p.config.HeartbeatInterval)
	defer tick.Stop()
	for {
		select {
		case <-p.quit:
			return
		case <-tick.C:
		}
		p.mu.Lock()
		live := slices.Collect(maps.Keys(p.live))
		p.mu.Unlock()
		for _, c := range live {
			c.beat()
		}
	}
}

// beat is one interval. A worker is silent by the number of intervals without a
// sign, not by the clock: if this process was stopped, the worker had no chance.
func (c *child) beat() {
	free := c.writing.TryLock() // else it is being written to: it should read
	if free {
		defer c.writing.Unlock()
	}
	c.mu.Lock()
	ready, waiting := c.machine.Ready(), c.machine.Unanswered() > 0 || !free
	c.mu.Unlock()
	switch {
	case !ready || c.stalled.Load(): // it is on its way; we are the ones who do not read
		return
	case !waiting:
		c.missed = 0
	default:
		c.missed++
	}
	config := &c.pool.config
	if c.missed >= allowed(config.HeartbeatTimeout, config.HeartbeatInterval) {
		c.kill(ErrNoHeartbeat)
		return
	}
	if waiting {
		return
	}
	c.mu.Lock()
	frame, err := c.machine.AppendPing(nil)
	c.mu.Unlock()
	if err == nil {
		_ = writeFrame(c.stdin, frame, nil) // a worker that cannot be written to is dying, which is noticed elsewhere
	}
}

// allowed is how many intervals make the timeout.
func allowed(timeout, interval time.Duration) int { return int((timeout-1)/interval + 1) }
