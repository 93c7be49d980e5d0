package autobahn

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// Reply is one frame of the server as a client sees it.
//
// Safe for concurrent use: only read.
type Reply struct {
	Op      byte
	Payload string
}

func (r Reply) String() string {
	if len(r.Payload) > 64 {
		return fmt.Sprintf("op %d, %d bytes", r.Op, len(r.Payload))
	}
	return fmt.Sprintf("op %d %q", r.Op, r.Payload)
}

// CloseReply is a close with a code.
func CloseReply(code int, reason string) Reply {
	return Reply{OpClose, Closing(code, reason).Payload}
}

// CloseCode is the code of a close, 0 if it has none.
func (r Reply) CloseCode() int {
	if len(r.Payload) < 2 {
		return 0
	}
	return int(binary.BigEndian.Uint16([]byte(r.Payload)))
}

// maxReply bounds the payload of a reply, in bytes. The longest of a case has
// 16 MiB.
const maxReply = 32 << 20

// ReadReply reads one frame and is as strict as a client must be: final,
// unmasked, no reserved bits, shortest length (RFC 6455 §5.1, §5.2). It blocks
// as r does and returns io.EOF if r ends before the frame.
func ReadReply(r io.Reader) (Reply, error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:2]); err != nil {
		return Reply{}, err
	}
	if head[0]&0xf0 != 0x80 || head[1]&0x80 != 0 {
		return Reply{}, fmt.Errorf("autobahn: bad frame head % x", head[:2])
	}
	op, n, least := head[0]&0x0f, uint64(head[1]), uint64(0)
	switch n {
	case 126:
		if err := readRest(r, head[:2]); err != nil {
			return Reply{}, err
		}
		n, least = uint64(binary.BigEndian.Uint16(head[:])), 126
	case 127:
		if err := readRest(r, head[:]); err != nil {
			return Reply{}, err
		}
		n, least = binary.BigEndian.Uint64(head[:]), 65536
	}
	if n < least || n > maxReply {
		return Reply{}, fmt.Errorf("autobahn: bad length %d", n)
	}
	payload := make([]byte, n)
	err := readRest(r, payload)
	return Reply{op, string(payload)}, err
}

// readRest fills p with what must follow.
func readRest(r io.Reader, p []byte) error {
	_, err := io.ReadFull(r, p)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// Replies reads all the frames of a server that has closed. On an error it
// returns those before it, too.
func Replies(out []byte) ([]Reply, error) {
	var all []Reply
	for r := bytes.NewReader(out); r.Len() > 0; {
		reply, err := ReadReply(r)
		if err != nil {
			return all, err
		}
		all = append(all, reply)
	}
	return all, nil
}
