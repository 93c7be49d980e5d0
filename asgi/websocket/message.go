package websocket

// minGather is the least capacity, in bytes, of the buffer for a message that
// comes in pieces, unless its end is known to be nearer. It is all that a peer
// can make us allocate ahead of what it sent.
const minGather = 1024

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
		event.Data, m.gathered = m.gathered, nil
	}
	m.message = 0
}

// gather copies p behind the earlier pieces of its message.
func (m *Machine) gather(p []byte) {
	if arrived := len(m.gathered) + len(p); arrived > cap(m.gathered) {
		grown := make([]byte, len(m.gathered), m.gatherCap(arrived))
		copy(grown, m.gathered)
		m.gathered = grown
	}
	m.gathered = append(m.gathered, p...)
}

// gatherCap chooses the capacity for a message of which arrived bytes are here:
// twice as much, so that the copies of a message cost linear time whatever its
// pieces, and so that a declared length costs nothing before its bytes come;
// and never more than the message can still become.
func (m *Machine) gatherCap(arrived int) int {
	most := m.config.messageLimit()
	if m.frame.fin {
		most = int64(arrived) + m.frame.remaining
	}
	return int(min(most, max(minGather, 2*int64(arrived))))
}
