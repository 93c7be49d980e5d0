package wire

import (
	"encoding/binary"
	"errors"
	"math"
	"unicode/utf8"
)

// ErrMessage is wrapped by every error about what a worker has sent.
var ErrMessage = errors.New("python: the worker has sent what is not of the protocol")

var (
	errShort   = fault("it ends too early")
	errType    = fault("a value of another type")
	errUTF8    = fault("text that is not UTF-8")
	errLatin   = fault("a header field with a character that is not of Latin-1")
	errLarge   = fault("a number out of its range")
	errUnknown = fault("an unknown frame")
	errDepth   = fault("values within values, too deep")
	errFields  = fault("a frame with too few or too many fields")
)

type fault string

func (f fault) Error() string { return ErrMessage.Error() + ": " + string(f) }
func (f fault) Unwrap() error { return ErrMessage }

// Reader takes values off a message. The first error stays: what is read after it is
// zero.
//
// Not safe for concurrent use.
type Reader struct {
	p   []byte
	err error
}

// NewReader returns a reader of p, a message without its length.
func NewReader(p []byte) Reader { return Reader{p: p} }

// Err is what was wrong first.
func (r *Reader) Err() error { return r.err }

// Rest is how many bytes are left.
func (r *Reader) Rest() int { return len(r.p) }

func (r *Reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.p = nil
}

func (r *Reader) code() byte {
	if len(r.p) == 0 {
		r.fail(errShort)
		return 0
	}
	c := r.p[0]
	r.p = r.p[1:]
	return c
}

// peek is the next code.
func (r *Reader) peek() byte {
	if len(r.p) == 0 {
		return 0
	}
	return r.p[0]
}

func (r *Reader) size() int {
	if len(r.p) < 4 {
		r.fail(errShort)
		return 0
	}
	n := binary.LittleEndian.Uint32(r.p)
	r.p = r.p[4:]
	if n > uint32(len(r.p)) { // every value has a byte at least
		r.fail(errShort)
		return 0
	}
	return int(n)
}

func (r *Reader) take(n int) []byte {
	if n > len(r.p) {
		r.fail(errShort)
		return nil
	}
	p := r.p[:n:n]
	r.p = r.p[n:]
	return p
}

// Tuple reads the beginning of a tuple, and returns how many values it has.
func (r *Reader) Tuple() int {
	switch r.code() {
	case codeSmallTuple:
		if p := r.take(1); p != nil {
			return int(p[0])
		}
	case codeTuple:
		return r.size()
	default:
		r.fail(errType)
	}
	return 0
}

// Items reads the beginning of a list or tuple, and returns how many values it has.
func (r *Reader) Items() int {
	if r.peek() == codeList {
		r.code()
		return r.size()
	}
	return r.Tuple()
}

// Fields reads the beginning of a tuple of n values.
func (r *Reader) Fields(n int) {
	if r.Tuple() != n {
		r.fail(errFields)
	}
}

// Int reads an int of up to 64 bits.
func (r *Reader) Int() int64 {
	switch r.code() {
	case codeInt:
		if p := r.take(4); p != nil {
			return int64(int32(binary.LittleEndian.Uint32(p)))
		}
	case codeLong:
		return r.long()
	case codeTrue: // a bool is an int
		return 1
	case codeFalse:
		return 0
	default:
		r.fail(errType)
	}
	return 0
}

// long reads the digits of an int, which have 15 bits each.
func (r *Reader) long() int64 {
	head := r.take(4)
	if head == nil {
		return 0
	}
	n := int64(int32(binary.LittleEndian.Uint32(head)))
	negative := n < 0
	if negative {
		n = -n
	}
	if n > 5 {
		r.fail(errLarge)
		return 0
	}
	digits := r.take(2 * int(n))
	var u uint64
	for i := len(digits) - 2; i >= 0; i -= 2 {
		d := uint64(binary.LittleEndian.Uint16(digits[i:]))
		if d > 0x7fff || u > math.MaxInt64>>15 {
			r.fail(errLarge)
			return 0
		}
		u = u<<15 | d
	}
	if negative {
		return -int64(u)
	}
	return int64(u)
}

// Within reads an int from low to high.
func (r *Reader) Within(low, high int64) int64 {
	v := r.Int()
	if v < low || v > high {
		r.fail(errLarge)
		return low
	}
	return v
}

// Float reads a float, or an int.
func (r *Reader) Float() float64 {
	if r.peek() != codeFloat {
		return float64(r.Int())
	}
	r.code()
	if p := r.take(8); p != nil {
		return math.Float64frombits(binary.LittleEndian.Uint64(p))
	}
	return 0
}

// Bool reads a bool.
func (r *Reader) Bool() bool {
	switch r.code() {
	case codeTrue:
		return true
	case codeFalse:
	default:
		r.fail(errType)
	}
	return false
}

// None reports whether the next value is None, and reads it if so.
func (r *Reader) None() bool {
	if r.peek() != codeNone {
		return false
	}
	r.code()
	return true
}

// End reports whether a dict ends here, and reads the end if so.
func (r *Reader) End() bool {
	if r.err != nil {
		return true
	}
	if r.peek() != codeEnd {
		return false
	}
	r.code()
	return true
}

// Dict reads the beginning of a dict. Its pairs follow until End.
func (r *Reader) Dict() {
	if r.code() != codeDict {
		r.fail(errType)
	}
}

// Bytes reads bytes, which lie in the message.
func (r *Reader) Bytes() []byte {
	if r.code() != codeBytes {
		r.fail(errType)
		return nil
	}
	return r.take(r.size())
}

// Text reads a str as valid UTF-8, which lies in the message.
func (r *Reader) Text() []byte {
	p, ascii := r.text(r.code())
	if !ascii && !utf8.Valid(p) {
		r.fail(errUTF8)
		return nil
	}
	return p
}

// text reads a str after its code. One that is ASCII may have any octets: see plain.
func (r *Reader) text(code byte) (p []byte, ascii bool) {
	switch code {
	case codeText, codeInterned:
		return r.take(r.size()), false
	case codeASCII, codeInternedA:
		return r.plain(r.take(r.size())), true
	case codeShort, codeShortInter:
		if n := r.take(1); n != nil {
			return r.plain(r.take(int(n[0]))), true
		}
	default:
		r.fail(errType)
	}
	return nil, true
}

// plain checks what is said to be ASCII.
func (r *Reader) plain(p []byte) []byte {
	for _, c := range p {
		if c >= utf8.RuneSelf {
			r.fail(errUTF8)
			return nil
		}
	}
	return p
}

// Data reads bytes or a str.
func (r *Reader) Data() (p []byte, isText bool) {
	if r.peek() == codeBytes {
		return r.Bytes(), false
	}
	return r.Text(), true
}

// Octets reads the octets of a header: bytes, or a str of Latin-1.
func (r *Reader) Octets() []byte {
	code := r.code()
	if code == codeBytes {
		return r.take(r.size())
	}
	p, ascii := r.text(code)
	if ascii {
		return p
	}
	octets := make([]byte, 0, len(p))
	for len(p) > 0 {
		c, n := utf8.DecodeRune(p)
		if c == utf8.RuneError && n == 1 || c > 0xff {
			r.fail(errLatin)
			return nil
		}
		octets, p = append(octets, byte(c)), p[n:]
	}
	return octets
}
