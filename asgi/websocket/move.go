package websocket

const (
	// atOnce is the largest message, in bytes, that is copied to a larger buffer at
	// once: some 50 µs. A larger one would keep the caller's other connections
	// waiting, so it moves in steps.
	atOnce = 256 << 10
	// moveFactor is how many older bytes move for one that arrives. Two, because
	// the old buffer is free sooner, and because a fragmented message may end soon.
	moveFactor = 2
	// moveStep is what must be due to move, in bytes, for a step: less is not worth
	// a call.
	moveStep = 64 << 10
)

// rare is what few machines hold, and none for long. It lies outside of them so
// that they are small.
type rare struct {
	failure *Error // set in phaseFailed, and only there

	// old holds the bytes of the message that have not moved to gathered yet, where
	// their place is free; nil unless a large message is moving. It is shortened
	// from its end.
	old []byte
	due int // bytes of old that may move, less than moveStep
}

// moveFor moves older bytes of the message, since n new ones have arrived.
func (m *Machine) moveFor(n int) {
	m.rare.due += moveFactor * n
	if due := m.rare.due; due >= moveStep {
		m.rare.due = 0
		m.move(due)
	}
}

// finishMove moves what is left. In a message of one frame that is nothing (see
// gatherCap). The end of a fragmented message is not known before its last frame:
// up to all that has arrived may be left then, and is copied at once.
func (m *Machine) finishMove() {
	if m.rare != nil {
		m.move(len(m.rare.old))
	}
}

// move moves at most n bytes, and gives the old buffer back after the last.
func (m *Machine) move(n int) {
	old := m.rare.old
	left := max(0, len(old)-n)
	copy(m.gathered[left:], old[left:])
	m.rare.old = old[:left]
	if left == 0 {
		m.config.give(old)
		m.rare = nil
	}
}
