package eventloop

import "sync"

// task is one entry of a mailbox. Without a function it hands a new conn over.
type task struct {
	conn *socket // nil: for the loop itself
	fn   func()
}

// mailboxKeep is the queue length, in tasks, above which memory is given back
// once the queue is empty.
const mailboxKeep = 4096

// mailbox is the queue by which the world reaches a loop: many producers, one
// consumer, first in first out. The zero value is not usable: set limit.
//
// Safe for concurrent use, but for next, which belongs to the loop.
type mailbox struct {
	mu     sync.Mutex
	in     []task // producers append here
	closed bool
	limit  int    // tasks that may wait, not counting the batch that is being run
	wake   func() // called when the first task has gathered

	out  []task // the consumer's batch
	head int
	more bool // next has not said yet that there is nothing left
}

// post adds t; false if the mailbox is closed or full.
func (m *mailbox) post(t task) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.in) < m.limit && m.push(t)
}

// force adds t even to a full mailbox; false if it is closed. It is for tasks
// of ours that something else bounds.
func (m *mailbox) force(t task) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.push(t)
}

// push is called with mu held, and calls wake so: a loop that stops may close
// what wake writes to as soon as it has closed the mailbox.
func (m *mailbox) push(t task) bool {
	if m.closed {
		return false
	}
	m.in = append(m.in, t)
	if len(m.in) == 1 {
		m.wake()
	}
	return true
}

// next takes the oldest task; false if there is none.
func (m *mailbox) next() (task, bool) {
	if m.head == len(m.out) {
		m.swap()
	}
	if m.more = len(m.out) > 0; !m.more {
		return task{}, false
	}
	t := m.out[m.head]
	m.out[m.head] = task{}
	m.head++
	return t, true
}

// swap exchanges the consumed batch for what has gathered.
func (m *mailbox) swap() {
	free := m.out[:0]
	if cap(free) > mailboxKeep {
		free = nil
	}
	m.mu.Lock()
	m.out, m.in = m.in, free
	m.mu.Unlock()
	m.head = 0
}

// waiting reports whether the consumer stopped before next said that there is
// nothing left. It must then go on by itself: even if its batch is used up, what
// has gathered since woke it before it stopped.
func (m *mailbox) waiting() bool { return m.more }

// close refuses every further post.
func (m *mailbox) close() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
}
