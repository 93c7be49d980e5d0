package asgi

import (
	"context"
	"time"
)

// Serial makes a Handler of one that may block. Its Open and its receiver run
// on a task of run, which exists only while there is something to handle: in
// order and one at a time for each exchange, in parallel for different ones. An
// idle exchange holds no goroutine.
//
// The exchange the handler gets is safe for concurrent use. Its Send may block,
// while the outbox is above its high watermark; what is wrong with an event
// beyond its order is reported by a later Send, or as the exchange ends. Its
// Post and AfterFunc run fn among the handler's events; 65,536 posts may wait, or
// as many as the engine allows if that is less.
//
// When run refuses a task, the exchange ends with run's error. A handler that
// was open gets its disconnect all the same, on a goroutine of its own.
func Serial(h Handler, run Runner) Handler {
	return HandlerFunc(func(scope *Scope, x Exchange) Receiver {
		s := &serial{run: run, scopeType: scope.Type}
		s.relay.x, s.relay.order = x, NewOrder(scope.Type)
		s.inbox.x, s.inbox.limit = x, int32(postLimit(x))
		s.inbox.shutFor(scope)
		s.deliver(item{fn: func() {
			if !s.over() {
				s.receiver = h.Open(scope, s)
				s.inbox.open()
			}
		}})
		return s
	})
}

// serial is a Receiver for the engine and an Exchange for the handler.
type serial struct {
	relay
	inbox     inbox
	run       Runner
	scopeType ScopeType
	receiver  Receiver      // owned by the task
	timers    *serialTimers // nil before the first
}

// Receive takes an event from the engine, on the loop.
func (s *serial) Receive(ev ReceiveEvent) {
	s.observe(ev)
	it := item{ev: CloneReceive(ev)}
	if it.last() {
		s.stopTimers()
	}
	s.deliver(it)
}

func (s *serial) deliver(it item) {
	if s.inbox.put(it) {
		s.start()
	}
}

func (s *serial) start() {
	err := s.run.start(s.work)
	if err == nil {
		return
	}
	if s.end(err) {
		s.inbox.put(item{fn: func() {
			if last := disconnectOf(s.scopeType); last != nil && s.receiver != nil {
				s.receiver.Receive(last)
			}
		}})
	}
	go s.work() // ends when the inbox is empty
}

// work handles items until there is none left: it is the last to see the inbox
// empty.
func (s *serial) work() {
	emptied := false
	defer func() {
		if !emptied {
			s.start() // a Goexit took this task
		}
	}()
	for {
		it, ok := s.inbox.take()
		if !ok {
			emptied = true
			return
		}
		s.handle(it)
	}
}

func (s *serial) handle(it item) {
	guard(func() {
		switch {
		case it.fn != nil:
			it.fn()
		case s.receiver != nil && !s.over():
			s.receiver.Receive(it.ev)
		}
	}, func(err error) { s.end(err) })
}

// end is relay's, and that of the timers.
func (s *serial) end(err error) bool {
	s.stopTimers()
	return s.relay.end(err)
}

func (s *serial) stopTimers() {
	s.mu.Lock()
	timers := s.timers
	s.timers = endedTimers
	s.mu.Unlock()
	if timers != nil {
		timers.end()
	}
}

func (s *serial) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

func (s *serial) Send(ev SendEvent) error { return s.send(context.Background(), ev) }

func (s *serial) Buffered() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.outBytes
}

func (s *serial) Congested() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.congested
}

func (s *serial) Reclaim() {}

// Keep: the handler's events are clones already.
func (s *serial) Keep(p []byte) []byte { return p }

// Recycle leaves p to the collector.
func (s *serial) Recycle(p []byte) {}

func (s *serial) Pause() { s.inbox.hold() }

func (s *serial) Resume() {
	if s.inbox.release() {
		s.start()
	}
}

func (s *serial) End(err error) { s.end(err) }
func (s *serial) Adopt()        {}
func (s *serial) Owned() bool   { return true }

func (s *serial) Post(fn func()) bool {
	accepted, start := s.inbox.offer(fn)
	if start {
		s.start()
	}
	return accepted
}

// PostOwed is Post for what somebody waits for, and something else bounds.
func (s *serial) PostOwed(fn func()) bool {
	s.deliver(item{fn: fn})
	return true
}

func (s *serial) PostLimit() int { return int(s.inbox.limit) }

func (s *serial) AfterFunc(d time.Duration, fn func()) Timer {
	s.mu.Lock()
	if s.timers == nil {
		s.timers = &serialTimers{pending: map[*serialTimer]struct{}{}}
	}
	timers := s.timers
	s.mu.Unlock()
	return timers.add(s.PostOwed, d, fn)
}
