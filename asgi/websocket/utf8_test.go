package websocket

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gale-server/gale/asgi/internal/autobahn"
)

// viable is the oracle: how many bytes of s can be the start of a valid text,
// and whether they are one, in terms of unicode/utf8 alone.
func viable(s string) (n int, complete bool) {
	for n < len(s) {
		r, size := utf8.DecodeRuneInString(s[n:])
		if r != utf8.RuneError || size > 1 {
			n += size
			continue
		}
		// utf8.FullRuneInString is true for a prefix that can become nothing.
		end := n + 1
		for end < len(s) && !utf8.FullRuneInString(s[n:end]) {
			end++
		}
		if utf8.FullRuneInString(s[n:end]) {
			return end - 1, false
		}
		return end, false
	}
	return n, true
}

// checkText gives s in pieces and wants the check to agree with the oracle
// after every one of them.
func checkText(t testing.TB, s string, piece func(rest int) int) {
	t.Helper()
	good, complete := viable(s)
	var check textCheck
	for at := 0; at < len(s); {
		end := at + max(1, min(piece(len(s)-at), len(s)-at))
		ok := check.add([]byte(s[at:end]))
		if ok != (end <= good) {
			t.Fatalf("%q: add is %v after %d bytes, of which %d are good", s, ok, end, good)
		}
		if !ok {
			return
		}
		at = end
	}
	if check.complete() != complete || complete != utf8.ValidString(s) {
		t.Fatalf("%q: complete is %v, want %v", s, check.complete(), complete)
	}
}

func TestTextCheckVectors(t *testing.T) {
	for _, group := range autobahn.UTF8Groups {
		for _, s := range append(group.Valid, group.Invalid...) {
			for _, before := range []string{"", "a", "ab", "abcdefghijklm", "é", "€", "🙂"} {
				for _, after := range []string{"", "z", "\x80", "€", "\xff"} {
					joined := before + s + after
					checkText(t, joined, whole)
					checkText(t, joined, chops(1))
					for at := 1; at < len(joined); at++ {
						checkText(t, joined, cutAt(at))
					}
				}
			}
		}
	}
}

// Every sequence of two bytes, and every one of three and four whose later
// bytes stand at the borders of the table.
func TestTextCheckExhaustive(t *testing.T) {
	borders := []byte{0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xff}
	for a := range 256 {
		for b := range 256 {
			s := string([]byte{byte(a), byte(b)})
			checkText(t, s, whole)
			checkText(t, s, chops(1))
		}
		for _, b := range borders {
			for _, c := range borders {
				for _, d := range borders {
					s := string([]byte{byte(a), b, c, d})
					checkText(t, s, whole)
					checkText(t, s, chops(1))
					checkText(t, s, chops(2))
					checkText(t, s, chops(3))
				}
			}
		}
	}
}

func TestTextCheckRunes(t *testing.T) {
	var all strings.Builder
	for r := rune(0); r <= utf8.MaxRune; r += 7 {
		if utf8.ValidRune(r) {
			all.WriteRune(r)
		}
	}
	for _, size := range []int{1, 2, 3, 5, 64, 1000} {
		checkPieces(t, all.String(), size)
	}
}

// checkPieces is checkText for a long valid text.
func checkPieces(t *testing.T, s string, size int) {
	t.Helper()
	var check textCheck
	for at := 0; at < len(s); at += size {
		if !check.add([]byte(s[at:min(at+size, len(s))])) {
			t.Fatalf("pieces of %d: refused before byte %d", size, at+size)
		}
	}
	if !check.complete() {
		t.Fatalf("pieces of %d: not complete", size)
	}
}
