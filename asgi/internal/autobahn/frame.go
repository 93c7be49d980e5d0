package autobahn

import (
	"encoding/binary"
	"strings"
)

// The opcodes of RFC 6455 §5.2.
const (
	OpContinuation = 0x0
	OpText         = 0x1
	OpBinary       = 0x2
	OpClose        = 0x8
	OpPing         = 0x9
	OpPong         = 0xa
)

// Frame is one frame of a client. With RSV and More left zero it is final and,
// if its opcode and length are, legal.
//
// Safe for concurrent use: only read.
type Frame struct {
	Op      byte
	More    bool // FIN is clear
	RSV     byte // 0 to 7: RSV1 is 4
	Payload string
}

// Text is a whole text message.
func Text(payload string) Frame { return Frame{Op: OpText, Payload: payload} }

// Binary is a whole binary message.
func Binary(payload string) Frame { return Frame{Op: OpBinary, Payload: payload} }

// Ping is a ping.
func Ping(payload string) Frame { return Frame{Op: OpPing, Payload: payload} }

// Pong is a pong.
func Pong(payload string) Frame { return Frame{Op: OpPong, Payload: payload} }

// First is the first of several fragments of a text message.
func First(payload string) Frame { return Frame{Op: OpText, More: true, Payload: payload} }

// Middle is neither the first nor the last fragment.
func Middle(payload string) Frame { return Frame{Op: OpContinuation, More: true, Payload: payload} }

// Last is the last of several fragments.
func Last(payload string) Frame { return Frame{Op: OpContinuation, Payload: payload} }

// Closing is a close with a code.
func Closing(code int, reason string) Frame {
	return Frame{Op: OpClose, Payload: string(binary.BigEndian.AppendUint16(nil, uint16(code))) + reason}
}

// Stream is what a client writes for the frames, each masked with another key.
func Stream(frames ...Frame) []byte {
	var out []byte
	for i, f := range frames {
		out = f.AppendTo(out, [4]byte{byte(17 * i), 0xa5, byte(i), 0x3c})
	}
	return out
}

// AppendTo appends f, masked with key (RFC 6455 §5.2, §5.3). It is written apart
// from any encoder under test.
func (f Frame) AppendTo(dst []byte, key [4]byte) []byte {
	head := f.Op | f.RSV<<4
	if !f.More {
		head |= 0x80
	}
	dst = append(dst, head)
	switch n := len(f.Payload); {
	case n < 126:
		dst = append(dst, 0x80|byte(n))
	case n < 65536:
		dst = binary.BigEndian.AppendUint16(append(dst, 0x80|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, 0x80|127), uint64(n))
	}
	dst = append(dst, key[:]...)
	at := len(dst)
	dst = append(dst, f.Payload...)
	for i := range len(f.Payload) {
		dst[at+i] ^= key[i%4]
	}
	return dst
}

// Fragments cuts payload into frames of size bytes, the last one final.
func Fragments(op byte, payload string, size int) []Frame {
	var frames []Frame
	for len(payload) > size {
		frames = append(frames, Frame{Op: op, More: true, Payload: payload[:size]})
		op, payload = OpContinuation, payload[size:]
	}
	return append(frames, Frame{Op: op, Payload: payload})
}

// Repeat fills n bytes with pattern over and over.
func Repeat(pattern string, n int) string {
	return strings.Repeat(pattern, n/len(pattern)+1)[:n]
}
