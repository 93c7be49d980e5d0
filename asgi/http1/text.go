package http1

import "unsafe"

// Strings of a scope that live long keep alive what they share memory with. So a
// head is copied as a whole only up to wholeHead bytes, and what is larger in
// pieces: whoever keeps a string of it keeps a piece, or the string's own memory if
// that is longer.
const (
	wholeHead = 1 << 10
	pieceSize = 512
)

// text makes strings of the spans of a head.
//
// Not safe for concurrent use.
type text struct {
	head  []byte
	whole string // a copy of the head, or "" if it is too large
	piece []byte // what is left of the piece under way
}

// newText returns the text of a head in which the names of fields are in lower case.
func newText(head []byte, fields []field) text {
	t := text{head: head}
	if len(head) > wholeHead {
		return t
	}
	b := make([]byte, len(head))
	copy(b, head)
	for _, f := range fields {
		toLower(b[f.name.from:f.name.to])
	}
	t.whole = stringOf(b)
	return t
}

// of returns a span as a string, name one that is a field's name.
func (t *text) of(s span) string {
	if t.whole != "" {
		return t.whole[s.from:s.to]
	}
	return stringOf(t.copy(s))
}

func (t *text) name(s span) string {
	if t.whole != "" {
		return t.whole[s.from:s.to]
	}
	b := t.copy(s)
	toLower(b)
	return stringOf(b)
}

// copy copies a span of a large head.
func (t *text) copy(s span) []byte {
	n := int(s.to - s.from)
	if n > len(t.piece) {
		if n > pieceSize/2 {
			return append([]byte(nil), t.head[s.from:s.to]...)
		}
		t.piece = make([]byte, pieceSize)
	}
	b := t.piece[:n:n]
	t.piece = t.piece[n:]
	copy(b, t.head[s.from:s.to])
	return b
}

func toLower(name []byte) {
	for i, c := range name {
		name[i] = lower[c]
	}
}

// stringOf makes a string of memory that has no other reference, and is not written
// again.
func stringOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
