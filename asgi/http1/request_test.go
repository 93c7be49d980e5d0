package http1

import (
	"strings"
	"testing"
)

const tail = " HTTP/1.1\r\nHost: a\r\n\r\n"

// TestRequestClauses has one row per clause that concerns the recipient of a
// request. status 0 is accepted.
func TestRequestClauses(t *testing.T) {
	for _, tt := range []struct {
		clause string
		raw    string
		status int
	}{
		// https://www.rfc-editor.org/rfc/rfc9112#section-2.2
		{"9112 2.2 one empty line before the request line is ignored", "\r\nGET /" + tail, 0},
		{"9112 2.2 two are not", "\r\n\r\nGET /" + tail, 400},
		{"9112 2.2 bare LF in the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
		{"9112 2.2 bare LF in a field line", "GET / HTTP/1.1\r\nHost: a\n\r\n", 400},
		{"9112 2.2 bare LF as the empty line", "GET / HTTP/1.1\r\nHost: a\r\n\n", 400},
		{"9112 2.2 bare LF before the request line", "\nGET /" + tail, 400},
		{"9112 2.2 bare CR before the request line", "\rGET /" + tail, 400},
		{"9112 2.2 bare CR in the request line", "GET /\rHTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"9112 2.2 CR CR LF", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", 400},
		{"9112 2.2 bare CR in a field value", "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", 400},
		{"9112 2.2 CR CR LF ends a field line", "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", 400},
		{"9112 2.2 whitespace before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
		{"9112 2.2 TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n", 400},
		// https://www.rfc-editor.org/rfc/rfc9112#section-2.3
		{"9112 2.3 HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", 0},
		{"9112 2.3 minor version of the future", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505},
		{"9112 2.3 major version of the past", "GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505},
		{"9110 15.6.6 major version of the future", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
		{"9110 15.6.6 HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
		{"9112 2.3 the name is case-sensitive", "GET / http/1.1\r\nHost: a\r\n\r\n", 400},
		{"9112 2.3 one digit each", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400},
		{"9112 2.3 one digit each", "GET / HTTP/11.1\r\nHost: a\r\n\r\n", 400},
		{"9112 2.3 digits", "GET / HTTP/1.x\r\nHost: a\r\n\r\n", 400},
		{"9112 2.3 no version", "GET /\r\nHost: a\r\n\r\n", 400},
		// https://www.rfc-editor.org/rfc/rfc9112#section-3
		{"9112 3 exactly one SP before the target", "GET  /" + tail, 400},
		{"9112 3 exactly one SP after the target", "GET / " + tail, 400},
		{"9112 3 no trailing whitespace", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
		{"9112 3 HTAB does not separate", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"9112 3 no leading whitespace", " GET /" + tail, 400},
		{"9112 3 no target", "GET HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"9112 3 method alone", "GET\r\nHost: a\r\n\r\n", 400},
		{"9112 3.1 any token is a method", "M-SEARCH! /" + tail, 0},
		{"9112 3.1 a method is a token", "G(T /" + tail, 400},
		{"9112 3.1 no method", " / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"9112 3 method of 32 octets", "ABCDEFGHIJABCDEFGHIJABCDEFGHIJAB /" + tail, 0},
		{"9112 3 method of 33 octets", "ABCDEFGHIJABCDEFGHIJABCDEFGHIJABC /" + tail, 501},
		{"9112 3 method of 40,000 octets", strings.Repeat("A", 40_000) + " /" + tail, 501},
		{"9112 3.2 CTL in the target", "GET /\x01" + tail, 400},
		{"9112 3.2 DEL in the target", "GET /\x7f" + tail, 400},
		{"9112 3.2 SP in the target", "GET /a b" + tail, 400},
		{"9112 3.2 fragment", "GET /a#b" + tail, 400},
		{"9112 3.2 raw UTF-8 passes", "GET /\xc3\xa9?\xc3\xa9" + tail, 0},
		{"9112 3.2 browsers' query octets pass", "GET /a?b={|}^`\\" + tail, 0},
		{"9112 3.2.1 origin-form", "GET /a/b?c?d" + tail, 0},
		{"9112 3.2.1 relative path", "GET a/b" + tail, 400},
		{"9112 3.2.1 two slashes are a path", "GET //evil/a" + tail, 0},
		{"3986 2.1 whole percent-encodings in the path", "GET /%41%7e" + tail, 0},
		{"3986 2.1 bad digit", "GET /%4g" + tail, 400},
		{"3986 2.1 cut short", "GET /%4" + tail, 400},
		{"3986 2.1 cut short by the query", "GET /%4?1" + tail, 400},
		{"3986 2.1 second one bad", "GET /%41/%zz" + tail, 400},
		{"3986 2.1 the query is opaque", "GET /?q=100%" + tail, 0},
		{"9112 3.2.2 absolute-form", "GET http://b/c" + tail, 0},
		{"9112 3.2.2 absolute-form, https, any case", "GET HTTPS://b:443/c" + tail, 0},
		{"9112 3.2.2 absolute-form without path", "GET http://b" + tail, 0},
		{"9112 3.2.2 absolute-form needs Host, too", "GET http://b/ HTTP/1.1\r\n\r\n", 400},
		{"9112 3.2.2 other scheme", "GET ftp://b/" + tail, 400},
		{"9112 3.2.2 no authority", "GET http:/b" + tail, 400},
		{"9110 4.2.1 empty host", "GET http:///b" + tail, 400},
		{"9110 4.2.1 empty host with port", "GET http://:80/b" + tail, 400},
		{"9110 4.2.4 userinfo", "GET http://u:p@b/" + tail, 400},
		{"9112 3.2.2 bad percent-encoding", "GET http://b/%" + tail, 400},
		{"9112 3.2.3 authority-form", "CONNECT b:443" + tail, 0},
		{"9112 3.2.3 authority-form, IPv6", "CONNECT [::1]:443" + tail, 0},
		{"9110 9.3.6 no port", "CONNECT b" + tail, 400},
		{"9110 9.3.6 no port, IPv6", "CONNECT [::1]" + tail, 400},
		{"9110 9.3.6 empty port", "CONNECT b:" + tail, 400},
		{"9110 9.3.6 port zero", "CONNECT b:0" + tail, 400},
		{"9110 9.3.6 port out of range", "CONNECT b:65536" + tail, 400},
		{"9112 3.2.3 CONNECT with a path", "CONNECT /b" + tail, 400},
		{"9112 3.2.3 authority-form is for CONNECT", "GET b:443" + tail, 400},
		{"9112 3.2.4 asterisk-form", "OPTIONS *" + tail, 0},
		{"9112 3.2.4 asterisk-form is for OPTIONS", "GET *" + tail, 400},
		{"9112 3.2.4 nothing behind the asterisk", "OPTIONS */" + tail, 400},
		// https://www.rfc-editor.org/rfc/rfc9112#section-3.2
		{"9112 3.2 no Host", "GET / HTTP/1.1\r\n\r\n", 400},
		{"9112 3.2 two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", 400},
		{"9112 3.2 two Hosts in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400},
		{"9112 3.2 empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 0},
		{"9112 3.2 invalid Host in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a b\r\n\r\n", 400},
		{"9112 3.2 userinfo in Host", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400},
		{"9112 3.2 list in Host", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400},
		{"9112 3.2 empty list in Host", "GET / HTTP/1.1\r\nHost: ,\r\n\r\n", 400},
		{"9112 3.2 path in Host", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
		// https://www.rfc-editor.org/rfc/rfc9112#section-5
		{"9112 5 whitespace around the value", "GET / HTTP/1.1\r\nHost:\t a \t\r\n\r\n", 0},
		{"9112 5 no whitespace", "GET / HTTP/1.1\r\nHost:a\r\n\r\n", 0},
		{"9112 5 no colon", "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", 400},
		{"9112 5 no name", "GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", 400},
		{"9112 5.1 SP before the colon", "GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n", 400},
		{"9112 5.1 HTAB before the colon", "GET / HTTP/1.1\r\nHost: a\r\nX\t: y\r\n\r\n", 400},
		{"9112 5.2 obs-fold with SP", "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n", 400},
		{"9112 5.2 obs-fold with HTAB", "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\tz\r\n\r\n", 400},
		{"9110 5.1 a name is a token", "GET / HTTP/1.1\r\nHost: a\r\nX[]: y\r\n\r\n", 400},
		{"9110 5.1 every tchar", "GET / HTTP/1.1\r\nHost: a\r\n!#$%&'*+-.^_`|~09azAZ: y\r\n\r\n", 0},
		{"9110 5.5 NUL in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n", 400},
		{"9110 5.5 BEL in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: a\x07b\r\n\r\n", 400},
		{"9110 5.5 DEL in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: a\x7fb\r\n\r\n", 400},
		{"9110 5.5 form feed in a long value", "GET / HTTP/1.1\r\nHost: a\r\nX: abcdefghij\x0cklmnopq\r\n\r\n", 400},
		{"9110 5.5 DEL in a long value", "GET / HTTP/1.1\r\nHost: a\r\nX: abcdefghij\x7fklmnopq\r\n\r\n", 400},
		{"9110 5.5 HTAB and obs-text in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: a\tb\xe9\xff\x80 abcdefgh\tijk\r\n\r\n", 0},
		// https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1
		{"9110 10.1.1 unknown expectation", "GET / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\n\r\n", 417},
		{"9110 10.1.1 known and unknown", "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nExpect: x\r\n\r\n", 417},
		{"9110 10.1.1 any case", "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n\r\n", 0},
	} {
		t.Run(tt.clause, func(t *testing.T) {
			if tt.status != 0 {
				refused(t, nil, tt.raw, tt.status)
				return
			}
			got := runCut(t, nil, atEnd, tt.raw)
			if got.err != nil || got.eof != nil || len(got.requests) != 1 || !got.requests[0].ended {
				t.Fatalf("%q\n%v", tt.raw, got)
			}
			accepted(t, nil, tt.raw, got.requests...)
		})
	}
}

// TestFramingClauses has one row per clause on where a request body ends.
//
// https://www.rfc-editor.org/rfc/rfc9112#section-6.3
func TestFramingClauses(t *testing.T) {
	const post = "POST / HTTP/1.1\r\nHost: a\r\n"
	for _, tt := range []struct {
		clause string
		raw    string
		status int
		body   string
	}{
		{"9112 6.3 neither", post + "\r\n", 0, ""},
		{"9112 6.3 Content-Length", post + "Content-Length: 5\r\n\r\nhello", 0, "hello"},
		{"9112 6.3 Content-Length zero", post + "Content-Length: 0\r\n\r\n", 0, ""},
		{"9110 8.6 leading zeros", post + "Content-Length: 0005\r\n\r\nhello", 0, "hello"},
		{"9110 8.6 18 digits are read", post + "Content-Length: 000000000000000005\r\n\r\nhello", 0, "hello"},
		{"9110 8.6 19 digits are not", post + "Content-Length: 0000000000000000005\r\n\r\nhello", 400, ""},
		{"9110 8.6 overflow", post + "Content-Length: 18446744073709551621\r\n\r\nhello", 400, ""},
		{"9110 8.6 sign", post + "Content-Length: +5\r\n\r\nhello", 400, ""},
		{"9110 8.6 negative", post + "Content-Length: -5\r\n\r\nhello", 400, ""},
		{"9110 8.6 underscore", post + "Content-Length: 1_0\r\n\r\n0123456789", 400, ""},
		{"9110 8.6 hexadecimal", post + "Content-Length: 0x5\r\n\r\nhello", 400, ""},
		{"9110 8.6 SP inside", post + "Content-Length: 1 0\r\n\r\nhello", 400, ""},
		{"9110 8.6 empty", post + "Content-Length:\r\n\r\n", 400, ""},
		{"9110 8.6 letters", post + "Content-Length: 5a\r\n\r\nhello", 400, ""},
		{"9110 8.6 fraction", post + "Content-Length: 5.0\r\n\r\nhello", 400, ""},
		{"9112 6.3 equal list", post + "Content-Length: 5, 5\r\n\r\nhello", 400, ""},
		{"9112 6.3 equal lines", post + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400, ""},
		{"9112 6.3 different lines", post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400, ""},
		{"9112 6.3 invalid, then valid", post + "Content-Length: x\r\nContent-Length: 5\r\n\r\nhello", 400, ""},
		{"9112 6.1 chunked", post + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 0, "hello"},
		{"9112 7 any case", post + "transfer-encoding: CHUNKED\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 0, "hello"},
		{"9112 6.3 both", post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, ""},
		{"9112 6.3 both, other order", post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400, ""},
		{"9112 6.3 both, coding unknown", post + "Transfer-Encoding: x\r\nContent-Length: 5\r\n\r\nhello", 400, ""},
		{"9112 6.1 HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, ""},
		{"9112 6.1 gzip below chunked", post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501, ""},
		{"9112 6.1 gzip below chunked, two lines", post + "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501, ""},
		{"9112 6.3 chunked not final", post + "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 400, ""},
		{"9112 6.3 chunked not final, two lines", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 400, ""},
		{"9112 6.3 no chunked", post + "Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n", 400, ""},
		{"9112 6.3 identity", post + "Transfer-Encoding: identity\r\n\r\n", 400, ""},
		{"9112 6.1 chunked twice", post + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400, ""},
		{"9112 6.1 chunked twice, two lines", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, ""},
		{"9112 6.1 empty element", post + "Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n", 501, ""},
		{"9112 6.1 empty", post + "Transfer-Encoding:\r\n\r\n0\r\n\r\n", 400, ""},
		{"9112 6.1 empty, then chunked", post + "Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501, ""},
		{"9112 6.1 parameter", post + "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n", 400, ""},
		{"9112 6.1 quoted", post + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", 400, ""},
		{"9112 6 a GET may have a body", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 0, "hello"},
		{"9112 6 so may HEAD", "HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 0, "hello"},
		{"9112 6 and DELETE", "DELETE / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 0, "hello"},
		{"9112 6 HTTP/1.0 with a body", "POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello", 0, "hello"},
	} {
		t.Run(tt.clause, func(t *testing.T) {
			if tt.status != 0 {
				refused(t, nil, tt.raw, tt.status)
				return
			}
			got := runCut(t, nil, atEnd, tt.raw)
			if got.err != nil || len(got.requests) != 1 || got.requests[0].body != tt.body || !got.requests[0].ended {
				t.Fatalf("%q\n%v", tt.raw, got)
			}
			accepted(t, nil, tt.raw, got.requests...)
			for i := range len(tt.raw) {
				if i > len("\r\n\r\n") {
					prefix := run(t, nil, atEnd, []byte(tt.raw[:i]))
					if prefix.err != nil || prefix.eof == nil {
						t.Fatalf("%q\nis taken for complete: %v", tt.raw[:i], prefix)
					}
				}
			}
		})
	}
}

// TestHostValues: https://www.rfc-editor.org/rfc/rfc9110#section-7.2
func TestHostValues(t *testing.T) {
	for _, host := range []string{
		"a", "example.com", "EXAMPLE.com:8080", "a:", "127.0.0.1:1", "a_b-c~d.e", "xn--bcher-kva.example",
		"0.0.0.0=5000", "!$&'()*+;=", "[::1]", "[::]", "[::1]:80", "[1:2:3:4:5:6:7:8]", "[1::8]", "[1::]",
		"[::ffff:1.2.3.4]", "[1:2:3:4:5:6:1.2.3.4]", "[ABCD:ef01::]",
	} {
		if !validAuthority([]byte(host)) {
			t.Errorf("%q is refused", host)
		}
		accepted(t, nil, "GET / HTTP/1.1\r\nHost: "+host+"\r\n\r\n",
			request{line: "GET / 1", host: host, fields: "host=" + host, ended: true})
	}
	for _, host := range []string{
		":80", "a:b", "a:80:80", "a b", "a\tb", "a,b", "u@a", "a/b", "a?b", "a#b", "a\\b", "a%41", "a%", "\xc3\xa9",
		"[]", "[::1", "::1", "[::1]x", "[::1]:x", "[1:2:3:4:5:6:7]", "[1:2:3:4:5:6:7:8:9]", "[1::2::3]", "[:1]",
		"[1:]", "[12345::]", "[g::]", "[1:2:3:4:5:6:7::8]", "[1:2:3:4:5:6:7:1.2.3.4]", "[::1.2.3]", "[::1.2.3.256]",
		"[::1.2.3.04]", "[::1.2.3.4.5]", "[::1.2.3.4:1]", "[fe80::1%25eth0]", "[v1.a]", "[::1:]", "[:::]", "\"a\"", "<a>",
		"[1:2:3:4:5::1.2.3.4:]", "[1:2:3:4:5:6::1.2.3.4]", "[::1.2..4]", "[::.1.2.3]",
	} {
		refused(t, nil, "GET / HTTP/1.1\r\nHost: "+host+"\r\n\r\n", 400)
	}
}

// TestVerdicts: the error names the rule that was broken, not another one that
// happens to have the same status.
func TestVerdicts(t *testing.T) {
	const h = "GET / HTTP/1.1\r\nHost: a\r\n"
	for _, tt := range []struct {
		raw  string
		want *Error
	}{
		{"\r\n\r\n", errEmptyLine},
		{"GET / HTTP/1.1\n", errBareLF},
		{"G(T / HTTP/1.1\r\n", errMethod},
		{"GET\r\n", errRequestLine},
		{"GET  / HTTP/1.1\r\n", errRequestLine},
		{"GET / HTTP/1.1 \r\n", errVersion},
		{"GET / HTTP/1.2\r\n", errVersionMajor},
		{"GET /\x01 HTTP/1.1\r\n", errTarget},
		{"GET a HTTP/1.1\r\n", errTargetForm},
		{"GET /%x HTTP/1.1\r\n", errEscape},
		{"GET http://u@a/ HTTP/1.1\r\n", errAuthority},
		{"CONNECT a HTTP/1.1\r\n", errAuthority},
		{h + "X : y\r\n", errSpaceColon},
		{h + "X\t: y\r\n", errSpaceColon},
		{h + " X: y\r\n", errFold},
		{h + "\tX: y\r\n", errFold},
		{h + "X\r\n", errNoColon},
		{h + ": y\r\n", errFieldName},
		{h + "X[]: y\r\n", errFieldName},
		{h + "X: \x00\r\n", errFieldValue},
		{"GET / HTTP/1.1\r\n\r\n", errNoHost},
		{h + "Host: a\r\n\r\n", errManyHosts},
		{"GET / HTTP/1.1\r\nHost: /\r\n\r\n", errHost},
		{h + "Content-Length: 1\r\nTransfer-Encoding: x\r\n\r\n", errBothLengths},
		{h + "Content-Length: x\r\nContent-Length: x\r\n\r\n", errManyLengths},
		{h + "Content-Length: x\r\n\r\n", errLength},
		{h + "Transfer-Encoding: x\r\n\r\n", errFinalCoding},
		{h + "Transfer-Encoding: x, chunked\r\n\r\n", errCoding},
		{"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", errOldCoding},
		{h + "Expect: x\r\n\r\n", errExpectation},
		{h + "Content-Length: 99999999999\r\n\r\n", errBodyLimit},
		{chunkedHead + "x", errChunkLine},
		{chunkedHead + "8000000000000000", errChunkSize},
		{chunkedHead + "1\r\nxx", errChunkEnd},
		{chunkedHead + "1\r\nx\n", errChunkEnd},
		{chunkedHead + "1\r\nx\r\r", errChunkEnd},
		{chunkedHead + "1\r\nx\r0", errChunkEnd},
		{chunkedHead + "0\r\nhost: a\r\n", errTrailerField},
	} {
		if got := runCut(t, nil, atEnd, tt.raw); got.err != tt.want {
			t.Errorf("%q\nis refused with %v\nwant %v", tt.raw, got.err, tt.want)
		}
	}
}

// What speaks another protocol never ends a line: it is refused at the first octet
// that no method has.
func TestNoHTTP(t *testing.T) {
	for name, test := range map[string]struct {
		raw    string
		status int
	}{
		"TLS hello":         {"\x16\x03\x01", 400},
		"SSH":               {"SSH-2.0-OpenSSH_9.9\x00", 400},
		"SOCKS":             {"\x05\x01\x00", 400},
		"nothing":           {"GET\x00", 400},
		"space":             {" ", 400},
		"method of 33":      {strings.Repeat("A", 33), 501},
		"method of 100,000": {strings.Repeat("A", 100_000) + " /", 501},
	} {
		for at := range 2 { // in one piece, and with the first octet alone
			var m Machine
			m.Reset(nil)
			var h Head
			_, err := Event{}, error(nil)
			for _, part := range []string{test.raw[:at], test.raw[at:]} {
				if err == nil {
					_, err = m.Next([]byte(part), &h)
				}
			}
			if e, ok := err.(*Error); !ok || e.Status != test.status {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
