package websocket

import "unicode/utf8"

// textCheck checks UTF-8 that arrives in pieces. Between pieces it knows only
// how many bytes the last character lacks and what the next one may be, which
// is what it takes to refuse overlong forms, surrogates and anything above
// U+10FFFF at the first byte that shows them (RFC 3629 §4). The zero value is
// at the start of a text, and so is every textCheck that is complete.
type textCheck struct {
	missing  uint8 // bytes the last character still lacks
	low, top uint8 // bounds of the next of them
}

// complete reports whether the text may end here.
func (t *textCheck) complete() bool { return t.missing == 0 }

// add takes the next piece and reports whether the text can still become valid;
// after false the textCheck is spent. The bulk of the piece goes through
// utf8.Valid, which takes ASCII at the speed of memory.
func (t *textCheck) add(p []byte) bool {
	for t.missing > 0 && len(p) > 0 {
		if !t.step(p[0]) {
			return false
		}
		p = p[1:]
	}
	bulk := wholeCharacters(p)
	if !utf8.Valid(p[:bulk]) {
		return false
	}
	for _, b := range p[bulk:] {
		if !t.step(b) {
			return false
		}
	}
	return true
}

// wholeCharacters returns the length of p without a character at its end that
// is cut: one that starts in the last three bytes and needs more than there are.
func wholeCharacters(p []byte) int {
	for back := 1; back <= 3 && back <= len(p); back++ {
		switch b := p[len(p)-back]; {
		case b < 0x80:
			return len(p)
		case b >= 0xc0: // a first byte
			if back < int(sequenceLength(b)) {
				return len(p) - back
			}
			return len(p)
		}
	}
	return len(p)
}

// sequenceLength is the length in bytes that the first byte of a character of
// two or more bytes announces; for a byte that can start none it is 1.
func sequenceLength(first byte) uint8 {
	switch {
	case first < 0xc2 || first > 0xf4:
		return 1
	case first < 0xe0:
		return 2
	case first < 0xf0:
		return 3
	default:
		return 4
	}
}

// step takes one byte and reports whether it may stand there, by the table of
// well-formed sequences (RFC 3629 §4, Unicode table 3-7).
func (t *textCheck) step(b byte) bool {
	if t.missing > 0 {
		ok := t.low <= b && b <= t.top
		*t = textCheck{missing: t.missing - 1, low: 0x80, top: 0xbf}
		return ok
	}
	if b < 0x80 {
		return true
	}
	length := sequenceLength(b)
	*t = textCheck{missing: length - 1, low: 0x80, top: 0xbf}
	switch b {
	case 0xe0:
		t.low = 0xa0 // below: an overlong form
	case 0xed:
		t.top = 0x9f // above: a surrogate
	case 0xf0:
		t.low = 0x90 // below: an overlong form
	case 0xf4:
		t.top = 0x8f // above: beyond U+10FFFF
	}
	return length > 1
}
