package nethttp

import (
	"encoding/binary"

	gorilla "github.com/gorilla/websocket"

	"github.com/gale-server/gale/asgi/websocket"
)

// frameStarts follows a stream of frames as far as to know where each begins
// (https://www.rfc-editor.org/rfc/rfc6455#section-5.2). What is in a frame is
// gorilla's to judge.
//
// Not safe for concurrent use.
type frameStarts struct {
	head [10]byte // of the frame under way, without its masking key
	have int      // bytes of head
	left uint64   // bytes of masking key and payload still to come
}

const (
	opcodeBits = 0x0f
	maskBit    = 0x80
	lengthBits = 0x7f
	length16   = 126
	length64   = 127
	maskBytes  = 4
)

// beforeClose returns how many bytes of p come before a close frame: all of
// them, if there is none.
func (s *frameStarts) beforeClose(p []byte) int {
	for n := 0; n < len(p); {
		if s.left > 0 {
			step := min(s.left, uint64(len(p)-n))
			s.left -= step
			n += int(step)
			continue
		}
		if s.have == 0 && p[n]&opcodeBits == byte(websocket.OpClose) {
			return n
		}
		s.head[s.have] = p[n]
		s.have++
		n++
		s.complete()
	}
	return len(p)
}

// complete starts the payload once the length is known.
func (s *frameStarts) complete() {
	if s.have < 2 {
		return
	}
	switch length := s.head[1] & lengthBits; {
	case length == length16 && s.have == 4:
		s.left = uint64(binary.BigEndian.Uint16(s.head[2:]))
	case length == length64 && s.have == 10:
		s.left = binary.BigEndian.Uint64(s.head[2:])
	case length < length16:
		s.left = uint64(length)
	default:
		return
	}
	if s.head[1]&maskBit != 0 {
		s.left += maskBytes
	}
	s.have = 0
}

// readClose reads the close frame that the stream has come to, and returns it,
// or what is wrong with it, as an error. Gorilla does not judge it: it knows
// fewer codes than IANA's registry has, and passes a payload of one byte.
func (s *socket) readClose() error {
	m := websocket.New(nil)
	var ev websocket.Event
	buf := make([]byte, 2+maskBytes+websocket.MaxControlBytes)
	for {
		n, err := s.fill(buf)
		if err != nil {
			return err
		}
		if err := m.Next(buf[:n], &ev); err != nil {
			return err
		}
		if ev.Kind == websocket.Close {
			return &gorilla.CloseError{Code: ev.Code, Text: string(ev.Data)}
		}
	}
}
