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

// readControl takes the next payload bytes of a control frame. Control frames
// may stand between the fragments of a message, so they leave the message's
// state alone (RFC 6455 §5.4).
func (m *Machine) readControl(event *Event, p []byte) {
	last := m.frame.remaining == 0
	if m.control != nil || !last {
		if m.control == nil {
			m.control = new(controlPayload)
		}
		m.control.size += copy(m.control.bytes[m.control.size:], p)
		p = m.control.bytes[:m.control.size]
	}
	if !last {
		return
	}
	m.control = nil
	switch m.frame.op {
	case OpPing:
		event.Kind, event.Data = Ping, p
	case OpPong:
		event.Kind, event.Data = Pong, p
	default:
		m.readClose(event, p)
	}
}

// readClose reads the payload of a close frame
// (https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1):
//
//	2 bytes    code, big endian       } together, or nothing at all
//	0..123     reason, UTF-8          }
func (m *Machine) readClose(event *Event, p []byte) {
	code, reason := CloseNoStatus, p
	if len(p) > 0 {
		if len(p) < 2 {
			m.fail(errCloseTooShort)
			return
		}
		code, reason = int(binary.BigEndian.Uint16(p)), p[2:]
		if !onWire(code) {
			m.fail(errCloseCode)
			return
		}
		if !utf8.Valid(reason) {
			m.fail(errCloseReason)
			return
		}
	}
	m.phase = phaseClosed
	m.release()
	event.Kind, event.Code, event.Data = Close, code, reason
}
