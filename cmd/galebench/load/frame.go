package load

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// The opcodes of https://www.rfc-editor.org/rfc/rfc6455#section-5.2 that matter
// here.
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10
)

// The head of a frame (https://www.rfc-editor.org/rfc/rfc6455#section-5.2):
//
//	byte 0     FIN(1) RSV(3) opcode(4)
//	byte 1     MASK(1) length(7)
//	2 bytes    length, big endian, if the 7 bits say 126
//	8 bytes    length, big endian, if the 7 bits say 127
//	4 bytes    masking key, if MASK
const (
	finBit     = 0x80
	rsvBits    = 0x70
	opcodeBits = 0x0f
	controlBit = 0x08
	maskBit    = 0x80
	lengthBits = 0x7f
	length16   = 126
	length64   = 127
)

// appendFrame appends a whole binary message as a client sends it, masked with
// key (https://www.rfc-editor.org/rfc/rfc6455#section-5.3).
func appendFrame(dst []byte, key uint32, payload []byte) []byte {
	return appendFrameOf(dst, opBinary, key, payload)
}

func appendFrameOf(dst []byte, opcode byte, key uint32, payload []byte) []byte {
	dst = append(dst, finBit|opcode)
	switch n := len(payload); {
	case n < length16:
		dst = append(dst, maskBit|byte(n))
	case n < 1<<16:
		dst = append(dst, maskBit|length16)
		dst = binary.BigEndian.AppendUint16(dst, uint16(n))
	default:
		dst = append(dst, maskBit|length64)
		dst = binary.BigEndian.AppendUint64(dst, uint64(n))
	}
	dst = binary.BigEndian.AppendUint32(dst, key)
	for i, b := range payload {
		dst = append(dst, b^byte(key>>(24-8*(i%4))))
	}
	return dst
}

var (
	errReply  = errors.New("load: the reply is not what was sent")
	errFrame  = errors.New("load: not a frame of a server (RFC 6455 §5)")
	errClosed = errors.New("load: the server closes the WebSocket")
)

// frameReader reads the frames of a server, cut in any way. Every message must
// be payload. Pings are not answered: a run is over before anybody minds.
type frameReader struct {
	payload []byte

	head    [10]byte // of the frame that is being read
	headLen int
	inFrame bool   // the head is complete
	left    uint64 // payload bytes still to come
	offset  int    // of the message, over all its fragments
}

func (r *frameReader) read(p []byte) (messages int, err error) {
	for len(p) > 0 || (r.inFrame && r.left == 0) {
		if !r.inFrame {
			if p, err = r.readHead(p); err != nil {
				return messages, err
			}
			continue
		}
		n := int(min(r.left, uint64(len(p))))
		if !r.control() {
			if n > len(r.payload)-r.offset || !bytes.Equal(p[:n], r.payload[r.offset:r.offset+n]) {
				return messages, errReply
			}
			r.offset += n
		}
		p, r.left = p[n:], r.left-uint64(n)
		if r.left > 0 {
			continue
		}
		r.inFrame, r.headLen = false, 0
		if r.control() || r.head[0]&finBit == 0 {
			continue
		}
		if r.offset != len(r.payload) {
			return messages, errReply
		}
		r.offset = 0
		messages++
	}
	return messages, nil
}

func (r *frameReader) control() bool { return r.head[0]&controlBit != 0 }

// readHead takes what p has of the head and returns the rest.
func (r *frameReader) readHead(p []byte) ([]byte, error) {
	n := copy(r.head[r.headLen:r.headSize()], p)
	r.headLen += n
	p = p[n:]
	if r.headLen < r.headSize() {
		return p, nil
	}
	switch {
	case r.head[0]&rsvBits != 0, r.head[1]&maskBit != 0:
		return p, errFrame
	case r.head[0]&opcodeBits == opClose:
		return p, errClosed
	case !r.control() && (r.head[0]&opcodeBits == opContinuation) != (r.offset > 0):
		return p, fmt.Errorf("%w: opcode %d", errFrame, r.head[0]&opcodeBits)
	}
	switch n := r.head[1] & lengthBits; n {
	case length16:
		r.left = uint64(binary.BigEndian.Uint16(r.head[2:]))
	case length64:
		r.left = binary.BigEndian.Uint64(r.head[2:])
	default:
		r.left = uint64(n)
	}
	r.inFrame = true
	return p, nil
}

// headSize is the size of the head as far as it is known.
func (r *frameReader) headSize() int {
	if r.headLen < 2 {
		return 2
	}
	switch r.head[1] & lengthBits {
	case length16:
		return 4
	case length64:
		return 10
	default:
		return 2
	}
}
