package load

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// inbound takes what a server sends, cut in any way: heads, and after each of them a
// part of a message. Every message must be want. The payload of a large message is
// compared as long as the inbound is not trusting; after that its length is what
// counts, so that who reads may drop it unseen.
type inbound struct {
	parse    func(head []byte) (size int, p part, err error)
	want     []byte
	trusting bool

	head     []byte // of the part to come, as far as it is here
	part     part
	inPart   bool
	offset   int   // of the message, over all its parts
	messages int64 // that ended
}

// part is what a head announces: an HTTP body, or the payload of a frame.
type part struct {
	length  int // bytes that still come
	final   bool
	control bool // no part of a message
}

// largeMessage is from what size on a message is worth being dropped unseen.
const largeMessage = 4 << 10

// unseen is how many bytes from here on need nobody to look at them.
func (r *inbound) unseen() int {
	if r.inPart && r.trusting && !r.part.control && len(r.want) >= largeMessage {
		return r.part.length
	}
	return 0
}

// progress is how many bytes of messages have come so far.
func (r *inbound) progress() int64 { return r.messages*int64(len(r.want)) + int64(r.offset) }

// skip says that the next n bytes were dropped, at most as many as are unseen.
func (r *inbound) skip(n int) error {
	r.offset += n
	return r.took(n)
}

// read takes the next bytes.
func (r *inbound) read(p []byte) (err error) {
	for len(p) > 0 {
		if !r.inPart {
			if p, err = r.readHead(p); err != nil {
				return err
			}
			continue
		}
		n := min(r.part.length, len(p))
		if !r.part.control {
			if n > len(r.want)-r.offset || !bytes.Equal(p[:n], r.want[r.offset:r.offset+n]) {
				return errReply
			}
			r.offset += n
		}
		p = p[n:]
		if err := r.took(n); err != nil {
			return err
		}
	}
	return nil
}

// readHead takes what p has of a head and returns the rest.
func (r *inbound) readHead(p []byte) ([]byte, error) {
	before := len(r.head)
	r.head = append(r.head, p[:min(len(p), maxHead-before)]...)
	size, part, err := r.parse(r.head)
	switch {
	case err != nil:
		return nil, err
	case size == 0 && len(r.head) == maxHead:
		return nil, errors.New("load: the head of the response is too long")
	case size == 0:
		return nil, nil
	case !part.control && part.length > len(r.want)-r.offset:
		return nil, fmt.Errorf("%w: it is longer", errReply)
	}
	r.head, r.part, r.inPart = r.head[:0], part, true
	return p[size-before:], r.took(0)
}

// took ends a part, and a message, of which nothing is left after n bytes.
func (r *inbound) took(n int) error {
	r.part.length -= n
	if r.part.length > 0 {
		return nil
	}
	r.inPart = false
	if r.part.control || !r.part.final {
		return nil
	}
	if r.offset != len(r.want) {
		return fmt.Errorf("%w: %d bytes of %d", errReply, r.offset, len(r.want))
	}
	r.offset = 0
	r.messages++
	return nil
}

// responseHead parses the head of a response that says how long it is; size is 0 if
// p does not have all of it.
func responseHead(p []byte) (size int, _ part, err error) {
	end := bytes.Index(p, []byte("\r\n\r\n"))
	if end < 0 {
		return 0, part{}, nil
	}
	if !bytes.HasPrefix(p, []byte("HTTP/1.1 200 ")) {
		return 0, part{}, fmt.Errorf("load: the request was answered with %.100q", p)
	}
	length := -1
	for line := range bytes.Lines(p[:end+2]) {
		if key, value, ok := bytes.Cut(line, []byte(":")); ok && bytes.EqualFold(key, []byte("content-length")) {
			length = decimal(bytes.TrimSpace(value))
		}
	}
	if length < 0 {
		return 0, part{}, errors.New("load: the response has no Content-Length")
	}
	return end + 4, part{length: length, final: true}, nil
}

// decimal is the number that p says; -1 if it does not.
func decimal(p []byte) int {
	n := 0
	for _, b := range p {
		if b < '0' || b > '9' || n > 1<<40 {
			return -1
		}
		n = 10*n + int(b-'0')
	}
	if len(p) == 0 {
		return -1
	}
	return n
}

// frameHead parses the head of a server's frame; size is 0 if p does not have all
// of it.
func frameHead(p []byte) (size int, _ part, err error) {
	if len(p) < 2 {
		return 0, part{}, nil
	}
	size, length := 2, uint64(p[1]&lengthBits)
	switch length {
	case length16:
		size = 4
	case length64:
		size = 10
	}
	if len(p) < size {
		return 0, part{}, nil
	}
	switch size {
	case 4:
		length = uint64(binary.BigEndian.Uint16(p[2:]))
	case 10:
		length = binary.BigEndian.Uint64(p[2:])
	}
	switch {
	case p[0]&rsvBits != 0, p[1]&maskBit != 0, length > 1<<40:
		return 0, part{}, errFrame
	case p[0]&opcodeBits == opClose:
		return 0, part{}, errClosed
	}
	return size, part{length: int(length), final: p[0]&finBit != 0, control: p[0]&controlBit != 0}, nil
}
