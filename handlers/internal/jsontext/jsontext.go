// Package jsontext looks at JSON before it is decoded, or passed on.
//
// Safe for concurrent use.
package jsontext

import "strconv"

// Halves counts the escapes in JSON for a surrogate that is not part of a pair
// (https://www.rfc-editor.org/rfc/rfc8259#section-8.2). They stand for no text, and
// package json makes another character of each.
func Halves(p []byte) (n int) {
	unit := func(i int) uint64 { // of the escape at i; 0 if there is none
		if i+6 > len(p) || p[i] != '\\' || p[i+1] != 'u' {
			return 0
		}
		u, _ := strconv.ParseUint(string(p[i+2:i+6]), 16, 16)
		return u
	}
	for i := 0; i < len(p); i++ {
		if p[i] != '\\' {
			continue
		}
		switch u := unit(i); {
		case u>>10 == 0xD800>>10 && unit(i+6)>>10 == 0xDC00>>10:
			i += 11
		case u>>11 == 0xD800>>11:
			n++
			i++
		default:
			i++ // what is escaped; the digits of a unit are no escapes
		}
	}
	return n
}
