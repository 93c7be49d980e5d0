package websocket

import (
	"encoding/binary"
	"unicode/utf8"
)

// controlPayload is the payload of a control frame that came in pieces.
type controlPayload struct {
	size  int
	bytes [MaxControlBytes]byte
}

// readControl takes the next payload bytes of a control frame; last says that
// they are its end. Control frames may stand between the fragments of a
// message, so they leave the message's state alone (RFC 6455 §5.4).
func (m *Machine) readControl(p []byte, last bool) Event {
	if m.control != nil || !last {
		if m.control == nil {
			m.control = new(controlPayload)
		}
		m.control.size += copy(m.control.bytes[m.control.size:], p)
		p = m.control.bytes[:m.control.size]
	}
	if !last {
		return Event{}
	}
	m.control = nil
	switch m.frame.op {
	case OpPing:
		return Event{Kind: Ping, Data: p}
	case OpPong:
		return Event{Kind: Pong, Data: p}
	default:
		return m.readClose(p)
	}
}

// readClose reads the payload of a close frame
// (https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1):
//
//	2 bytes    code, big endian       } together, or nothing at all
//	0..123     reason, UTF-8          }
func (m *Machine) readClose(p []byte) Event {
	code, reason := CloseNoStatus, p
	if len(p) > 0 {
		if len(p) < 2 {
			m.fail(errCloseTooShort)
			return Event{}
		}
		code, reason = int(binary.BigEndian.Uint16(p)), p[2:]
		if !onWire(code) {
			m.fail(errCloseCode)
			return Event{}
		}
		if !utf8.Valid(reason) {
			m.fail(errCloseReason)
			return Event{}
		}
	}
	m.phase = phaseClosed
	m.release()
	return Event{Kind: Close, Code: code, Data: reason}
}
