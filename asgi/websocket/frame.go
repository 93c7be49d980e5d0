package websocket

import (
	"encoding/binary"
	"slices"
)

// Opcode is the meaning of a frame (RFC 6455 §5.2, §11.8).
type Opcode uint8

// The opcodes there are; all others are reserved.
const (
	OpContinuation Opcode = 0
	OpText         Opcode = 1
	OpBinary       Opcode = 2
	OpClose        Opcode = 8
	OpPing         Opcode = 9
	OpPong         Opcode = 10
)

// isControl follows RFC 6455 §5.5: the most significant bit of the opcode.
func (op Opcode) isControl() bool { return op&0x8 != 0 }

// MaxControlBytes is the largest payload of a control frame
// (https://www.rfc-editor.org/rfc/rfc6455#section-5.5).
const MaxControlBytes = 125

// The head of a frame (https://www.rfc-editor.org/rfc/rfc6455#section-5.2):
//
//	byte 0     FIN(1) RSV1(1) RSV2(1) RSV3(1) opcode(4)
//	byte 1     MASK(1) length(7)
//	2 bytes    length, big endian, if the 7 bits say 126
//	8 bytes    length, big endian, top bit clear, if the 7 bits say 127
//	4 bytes    masking key, if MASK
const (
	finBit     = 0x80
	rsvBits    = 0x70
	opcodeBits = 0x0f
	maskBit    = 0x80
	lengthBits = 0x7f

	length16 = 126
	length64 = 127

	maskBytes = 4
	maxHeader = 2 + 8 + maskBytes
	// maxServerHeader is shorter: a server does not mask (RFC 6455 §5.1).
	maxServerHeader = 2 + 8
)

// frame is the frame whose payload is being read.
type frame struct {
	remaining int64  // payload bytes still to come
	key       uint32 // masking key, turned so that its low byte is for the next payload byte
	op        Opcode
	fin       bool
}

// AppendHeader appends the head of an unmasked, unfragmented frame with n >= 0
// payload bytes, in the shortest form; the caller writes the payload after it.
// It is for output that should not be copied, such as a large payload given to
// writev. It knows no connection: that a close was not sent yet, and that
// control frames carry at most MaxControlBytes, is the caller's to keep.
func AppendHeader(dst []byte, op Opcode, n int) []byte {
	switch {
	case n <= MaxControlBytes:
		return append(dst, finBit|byte(op), byte(n))
	case n <= 0xffff:
		return append(dst, finBit|byte(op), length16, byte(n>>8), byte(n))
	default:
		return binary.BigEndian.AppendUint64(append(dst, finBit|byte(op), length64), uint64(n))
	}
}

// AppendFrame appends one whole unmasked frame. A broadcast encodes its message
// once with it and gives the same bytes to every connection. It knows no
// connection and does not look at p: the rules named at AppendHeader, and that
// text is valid UTF-8, are the caller's to keep. p is copied, not retained.
func AppendFrame(dst []byte, op Opcode, p []byte) []byte {
	dst = slices.Grow(dst, maxServerHeader+len(p))
	return append(AppendHeader(dst, op, len(p)), p...)
}
