package http1

import (
	"fmt"
	"strings"
	"testing"
)

const chunkedHead = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

// TestChunkLines has one row per rule of the chunk line.
//
// https://www.rfc-editor.org/rfc/rfc9112#section-7.1
func TestChunkLines(t *testing.T) {
	for _, tt := range []struct {
		rule string
		body string
		want string
		ok   bool
	}{
		{"one chunk", "5\r\nhello\r\n0\r\n\r\n", "hello", true},
		{"two chunks", "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world", true},
		{"no chunk", "0\r\n\r\n", "", true},
		{"several zeros", "000\r\n\r\n", "", true},
		{"lower-case digit", "a\r\n0123456789\r\n0\r\n\r\n", "0123456789", true},
		{"upper-case digit", "A\r\n0123456789\r\n0\r\n\r\n", "0123456789", true},
		{"two digits", "1e\r\nall your base are belong to us\r\n0\r\n\r\n", "all your base are belong to us", true},
		{"16 digits", "0000000000000005\r\nhello\r\n0\r\n\r\n", "hello", true},
		{"17 digits", "00000000000000005\r\nhello\r\n0\r\n\r\n", "", false},
		{"overflow of 63 bits", "8000000000000000\r\n", "", false},
		{"overflow of 64 bits", "10000000000000005\r\nhello\r\n0\r\n\r\n", "", false},
		{"all digits set", "ffffffffffffffff\r\n", "", false},
		{"data looks like a chunk", "5\r\n0\r\n\r\n\r\n0\r\n\r\n", "0\r\n\r\n", true},
		{"no size", "\r\n\r\n", "", false},
		{"no size, extension", ";a=b\r\nhello\r\n0\r\n\r\n", "", false},
		{"plus", "+5\r\nhello\r\n0\r\n\r\n", "", false},
		{"minus", "-5\r\nhello\r\n0\r\n\r\n", "", false},
		{"minus zero", "-0\r\n\r\n", "", false},
		{"0x", "0x5\r\nhello\r\n0\r\n\r\n", "", false},
		{"underscore", "0_5\r\nhello\r\n0\r\n\r\n", "", false},
		{"letter", "5g\r\nhello\r\n0\r\n\r\n", "", false},
		{"SP before the size", " 5\r\nhello\r\n0\r\n\r\n", "", false},
		{"SP after the size", "5 \r\nhello\r\n0\r\n\r\n", "", false},
		{"HTAB after the size", "5\t\r\nhello\r\n0\r\n\r\n", "", false},
		{"SP and text after the size", "5 x\r\nhello\r\n0\r\n\r\n", "", false},
		{"form feed after the size", "5\x0c\r\nhello\r\n0\r\n\r\n", "", false},
		{"NUL after the size", "5\x00\r\nhello\r\n0\r\n\r\n", "", false},
		{"bare LF ends the size", "5\nhello\r\n0\r\n\r\n", "", false},
		{"bare CR ends the size", "5\rhello\r\n0\r\n\r\n", "", false},
		{"CR CR LF", "5\r\r\nhello\r\n0\r\n\r\n", "", false},
		{"CR and another octet", "5\r;hello\r\n0\r\n\r\n", "", false},
		{"bare LF after the data", "5\r\nhello\n0\r\n\r\n", "", false},
		{"bare CR after the data", "5\r\nhello\r0\r\n\r\n", "", false},
		{"no CRLF after the data", "5\r\nhello0\r\n\r\n", "", false},
		{"other octets after the data", "5\r\nhelloXX0\r\n\r\n", "", false},
		{"CR and another octet after the data", "5\r\nhello\rX0\r\n\r\n", "", false},
		{"another octet and LF after the data", "5\r\nhelloX\n0\r\n\r\n", "", false},
		{"data longer than its size", "3\r\nhello\r\n0\r\n\r\n", "", false},
		{"extra CRLF between chunks", "5\r\nhello\r\n\r\n0\r\n\r\n", "", false},
		{"bare LF ends the last chunk", "0\n\r\n", "", false},
		{"bare LF ends the body", "0\r\n\n", "", false},
		{"octets instead of the empty line", "0\r\nXX\r\n\r\n", "", false},
		{"extension", "5;a=b\r\nhello\r\n0;c\r\n\r\n", "hello", true},
		{"extensions with bad whitespace", "5 ; a\t=  b ;c ; d = \"e\" ;f\r\nhello\r\n0\r\n\r\n", "hello", true},
		{"quoted extension", "5;a=\"b;\\\"c\\\\ d=\xe9\"\r\nhello\r\n0\r\n\r\n", "hello", true},
		{"extension without name", "5;\r\nhello\r\n0\r\n\r\n", "", false},
		{"extension without value", "5;a=\r\nhello\r\n0\r\n\r\n", "", false},
		{"extension with two values", "5;a=b c\r\nhello\r\n0\r\n\r\n", "", false},
		{"extension ends in SP", "5;a \r\nhello\r\n0\r\n\r\n", "", false},
		{"quotes left open", "5;a=\"b\r\nhello\r\n0\r\n\r\n", "", false},
		{"escape left open", "5;a=\"b\\\r\nhello\r\n0\r\n\r\n", "", false},
		{"octets behind the quotes", "5;a=\"b\"c\r\nhello\r\n0\r\n\r\n", "", false},
		{"bare CR in an extension", "5;a=b\rc\r\nhello\r\n0\r\n\r\n", "", false},
		{"bare LF in an extension", "5;a=b\nhello\r\n0\r\n\r\n", "", false},
		{"NUL in quotes", "5;a=\"\x00\"\r\nhello\r\n0\r\n\r\n", "", false},
		{"DEL in quotes", "5;a=\"\x7f\"\r\nhello\r\n0\r\n\r\n", "", false},
		{"separator in a name", "5;a(b\r\nhello\r\n0\r\n\r\n", "", false},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			raw := chunkedHead + tt.body
			if !tt.ok {
				refused(t, nil, raw, 400)
				return
			}
			accepted(t, nil, raw, request{line: "POST / 1", host: "a", fields: "*", body: tt.want, ended: true})
		})
	}
}

