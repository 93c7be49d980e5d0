package asgitest

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"io"
	"strings"
)

// The opcodes of RFC 6455 section 5.2.
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xA

	fin = 0x80
)

// webSocketKey is the example of RFC 6455 section 1.3.
const webSocketKey = "dGhlIHNhbXBsZSBub25jZQ=="

// handshake is the client's opening handshake for a target.
func handshake(target string, lines ...string) string {
	return requestHead("GET "+target, append([]string{
		"Upgrade: websocket",
		"Connection: Upgrade",
		"Sec-WebSocket-Version: 13",
		"Sec-WebSocket-Key: " + webSocketKey,
	}, lines...)...)
}

// upgrade opens a WebSocket.
func (w *wire) upgrade(target string, lines ...string) *reply {
	w.tb.Helper()
	w.write(handshake(target, lines...))
	return w.switched()
}

// switched reads the response that completes the opening handshake.
func (w *wire) switched() *reply {
	w.tb.Helper()
	r := w.head()
	if r.status != 101 {
		w.tb.Fatalf("client: the handshake is answered with %d", r.status)
	}
	sum := sha1.Sum([]byte(webSocketKey + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	r.has("sec-websocket-accept", base64.StdEncoding.EncodeToString(sum[:]))
	if up, _ := r.lookup("upgrade"); !strings.EqualFold(up, "websocket") {
		w.tb.Errorf("client: Upgrade is %q", up)
	}
	if c, _ := r.lookup("connection"); !strings.EqualFold(c, "upgrade") {
		w.tb.Errorf("client: Connection is %q", c)
	}
	for _, name := range []string{"content-length", "transfer-encoding"} {
		r.has(name)
	}
	return r
}

// frame encodes a masked frame; first is FIN and opcode.
func frame(first byte, payload string) string {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	mask := [4]byte{0x12, 0x34, 0x56, 0x78}
	b = append(b, mask[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i%4])
	}
	return string(b)
}

func textFrame(payload string) string { return frame(fin|opText, payload) }

func closeFrame(code int, reason string) string {
	return frame(fin|opClose, string(binary.BigEndian.AppendUint16(nil, uint16(code)))+reason)
}

// readFrame reads one frame of the server.
func (w *wire) readFrame() (first byte, payload string) {
	w.tb.Helper()
	head := make([]byte, 2)
	w.readFull(head)
	if head[1]&0x80 != 0 {
		w.tb.Fatalf("client: a masked frame (RFC 6455 section 5.1)")
	}
	n := uint64(head[1])
	switch n {
	case 126:
		ext := make([]byte, 2)
		w.readFull(ext)
		n = uint64(binary.BigEndian.Uint16(ext))
	case 127:
		ext := make([]byte, 8)
		w.readFull(ext)
		n = binary.BigEndian.Uint64(ext)
	}
	if n > 64<<20 {
		w.tb.Fatalf("client: a frame of %d bytes", n)
	}
	p := make([]byte, n)
	w.readFull(p)
	return head[0], string(p)
}

func (w *wire) readFull(p []byte) {
	w.tb.Helper()
	if _, err := io.ReadFull(w.r, p); err != nil {
		w.tb.Fatalf("client: no frame: %v", err)
	}
}

// message reads a whole message, which must be this one; pings are answered on
// the way.
func (w *wire) message(op byte, want string) {
	w.tb.Helper()
	var whole bytes.Buffer
	opening := byte(0)
	for {
		first, payload := w.readFrame()
		switch code := first & 0xF; {
		case code == opPing:
			w.write(frame(fin|opPong, payload))
			continue
		case code == opContinuation && opening != 0:
		case (code == opText || code == opBinary) && opening == 0:
			opening = code
		default:
			w.tb.Fatalf("client: frame %#x with %s in place of a message", first, abbreviate([]byte(payload)))
		}
		whole.WriteString(payload)
		if first&fin != 0 {
			break
		}
	}
	if opening != op || whole.String() != want {
		w.tb.Fatalf("client: message of opcode %d, %s; want %d, %s",
			opening, abbreviate(whole.Bytes()), op, abbreviate([]byte(want)))
	}
}

// closing reads a close frame, which must have this code and reason; code 1005
// stands for an empty one.
func (w *wire) closing(code int, reason string) {
	w.tb.Helper()
	gotCode, gotReason := w.closeFrame()
	if gotCode != code || gotReason != reason {
		w.tb.Fatalf("client: close frame %d %q, want %d %q", gotCode, gotReason, code, reason)
	}
}

// closeFrame reads a close frame.
func (w *wire) closeFrame() (code int, reason string) {
	w.tb.Helper()
	first, payload := w.readFrame()
	if first != fin|opClose {
		w.tb.Fatalf("client: frame %#x with %s in place of a close frame", first, abbreviate([]byte(payload)))
	}
	switch {
	case payload == "":
		return 1005, ""
	case len(payload) < 2:
		w.tb.Fatalf("client: a close frame of one byte (RFC 6455 section 5.5.1)")
	}
	return int(binary.BigEndian.Uint16([]byte(payload))), payload[2:]
}
