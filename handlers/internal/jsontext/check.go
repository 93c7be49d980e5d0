package jsontext

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"unicode/utf8"
)

// MaxDepth is how deep arrays and objects may be nested in a value: deeper than what
// people write, and less than what any reader takes.
const MaxDepth = 64

// MaxKeys is how many keys an object may have: more than fit into a message of the
// default size, and few enough to be remembered while it is read.
const MaxKeys = 8192

// ErrJSON is the error of Check for what is no JSON at all.
var ErrJSON = errors.New("it is no JSON")

// What else is wrong with a value, for people.
var (
	errWide   = errors.New("an object has more than 8192 keys")
	errUTF8   = errors.New("it is not UTF-8")
	errDepth  = errors.New("it is nested deeper than 64 levels")
	errHalf   = errors.New("half a surrogate pair is no text")
	errNumber = errors.New("a number is too large for 64 bits of floating point")
	errTwice  = errors.New("an object has a key twice")
)

// Check returns why p is not a JSON value that every reader takes, and takes for the
// same: one of the Internet profile (https://www.rfc-editor.org/rfc/rfc7493#section-2),
// nested no deeper than depth levels.
func Check(p []byte, depth int) error {
	switch {
	case !utf8.Valid(p):
		return errUTF8
	case Deeper(p, depth): // before a parser that remembers where it is
		return errDepth
	case !json.Valid(p):
		return ErrJSON
	case Halves(p) > 0:
		return errHalf
	}
	_, err := value(skipSpace(p))
	return err
}

// Deeper reports whether arrays and objects are nested deeper than depth levels in p,
// which need not be JSON.
func Deeper(p []byte, depth int) bool {
	now := 0
	for i := 0; i < len(p); i++ {
		switch p[i] {
		case '"':
			i += StringLen(p[i:]) - 1
		case '{', '[':
			if now++; now > depth {
				return true
			}
		case '}', ']':
			now--
		}
	}
	return false
}

// StringLen is the length of the string that p begins with, or of p if it does not
// end.
func StringLen(p []byte) int {
	for i := 1; i < len(p); i++ {
		switch p[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(p)
}

// value checks the numbers and the keys of the value that p begins with, which is
// valid, and returns what follows it.
func value(p []byte) (rest []byte, err error) {
	switch p[0] {
	case '{':
		return object(p)
	case '[':
		return array(p)
	case '"':
		return p[StringLen(p):], nil
	case 't', 'n':
		return p[len("true"):], nil
	case 'f':
		return p[len("false"):], nil
	}
	return number(p)
}

func array(p []byte) (rest []byte, err error) {
	for p = skipSpace(p[1:]); p[0] != ']'; p = skipSpace(p) {
		if p[0] == ',' {
			p = skipSpace(p[1:])
		}
		if p, err = value(p); err != nil {
			return p, err
		}
	}
	return p[1:], nil
}

func object(p []byte) (rest []byte, err error) {
	var keys keySet
	for p = skipSpace(p[1:]); p[0] != '}'; p = skipSpace(p) {
		if p[0] == ',' {
			p = skipSpace(p[1:])
		}
		n := StringLen(p)
		if !keys.add(p[:n]) {
			return p, errTwice
		}
		if len(keys.many) > MaxKeys {
			return p, errWide
		}
		p = skipSpace(skipSpace(p[n:])[1:]) // behind the colon
		if p, err = value(p); err != nil {
			return p, err
		}
	}
	return p[1:], nil
}

// maxSafe is a length below which no number without an exponent is too large.
const maxSafe = 300

func number(p []byte) (rest []byte, err error) {
	n := 0
	for n < len(p) && (p[n] >= '0' && p[n] <= '9' || bytes.IndexByte([]byte("+-.eE"), p[n]) >= 0) {
		n++
	}
	if n < maxSafe && !bytes.ContainsAny(p[:n], "eE") {
		return p[n:], nil
	}
	if _, err := strconv.ParseFloat(string(p[:n]), 64); err != nil {
		return p, errNumber
	}
	return p[n:], nil
}

// keySet are the keys of an object.
type keySet struct {
	few  [][]byte            // as long as they are
	many map[string]struct{} // all of them, once they are not
}

// maxFew is how many keys are looked through one by one.
const maxFew = 16

// add adds a key, as it is written, and reports whether it was not there.
func (s *keySet) add(key []byte) bool {
	if bytes.IndexByte(key, '\\') >= 0 {
		var text string
		if json.Unmarshal(key, &text) == nil {
			key = []byte(text)
		}
	} else {
		key = key[1 : len(key)-1]
	}
	if s.many == nil {
		if slices.ContainsFunc(s.few, func(k []byte) bool { return bytes.Equal(k, key) }) {
			return false
		}
		if s.few = append(s.few, key); len(s.few) < maxFew {
			return true
		}
		s.many = make(map[string]struct{}, 2*maxFew)
		for _, k := range s.few {
			s.many[string(k)] = struct{}{}
		}
		return true
	}
	if _, there := s.many[string(key)]; there {
		return false
	}
	s.many[string(key)] = struct{}{}
	return true
}

func skipSpace(p []byte) []byte {
	for len(p) > 0 && (p[0] == ' ' || p[0] == '\t' || p[0] == '\n' || p[0] == '\r') {
		p = p[1:]
	}
	return p
}
