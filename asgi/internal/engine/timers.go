package engine

import (
	"time"

	"github.com/gale-server/gale/asgi"
)

// Protect runs a call of the application and ends x if it does not return: if it
// panics, or ends the goroutine by runtime.Goexit, which nothing can stop.
func Protect(x asgi.Exchange, fn func()) {
	returned := false
	defer func() {
		if !returned {
			x.End(asgi.Recovered(recover()))
		}
	}()
	fn()
	returned = true
}

// Timers are the pending calls of Exchange.AfterFunc of an exchange whose loop
// keeps no time itself: the runtime's timers post to it.
//
// Loop-owned: call only from its event loop.
type Timers struct{ pending map[*timer]struct{} }

type timer struct {
	of    *Timers
	clock *time.Timer
}

// After has post run fn on the loop after d.
func (s *Timers) After(post func(fn func()) bool, d time.Duration, fn func()) asgi.Timer {
	t := &timer{of: s}
	if s.pending == nil {
		s.pending = map[*timer]struct{}{}
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

// Stop reports whether the call was still pending, which it is until it runs on
// the loop.
func (t *timer) Stop() bool {
	_, pending := t.of.pending[t]
	delete(t.of.pending, t)
	if pending {
		t.clock.Stop()
	}
	return pending
}

// Stop stops all.
func (s *Timers) Stop() {
	for t := range s.pending {
		t.clock.Stop()
	}
	s.pending = nil
}

// Stopped is a timer that never was pending.
var Stopped asgi.Timer = stopped{}

type stopped struct{}

func (stopped) Stop() bool { return false }
