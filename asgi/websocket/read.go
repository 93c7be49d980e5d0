package websocket

// Next takes bytes of p, which the peer sent, up to the end of the first event
// in them, and sets event to it; Event.N says how many bytes it took. The caller
// calls again with the rest until there is none. Next never blocks; its cost is
// linear in the bytes taken. The event is the caller's, and passed down, because
// returning it by value costs as much as reading a small message.
//
// p is unmasked in place, so it must be writable and must not be read by
// anybody else; it is not retained. A message that lies whole in p is delivered
// as a part of p, without a copy; one that comes in pieces is gathered in a
// buffer from Config.Buffers (see Rest), which is the caller's with the message.
//
// The error is an *Error: the peer broke a rule. It is final, nothing is
// buffered any more, and every later call returns it again. The caller sends
// Error.Code with AppendClose and drops the connection (RFC 6455 §7.1.7).
//
// After our own close Next still delivers what the peer sent before it saw our
// close; the caller ignores messages and waits for Close.
func (m *Machine) Next(p []byte, event *Event) error {
	*event = Event{}
	for {
		switch m.phase {
		case phaseHeader:
			if event.N == len(p) {
				return nil
			}
			event.N += m.readHeader(p[event.N:])
		case phasePayload:
			if event.N == len(p) && m.frame.remaining > 0 {
				return nil
			}
			rest := p[event.N:]
			if int64(len(rest)) > m.frame.remaining {
				rest = rest[:m.frame.remaining]
			}
			event.N += len(rest)
			if m.readPayload(event, rest); event.Kind != NeedData {
				return nil
			}
		case phaseClosed:
			// RFC 6455 §1.4: after the peer's close its data is discarded.
			event.Kind, event.N = Closed, len(p)
			return nil
		case phaseFailed:
			*event = Event{}
			return m.rare.failure
		}
	}
}

// readPayload takes the next bytes of the current frame's payload, all of p,
// and fills in the event that they complete, if they complete one.
func (m *Machine) readPayload(event *Event, p []byte) {
	m.frame.key = unmask(p, m.frame.key)
	m.frame.remaining -= int64(len(p))
	if m.frame.remaining == 0 {
		m.phase = phaseHeader
	}
	if m.frame.op.isControl() {
		m.readControl(event, p)
	} else {
		m.readData(event, p)
	}
}

// fail ends reading for good and lets go of all that was buffered.
func (m *Machine) fail(failure *Error) {
	m.release()
	m.phase, m.rare = phaseFailed, &rare{failure: failure}
}

// Release gives back the memory of a message that is arriving, for a connection
// that ends in the middle of it. Nothing but CloseSent and CloseReceived may be
// called afterwards.
func (m *Machine) Release() { m.release() }

// release drops the message and the control frame that were arriving.
func (m *Machine) release() {
	m.config.give(m.gathered)
	if m.rare != nil && m.rare.old != nil {
		m.config.give(m.rare.old)
		m.rare = nil
	}
	m.gathered, m.control, m.message = nil, nil, 0
}
