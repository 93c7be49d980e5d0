package http1

import (
	"bytes"
	"encoding/binary"
	"unsafe"
)

// octets classifies every octet once, so that a check is one load.
const (
	isToken  = 1 << iota // tchar: RFC 9110 §5.6.2
	isValue              // field-content with HTAB and SP: RFC 9110 §5.5
	isTarget             // what a request target may hold, see classify
	isHost               // what a host name may hold, see classify
	isHex
	isDigit
)

var octets, lower = classify()

func classify() (class, low [256]byte) {
	for i := range 256 {
		c := byte(i)
		low[i] = c
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		digit := '0' <= c && c <= '9'
		if 'A' <= c && c <= 'Z' {
			low[i] = c | 0x20
		}
		if letter || digit || bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), c) >= 0 {
			class[i] |= isToken
		}
		if c == '\t' || c >= ' ' && c != 0x7f {
			class[i] |= isValue
		}
		// Printable ASCII without the fragment mark. RFC 3986 has fewer, but
		// browsers send "|", "{" and the like in queries, and command-line
		// clients send raw UTF-8.
		if c > ' ' && c != 0x7f && c != '#' {
			class[i] |= isTarget
		}
		// Unreserved or sub-delim: RFC 3986 §3.2.2. A comma is a legal sub-delim; here it is what a proxy that merged
		// two Host fields leaves behind.
		if letter || digit || bytes.IndexByte([]byte("-._~!$&'()*+;="), c) >= 0 {
			class[i] |= isHost
		}
		if digit || 'a' <= c|0x20 && c|0x20 <= 'f' {
			class[i] |= isHex
		}
		if digit {
			class[i] |= isDigit
		}
	}
	return class, low
}

// all reports whether every octet of s is of class c.
func all[T string | []byte](s T, c byte) bool {
	for i := range len(s) {
		if octets[s[i]]&c == 0 {
			return false
		}
	}
	return true
}

// clean reports whether v is a legal field value, eight octets at a time: a
// word without an octet below SP and without DEL needs no look at the table.
func clean(v []byte) bool {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	for len(v) >= 8 {
		w := binary.LittleEndian.Uint64(v)
		del := w ^ ones*0x7f
		if ((w-ones*0x20)&^w|(del-ones)&^del)&high != 0 && !all(v[:8], isValue) {
			return false
		}
		v = v[8:]
	}
	return all(v, isValue)
}

// cleanString is clean for a string.
func cleanString(s string) bool { return clean(unsafe.Slice(unsafe.StringData(s), len(s))) }

// fold reports whether s is word in any case; word is lower-case.
func fold[T string | []byte](s T, word string) bool {
	if len(s) != len(word) {
		return false
	}
	for i := range len(word) {
		if lower[s[i]] != word[i] {
			return false
		}
	}
	return true
}

// trim removes optional whitespace, which is SP and HTAB, from both ends.
func trim[T string | []byte](v T) T {
	for len(v) > 0 && (v[0] == ' ' || v[0] == '\t') {
		v = v[1:]
	}
	for len(v) > 0 && (v[len(v)-1] == ' ' || v[len(v)-1] == '\t') {
		v = v[:len(v)-1]
	}
	return v
}

// element cuts the first element off a comma-separated list (RFC 9110 §5.6.1).
// It may be empty.
func element[T string | []byte](list T) (first, rest T) {
	for i := range len(list) {
		if list[i] == ',' {
			return trim(list[:i]), list[i+1:]
		}
	}
	return trim(list), list[len(list):]
}

// listed reports whether the list has word, which is lower-case, in any case.
func listed[T string | []byte](list T, word string) bool {
	for len(list) > 0 {
		var e T
		e, list = element(list)
		if fold(e, word) {
			return true
		}
	}
	return false
}

// decimal reads 1*DIGIT of at most 18 digits, which is below 2^63.
func decimal[T string | []byte](s T) (n int64, ok bool) {
	if len(s) == 0 || len(s) > 18 || !all(s, isDigit) {
		return 0, false
	}
	for i := range len(s) {
		n = n*10 + int64(s[i]-'0')
	}
	return n, true
}
