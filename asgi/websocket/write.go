package websocket

import "unicode/utf8"

// AppendMessage appends p as one unfragmented message. p is copied, not
// retained.
//
// Text must be valid UTF-8 (RFC 6455 §5.6), else the error is a *MessageError.
// The check reads p once: at the speed of memory for ASCII, at about 1.5 GB/s
// for CJK. One message for many connections is better encoded, and checked,
// once: see AppendFrame. After our close the error is ErrCloseSent. On an error
// dst and the machine are unchanged.
func (m *Machine) AppendMessage(dst []byte, kind MessageKind, p []byte) ([]byte, error) {
	if m.closeSent {
		return dst, ErrCloseSent
	}
	switch kind {
	case Text:
		if !utf8.Valid(p) {
			return dst, errSendText
		}
	case Binary:
	default:
		return dst, errSendKind
	}
	return AppendFrame(dst, Opcode(kind), p), nil
}

// AppendPing appends a ping; the peer's pong carries the same payload. A
// payload of more than MaxControlBytes is a *MessageError; after our close the
// error is ErrCloseSent. On an error dst and the machine are unchanged. payload
// is copied, not retained.
func (m *Machine) AppendPing(dst, payload []byte) ([]byte, error) {
	return m.appendControl(dst, OpPing, payload)
}

// AppendPong appends a pong: the answer to a ping, with that ping's payload, or
// an unsolicited one. A payload of more than MaxControlBytes, which no ping
// has, is a *MessageError; after our close the error is ErrCloseSent, and no
// answer is due any more. On an error dst and the machine are unchanged.
// payload is copied, not retained.
func (m *Machine) AppendPong(dst, payload []byte) ([]byte, error) {
	return m.appendControl(dst, OpPong, payload)
}

func (m *Machine) appendControl(dst []byte, op Opcode, payload []byte) ([]byte, error) {
	if m.closeSent {
		return dst, ErrCloseSent
	}
	if len(payload) > MaxControlBytes {
		return dst, errSendControl
	}
	return AppendFrame(dst, op, payload), nil
}
