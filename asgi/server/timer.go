package server

import (
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/internal/engine"
	"github.com/gale-server/gale/eventloop"
)

// timer is a pending call of Exchange.AfterFunc. It stops with its exchange,
// which may end long before its conn: a kept-alive conn would gather the timers
// of all its requests.
//
// Loop-owned: call only from its event loop.
type timer struct {
	*eventloop.Timer
	x          *exchange
	prev, next *timer // the exchange's timers
}

// after implements Exchange.AfterFunc for self, of which x is the shared part.
func (x *exchange) after(self asgi.Exchange, d time.Duration, fn func()) asgi.Timer {
	if x.over || x.ended {
		return stoppedTimer{}
	}
	t := &timer{x: x, next: x.timers}
	if t.next != nil {
		t.next.prev = t
	}
	x.timers = t
	t.Timer = x.c.sock.AfterFunc(d, func() {
		t.leave()
		engine.Protect(self, fn)
	})
	return t
}

func (t *timer) Stop() bool {
	if !t.Timer.Stop() {
		return false
	}
	t.leave()
	return true
}

func (t *timer) leave() {
	if t.prev != nil {
		t.prev.next = t.next
	} else {
		t.x.timers = t.next
	}
	if t.next != nil {
		t.next.prev = t.prev
	}
	t.prev, t.next = nil, nil
}

func (x *exchange) stopTimers() {
	for t := x.timers; t != nil; t = t.next {
		t.Timer.Stop()
	}
	x.timers = nil
}

type stoppedTimer struct{}

func (stoppedTimer) Stop() bool { return false }
