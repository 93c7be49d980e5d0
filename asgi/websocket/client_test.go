package websocket

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// sent is one frame of a client. Its zero RSV and more fields make it a legal,
// final frame.
type sent struct {
	op      Opcode
	more    bool // FIN is clear
	rsv     byte // 0 to 7: RSV1 is 4
	payload string
}

func text(payload string) sent   { return sent{op: OpText, payload: payload} }
func binaryOf(p string) sent     { return sent{op: OpBinary, payload: p} }
func ping(payload string) sent   { return sent{op: OpPing, payload: payload} }
func pong(payload string) sent   { return sent{op: OpPong, payload: payload} }
func first(payload string) sent  { return sent{op: OpText, more: true, payload: payload} }
func middle(payload string) sent { return sent{op: OpContinuation, more: true, payload: payload} }
func last(payload string) sent   { return sent{op: OpContinuation, payload: payload} }

func closing(code int, reason string) sent {
	return sent{op: OpClose, payload: string(binary.BigEndian.AppendUint16(nil, uint16(code))) + reason}
}

// stream is what a client writes for the frames, each masked with another key.
func stream(frames ...sent) []byte {
	var out []byte
	for i, f := range frames {
		out = f.appendTo(out, [4]byte{byte(17 * i), 0xa5, byte(i), 0x3c})
	}
	return out
}

// appendTo is the encoder of RFC 6455 §5.2 and §5.3, written apart from the one
// under test.
func (f sent) appendTo(dst []byte, key [4]byte) []byte {
	head := byte(f.op) | f.rsv<<4
	if !f.more {
		head |= 0x80
	}
	dst = append(dst, head)
	switch n := len(f.payload); {
	case n < 126:
		dst = append(dst, 0x80|byte(n))
	case n < 65536:
		dst = binary.BigEndian.AppendUint16(append(dst, 0x80|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, 0x80|127), uint64(n))
	}
	dst = append(dst, key[:]...)
	for i := range len(f.payload) {
		dst = append(dst, f.payload[i]^key[i%4])
	}
	return dst
}

// fragments cuts payload into frames of size bytes, the last one final.
func fragments(op Opcode, payload string, size int) []sent {
	var frames []sent
	for len(payload) > size {
		frames = append(frames, sent{op: op, more: true, payload: payload[:size]})
		op, payload = OpContinuation, payload[size:]
	}
	return append(frames, sent{op: op, payload: payload})
}

// reply is one frame of the server as a client sees it.
type reply struct {
	op      Opcode
	payload string
}

func (r reply) String() string {
	if len(r.payload) > 64 {
		return fmt.Sprintf("op %d, %d bytes", r.op, len(r.payload))
	}
	return fmt.Sprintf("op %d %q", r.op, r.payload)
}

// replies decodes what a server wrote and is as strict as a client must be:
// final, unmasked, no reserved bits, shortest length (RFC 6455 §5.1, §5.2).
func replies(out []byte) ([]reply, error) {
	var all []reply
	for len(out) > 0 {
		if len(out) < 2 || out[0]&0xf0 != 0x80 || out[1]&0x80 != 0 {
			return all, fmt.Errorf("bad frame head % x", out[:min(len(out), 2)])
		}
		op, n, size, least := Opcode(out[0]&0x0f), int(out[1]), 2, 0
		switch {
		case n == 126 && len(out) >= 4:
			n, size, least = int(binary.BigEndian.Uint16(out[2:])), 4, 126
		case n == 127 && len(out) >= 10:
			n, size, least = int(binary.BigEndian.Uint64(out[2:])), 10, 65536
		}
		if n < least || len(out) < size+n {
			return all, fmt.Errorf("bad length %d of %d bytes", n, len(out))
		}
		all = append(all, reply{op, string(out[size : size+n])})
		out = out[size+n:]
	}
	return all, nil
}

func closeReply(code int, reason string) reply {
	return reply{OpClose, closing(code, reason).payload}
}

// repeat fills n bytes with pattern over and over.
func repeat(pattern string, n int) string {
	return strings.Repeat(pattern, n/len(pattern)+1)[:n]
}
