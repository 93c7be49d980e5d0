package asgi

import (
	"sync"
	"time"
)

// serialTimers are the pending calls of a serial handler's AfterFunc. They stop
// with its exchange: one that waits for an hour must not keep it that long.
//
// Safe for concurrent use.
type serialTimers struct {
	mu      sync.Mutex
	pending map[*serialTimer]struct{} // nil once the exchange has ended
}

// endedTimers are those of every exchange that has ended.
var endedTimers = new(serialTimers)

type serialTimer struct {
	of    *serialTimers
	clock *time.Timer
}

// add has post run fn after d.
func (s *serialTimers) add(post func(fn func()) bool, d time.Duration, fn func()) Timer {
	t := &serialTimer{of: s}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending == nil {
		return t
	}
	s.pending[t] = struct{}{}
	t.clock = time.AfterFunc(d, func() {
		post(func() {
			if t.Stop() {
				fn()
			}
		})
	})
	return t
}

// Stop reports whether the call was still pending, which it is until it runs
// among the handler's events.
func (t *serialTimer) Stop() bool {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	_, pending := t.of.pending[t]
	if pending {
		delete(t.of.pending, t)
		t.clock.Stop()
	}
	return pending
}

// end stops all, and those to come.
func (s *serialTimers) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for t := range s.pending {
		t.clock.Stop()
	}
	s.pending = nil
}
