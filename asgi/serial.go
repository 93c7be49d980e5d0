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
// beyond its order is reported by a later Send. Its Post and AfterFunc run fn
// among the handler's events.
func Serial(h Handler, run Runner) Handler {
	return HandlerFunc(func(scope *Scope, x Exchange) Receiver {
		s := &serial{run: run}
		s.relay.x, s.relay.order = x, NewOrder(scope.Type)
		s.inbox.x = x
		s.deliver(item{fn: func() { s.receiver = h.Open(scope, s) }})
		return s
	})
}

// serial is a Receiver for the engine and an Exchange for the handler.
type serial struct {
	relay
	inbox    inbox
	run      Runner
	receiver Receiver // owned by the task
}

// Receive takes an event from the engine, on the loop.
func (s *serial) Receive(ev ReceiveEvent) {
	s.observe(ev)
	s.deliver(item{ev: CloneReceive(ev)})
}

// deliver queues an item, and starts a task if none is under way: the task that
// empties the inbox is the last to see it empty.
func (s *serial) deliver(it item) {
	if !s.inbox.put(it) {
		return
	}
	if err := s.run.start(s.work); err != nil {
		s.end(err)
	}
}

func (s *serial) work() {
	for more := true; more; more = s.inbox.drop() {
		it, _ := s.inbox.get()
		if s.over() {
			continue
		}
		err := call(func() {
			switch {
			case it.fn != nil:
				it.fn()
			case s.receiver != nil:
				s.receiver.Receive(it.ev)
			}
		})
		if err != nil {
			s.end(err)
		}
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

func (s *serial) Pause()        { s.inbox.hold() }
func (s *serial) Resume()       { s.inbox.release() }
func (s *serial) End(err error) { s.end(err) }
func (s *serial) Adopt()        {}
func (s *serial) Owned() bool   { return true }

func (s *serial) Post(fn func()) bool {
	s.deliver(item{fn: fn})
	return true
}

func (s *serial) AfterFunc(d time.Duration, fn func()) Timer {
	return time.AfterFunc(d, func() { s.Post(fn) })
}
