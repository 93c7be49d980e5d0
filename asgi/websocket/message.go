package websocket

const (
	// minGather is the least capacity, in bytes, of the buffer for a message that
	// comes in pieces, unless its end is known to be nearer.
	minGather = 1024
	// gatherFactor is how many times as much as has arrived such a buffer may hold,
	// and wholeFactor if that is all of the message. They bound what a peer can make
	// us allocate ahead of what it sent, and what is copied of a message: at most two
	// thirds of one that is one frame, four thirds of one in fragments.
	gatherFactor = 4
	wholeFactor  = 8
	// minRest is what must have arrived of a message, and be missing, for a read of
	// its own.
	minRest = 16 << 10
)

// Buffers lends memory for messages that arrive in pieces. Where its memory is
// the loop's, it is loop-owned as the machine is.
type Buffers interface {
	// Take lends an empty slice with room for at least n bytes.
	Take(n int) []byte
	// Give takes it back.
	Give(p []byte)
}

// readData takes the next payload bytes of the message that is arriving.
func (m *Machine) readData(event *Event, p []byte) {
	last := m.frame.fin && m.frame.remaining == 0
	// With an extension that transforms the payload this check moves behind the
	// transformation: the rule is about the message, not about the wire.
	if m.message == Text {
		// RFC 6455 §8.1; as soon as the bytes seen can never become valid.
		if !m.text.add(p) || last && !m.text.complete() {
			m.fail(errNotUTF8)
			return
		}
	}
	if last {
		m.completeMessage(event, p)
	} else {
		m.gather(p)
	}
}

// completeMessage hands the message over and forgets it. It is the one place
// where a message ends, and so the place where an extension would transform it.
func (m *Machine) completeMessage(event *Event, end []byte) {
	event.Kind, event.Message, event.Data = Message, m.message, end
	if m.gathered != nil {
		m.gather(end)
		m.finishMove()
		event.Data, event.Owned, m.gathered = m.gathered, true, nil
	}
	m.message = 0
}

// gather puts p behind the earlier pieces of its message. It copies nothing if p
// was read into the place that Rest returned.
func (m *Machine) gather(p []byte) {
	n := len(m.gathered)
	if n+len(p) > cap(m.gathered) {
		m.growTo(n + len(p))
		m.gathered = append(m.gathered, p...)
	} else if len(p) > 0 && &m.gathered[:n+1][n] == &p[0] {
		m.gathered = m.gathered[:n+len(p)]
	} else {
		m.gathered = append(m.gathered, p...)
	}
	if m.rare != nil {
		m.moveFor(len(p))
	}
}

// Rest returns the place where the payload that is missing will be needed, or as
// much of it as may be allocated yet; nil unless a large message is arriving. Bytes
// of the peer that are read into it, from its start, and handed to Next from there
// are not copied. It is valid until the next call of a method.
func (m *Machine) Rest() []byte {
	n := len(m.gathered)
	if n < minRest || m.phase != phasePayload || m.frame.op.isControl() || m.frame.remaining < minRest {
		return nil
	}
	if cap(m.gathered)-n < minRest {
		m.growTo(n)
	}
	return m.gathered[n:min(int64(cap(m.gathered)), int64(n)+m.frame.remaining)]
}

// growTo gives the message a buffer for one of which arrived bytes are here. A
// large message moves to it as the next pieces arrive.
func (m *Machine) growTo(arrived int) {
	m.finishMove()
	old := m.gathered
	m.gathered = m.config.take(m.gatherCap(arrived))
	if len(old) > atOnce {
		m.gathered = m.gathered[:len(old)]
		m.rare = &rare{old: old}
		return
	}
	m.gathered = append(m.gathered, old...)
	m.config.give(old)
}

// gatherCap chooses the capacity for a message of which arrived bytes are here:
// some times as much, so that the copies of a message cost linear time whatever
// its pieces, and so that a declared length costs nothing before its bytes come;
// and never more than the message can still become.
//
// In the last frame the end is known. If it is near, there is room for all.
// Else a quarter of the message is the most, of which Buffers may make nearly a
// half: when that is full, at least as much is to come as has to move.
func (m *Machine) gatherCap(arrived int) int {
	most := m.config.messageLimit()
	if m.frame.fin {
		whole := int64(arrived) + m.frame.remaining
		if whole <= max(minGather, wholeFactor*int64(arrived)) {
			return int(whole)
		}
		most = max(minGather, whole/4)
	}
	return int(min(most, max(minGather, gatherFactor*int64(arrived))))
}