func TestChunkedWaits(t *testing.T) {
	whole := chunkedHead + "5;a=\"b\"\r\nhello\r\n0\r\nX: y\r\n\r\n"
	for i := len(chunkedHead); i < len(whole); i++ {
		waits(t, nil, whole[:i])
	}
}

// TestTrailers: https://www.rfc-editor.org/rfc/rfc9112#section-7.1.2
func TestTrailers(t *testing.T) {
	with := func(section string) string { return chunkedHead + "1\r\nx\r\n0\r\n" + section + "\r\n" }
	for _, tt := range []struct{ section, want string }{
		{"", ""},
		{"Digest: abc\r\n", "digest=abc"},
		{"VARY: *\r\nContent-Type:\ttext/plain \r\n", "vary=*|content-type=text/plain"},
		{"X-Empty:\r\nX: \xe9\r\n", "x-empty=|x=\xe9"},
	} {
		accepted(t, nil, with(tt.section), request{line: "POST / 1", host: "a", fields: "*", body: "x", trailers: tt.want, ended: true})
	}
	for _, section := range []string{
		"X: a\n", "X: a\rb\r\n", "X: a\x00\r\n", "X : a\r\n", " X: a\r\n", "X: a\r\n b\r\n", "X\r\n", ": a\r\n", "X[]: a\r\n", "\r",
	} {
		refused(t, nil, with(section), 400)
	}
	// https://www.rfc-editor.org/rfc/rfc9110#section-6.5.1
	for _, name := range barredTrailers {
		err := refused(t, nil, with(strings.ToUpper(name)+": 1\r\n"), 400)
		if err != errTrailerField {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestChunkedLimits(t *testing.T) {
	body := func(lines ...string) string { return chunkedHead + strings.Join(lines, "\r\n") + "\r\n" }
	want := func(b string) request {
		return request{line: "POST / 1", host: "a", fields: "*", body: b, ended: true}
	}

	// One chunk's extensions: 8 octets are in, 9 are not.
	cfg := &Config{MaxChunkExtensionBytes: 8}
	accepted(t, cfg, body("1;a=bcdef", "x", "0", ""), want("x"))
	accepted(t, cfg, body("1;a=bcdef", "x", "1;a=bcdef", "y", "0;a=bcdef", ""), want("xy"))
	refused(t, cfg, body("1;a=bcdefg", "x", "0", ""), 400)
	refused(t, cfg, body("1;a=\"cdefg", "x", "0", ""), 400)
	refused(t, &Config{MaxChunkExtensionBytes: -1}, body("1;a", "x", "0", ""), 400)

	// The default for one chunk is 256.
	accepted(t, nil, body("1;"+strings.Repeat("e", 255), "x", "0", ""), want("x"))
	refused(t, nil, body("1;"+strings.Repeat("e", 256), "x", "0", ""), 400)

	// All chunks together.
	cfg = &Config{MaxBodyExtensionBytes: 8}
	accepted(t, cfg, body("1;abc", "x", "1;abc", "y", "0", ""), want("xy"))
	refused(t, cfg, body("1;abc", "x", "1;abc", "y", "0;a", ""), 400)
	refused(t, nil, body(strings.Repeat("1;"+strings.Repeat("e", 255)+"\r\nx\r\n", 64)+"1;e", "x", "0", ""), 400)

	// The body.
	cfg = &Config{MaxBodyBytes: 5}
	accepted(t, cfg, body("3", "abc", "2", "de", "0", ""), want("abcde"))
	refused(t, cfg, body("3", "abc", "3", "def", "0", ""), 413)
	refused(t, cfg, body("2", "ab", "2", "cd", "2", "ef", "0", ""), 413)
	refused(t, cfg, body("6", "abcdef", "0", ""), 413)
	refused(t, cfg, body("7fffffffffffffff", ""), 413)
	waits(t, &Config{MaxBodyBytes: -1}, body("1", "a", "7fffffffffffffff", "x"))

	// The trailer section: its lines, not the empty line that ends it.
	cfg = &Config{MaxTrailerBytes: 12}
	r := want("")
	r.trailers = "a=b|c=d"
	accepted(t, cfg, body("0", "a: b", "c: d", ""), r)
	r.trailers = "a=bcdefg"
	accepted(t, cfg, body("0", "a: bcdefg", ""), request{line: "POST / 1", host: "a", fields: "*", trailers: "a=bcdefg", ended: true})
	refused(t, cfg, body("0", "a: b", "c: defg", ""), 431)
	refused(t, cfg, body("0", "a: bcdefghijk"), 431)
	refused(t, &Config{MaxTrailerBytes: 1}, body("0", "a:", ""), 431)
	accepted(t, &Config{MaxTrailerBytes: 1}, body("0", ""), want(""))

	cfg = &Config{MaxFields: 2}
	accepted(t, cfg, body("0", "a: b", "c: d", ""), request{line: "POST / 1", host: "a", fields: "*", trailers: "a=b|c=d", ended: true})
	refused(t, cfg, body("0", "a: b", "c: d", "e: f", ""), 431)
}

// TestChunkMoves checks that no move is listed twice and that every state can
// be left.
func TestChunkMoves(t *testing.T) {
	seen := map[string]bool{}
	left := map[chunkState]bool{}
	for _, move := range chunkMoves {
		left[move.from] = true
		for _, c := range move.on {
			key := fmt.Sprint(move.from, c)
			if seen[key] {
				t.Errorf("two moves from %d on %d", move.from, c)
			}
			seen[key] = true
		}
	}
	if len(left) != int(chunkStates) {
		t.Errorf("%d of %d states can be left", len(left), chunkStates)
	}
}
