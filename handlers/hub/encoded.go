package hub

import (
	"container/list"
	"sync"
	"time"
)

// Format is a way to put a message on a wire. Transports have one for each of
// theirs, so that a message is encoded once, however many get it.
//
// Safe for concurrent use: immutable.
type Format struct{ encode func(*Message) []byte }

// NewFormat makes a format of a function that depends on nothing but the
// message. What it returns is shared and must not be changed. The function may be
// called by several goroutines at once.
func NewFormat(encode func(*Message) []byte) *Format { return &Format{encode} }

// Encode returns m in a format, made anew and kept by nobody: for a format that is
// made of another.
func (f *Format) Encode(m *Message) []byte { return f.encode(m) }

// encoding is an entry of the list of what a message was encoded to.
type encoding struct {
	format *Format
	bytes  []byte
	next   *encoding
}

// Message makes a message, of which the hub keeps what transports encode as long as
// the budget has room for it. One that is made otherwise is encoded each time.
func (b *Budget) Message(p Publication, at Position, when time.Time) *Message {
	return &Message{Publication: p, Position: at, Time: when, budget: b}
}

// Encoded returns m in a format, made anew unless that was done lately. It must not
// be changed.
func (m *Message) Encoded(f *Format) []byte {
	if p := m.find(f); p != nil {
		return p
	}
	p := f.encode(m)
	if m.budget != nil {
		m.budget.encoded.keep(m, f, p)
	}
	return p
}

func (m *Message) find(f *Format) []byte {
	for e := m.encoded.Load(); e != nil; e = e.next {
		if e.format == f {
			return e.bytes
		}
	}
	return nil
}

// encodings are what messages were encoded to lately. Above the bound, those of the
// message that was encoded first are dropped: it is long since it was handed out,
// and who reads it from the history has it encoded again.
//
// Safe for concurrent use.
type encodings struct {
	account
	mu    sync.Mutex
	order list.List // of *Message, by when they were first encoded
}

// keep keeps what a message was encoded to, unless it is larger than the bound.
func (s *encodings) keep(m *Message, f *Format, p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.find(f) != nil {
		return // another was faster
	}
	cost := encodingCost + block(cap(p))
	if m.place == nil && !m.kept {
		cost += m.cost() // nothing else has it for long
	}
	if cost > s.most {
		return // whatever was dropped
	}
	for !s.take(cost) {
		oldest := s.order.Front()
		if oldest == nil || oldest == m.place {
			return
		}
		s.drop(oldest.Value.(*Message))
	}
	if m.place == nil {
		m.place = s.order.PushBack(m)
	}
	m.encodedCost += cost
	m.encoded.Store(&encoding{format: f, bytes: p, next: m.encoded.Load()})
}

// drop drops what a message was encoded to. The caller holds the lock.
func (s *encodings) drop(m *Message) {
	s.order.Remove(m.place)
	s.give(m.encodedCost)
	m.place, m.encodedCost = nil, 0
	m.encoded.Store(nil)
}

// enter and leave say that a message has come into a history, and is no longer
// there.
func (s *encodings) enter(m *Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m.kept = true
}

func (s *encodings) leave(m *Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m.kept = false
	if m.place != nil {
		s.drop(m)
	}
}
