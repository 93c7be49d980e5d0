package wire

import (
	"bytes"
	"encoding/binary"
	"math"
	"unicode/utf8"
)

// The codes of marshal that gale writes. See w_object of Python/marshal.c.
const (
	codeNone       = 'N'
	codeTrue       = 'T'
	codeFalse      = 'F'
	codeInt        = 'i'
	codeLong       = 'l'
	codeFloat      = 'g'
	codeBytes      = 's'
	codeText       = 'u'
	codeInterned   = 't'
	codeASCII      = 'a'
	codeInternedA  = 'A'
	codeShort      = 'z'
	codeShortInter = 'Z'
	codeTuple      = '('
	codeSmallTuple = ')'
	codeList       = '['
	codeDict       = '{'
	codeEnd        = '0'
)

func appendSize(dst []byte, code byte, n int) []byte {
	return append(dst, code, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
}

// AppendNone appends None.
func AppendNone(dst []byte) []byte { return append(dst, codeNone) }

// AppendBool appends True or False.
func AppendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, codeTrue)
	}
	return append(dst, codeFalse)
}

// AppendInt appends an int.
func AppendInt(dst []byte, v int64) []byte {
	if v >= math.MinInt32 && v <= math.MaxInt32 {
		return appendSize(dst, codeInt, int(v))
	}
	u, n := uint64(v), 0
	if v < 0 {
		u = -u
	}
	at := len(dst)
	dst = appendSize(dst, codeLong, 0)
	for ; u > 0; u >>= 15 {
		dst = binary.LittleEndian.AppendUint16(dst, uint16(u&0x7fff))
		n++
	}
	if v < 0 {
		n = -n
	}
	binary.LittleEndian.PutUint32(dst[at+1:], uint32(int32(n)))
	return dst
}

// AppendFloat appends a float.
func AppendFloat(dst []byte, v float64) []byte {
	return binary.LittleEndian.AppendUint64(append(dst, codeFloat), math.Float64bits(v))
}

// AppendBytes appends bytes.
func AppendBytes[T ~[]byte | ~string](dst []byte, p T) []byte {
	return append(appendSize(dst, codeBytes, len(p)), p...)
}

// AppendText appends a str. What is not UTF-8 in it becomes U+FFFD: a message with it
// could not be read.
func AppendText[T ~[]byte | ~string](dst []byte, s T) []byte {
	if isASCII(s) {
		if len(s) <= math.MaxUint8 {
			return append(append(dst, codeShort, byte(len(s))), s...)
		}
		return append(appendSize(dst, codeASCII, len(s)), s...)
	}
	dst = appendSize(dst, codeText, len(s))
	at := len(dst)
	if dst = append(dst, s...); utf8.Valid(dst[at:]) {
		return dst
	}
	valid := bytes.ToValidUTF8(dst[at:], []byte("\uFFFD"))
	dst = append(dst[:at], valid...)
	binary.LittleEndian.PutUint32(dst[at-4:], uint32(len(valid)))
	return dst
}

func isASCII[T ~[]byte | ~string](s T) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// appendName appends a short word that is nearly always one of few: Python keeps it once.
func appendName(dst []byte, s string) []byte {
	if len(s) > 8 || !isASCII(s) {
		return AppendText(dst, s)
	}
	return append(append(dst, codeShortInter, byte(len(s))), s...)
}

// AppendTuple appends the beginning of a tuple of n values, at most 255.
func AppendTuple(dst []byte, n int) []byte { return append(dst, codeSmallTuple, byte(n)) }

// AppendList appends the beginning of a list of n values.
func AppendList(dst []byte, n int) []byte { return appendSize(dst, codeList, n) }

// AppendDict appends the beginning of a dict, whose pairs of values follow, and then
// AppendEnd.
func AppendDict(dst []byte) []byte { return append(dst, codeDict) }

// AppendEnd ends a dict.
func AppendEnd(dst []byte) []byte { return append(dst, codeEnd) }
