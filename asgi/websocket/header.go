package websocket

import "encoding/binary"

// readHeader takes bytes of a frame header from p, which is not empty, and
// returns how many. When the header is complete the phase is phasePayload.
func (m *Machine) readHeader(p []byte) int {
	if m.headerLen == 0 {
		size, failure := m.parseHeader(p)
		switch {
		case failure != nil:
			m.fail(failure)
		case size == 0:
			m.headerLen = uint8(copy(m.header[:], p))
			size = len(p)
		}
		return size
	}
	// A cut header is rare and short: going byte by byte keeps what follows it
	// out of the buffer.
	for i, b := range p {
		m.header[m.headerLen] = b
		m.headerLen++
		size, failure := m.parseHeader(m.header[:m.headerLen])
		if failure != nil {
			m.fail(failure)
		}
		if size > 0 || failure != nil {
			m.headerLen = 0
			return i + 1
		}
	}
	return len(p)
}

// parseHeader reads the header at the start of b into m.frame, starts its
// payload, and returns the header's size: 0 as long as bytes are missing. Each
// rule is judged at the first byte that can break it, so that a stream fails at
// the same byte however it is cut.
func (m *Machine) parseHeader(b []byte) (size int, failure *Error) {
	op := Opcode(b[0] & opcodeBits)
	if failure := m.checkFirstByte(b[0], op); failure != nil {
		return 0, failure
	}
	if len(b) < 2 {
		return 0, nil
	}
	if b[1]&maskBit == 0 {
		return 0, errUnmasked
	}
	length, size, failure := payloadLength(b, op)
	if size == 0 || failure != nil {
		return 0, failure
	}
	// Subtracting, because the sum may overflow.
	if !op.isControl() && length > m.config.messageLimit()-int64(len(m.gathered)) {
		return 0, errTooBig
	}
	if len(b) < size+maskBytes {
		return 0, nil
	}
	m.frame = frame{
		remaining: length,
		key:       binary.LittleEndian.Uint32(b[size:]),
		op:        op,
		fin:       b[0]&finBit != 0,
	}
	if op == OpText || op == OpBinary {
		m.message = MessageKind(op)
	}
	m.phase = phasePayload
	return size + maskBytes, nil
}

// checkFirstByte judges FIN, the reserved bits and the opcode.
func (m *Machine) checkFirstByte(b byte, op Opcode) *Error {
	// An extension that gives RSV1 a meaning (RFC 7692 §6) allows it here, on
	// the first frame of a data message.
	if b&rsvBits != 0 {
		return errReservedBits
	}
	switch op {
	case OpContinuation:
		if m.message == 0 {
			return errNothingToContinue
		}
	case OpText, OpBinary:
		if m.message != 0 {
			return errMessageUnfinished
		}
	case OpClose, OpPing, OpPong:
		if b&finBit == 0 {
			return errControlFragmented
		}
	default:
		return errReservedOpcode
	}
	return nil
}

// payloadLength reads the length from b, which holds at least two bytes, and
// returns it with the size of the header up to there: 0 while bytes are
// missing. A length in a longer form than needed is accepted: the shortest form
// is a duty of the sender (RFC 6455 §5.2).
func payloadLength(b []byte, op Opcode) (length int64, size int, failure *Error) {
	short := b[1] & lengthBits
	if short > MaxControlBytes && op.isControl() {
		return 0, 0, errControlTooLong
	}
	switch short {
	case length16:
		if len(b) < 4 {
			return 0, 0, nil
		}
		return int64(binary.BigEndian.Uint16(b[2:])), 4, nil
	case length64:
		if len(b) > 2 && b[2]&0x80 != 0 {
			return 0, 0, errLengthTopBit
		}
		if len(b) < 10 {
			return 0, 0, nil
		}
		return int64(binary.BigEndian.Uint64(b[2:])), 10, nil
	default:
		return int64(short), 2, nil
	}
}
