package load

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
)

// A publication is text of a given size that is JSON, too, so that it can stand
// in a message of any protocol as it is: a string, that says who published it and
// how many that publisher has published before, and is filled up with letters.
//
//	"publication SSSSNNNNNNNNabcdefg..."
type stamp struct {
	text []byte // of slot 0, number 0
}

var (
	mark      = []byte(`"publication `)
	errStamp  = errors.New("load: a publication is damaged")
	errMarked = errors.New("load: publications need 32 bytes or more")
)

const (
	slotDigits   = 4
	numberDigits = 8
	minStamp     = 32
)

func newStamp(size int) (stamp, error) {
	if size < minStamp {
		return stamp{}, errMarked
	}
	p := fmt.Appendf(nil, "%s%0*x%0*x", mark, slotDigits, 0, numberDigits, 0)
	for i := range size - len(p) - 1 {
		p = append(p, 'a'+byte(i%26))
	}
	return stamp{append(p, '"')}, nil
}

// of returns a publication.
func (s stamp) of(slot int, number uint32) []byte {
	p := bytes.Clone(s.text)
	hex.Encode(p[len(mark):], []byte{byte(slot >> 8), byte(slot), byte(number >> 24), byte(number >> 16), byte(number >> 8), byte(number)})
	return p
}

// scan calls deliver for each publication in p, whatever stands between them.
func (s stamp) scan(p []byte, deliver func(slot int, number uint32) error) error {
	for {
		i := bytes.Index(p, mark)
		if i < 0 {
			return nil
		}
		p = p[i:]
		const digits = slotDigits + numberDigits
		rest := len(mark) + digits
		if len(p) < len(s.text) || !bytes.Equal(p[rest:len(s.text)], s.text[rest:]) {
			return errStamp
		}
		var b [digits / 2]byte
		if _, err := hex.Decode(b[:], p[len(mark):rest]); err != nil {
			return errStamp
		}
		number := uint32(b[2])<<24 | uint32(b[3])<<16 | uint32(b[4])<<8 | uint32(b[5])
		if err := deliver(int(b[0])<<8|int(b[1]), number); err != nil {
			return err
		}
		p = p[len(s.text):]
	}
}
