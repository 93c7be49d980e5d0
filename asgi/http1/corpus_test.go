package http1

import (
	"strings"
	"testing"
)

// TestH1Spec has the 33 cases of https://github.com/uNetworking/h1spec in its
// order: what to wait at, what to answer and what to refuse.
func TestH1Spec(t *testing.T) {
	for _, part := range []string{
		"G", "GET ", "GET /hello", "GET /hello ", "GET /hello HTTP", "GET /hello HTTP/1.1", "GET /hello HTTP/1.1\r",
		"GET /hello HTTP/1.1\r\n", "GET /hello HTTP/1.1\r\nHos", "GET /hello HTTP/1.1\r\nHost:", "GET /hello HTTP/1.1\r\nHost: ",
		"GET /hello HTTP/1.1\r\nHost: localhost", "GET /hello HTTP/1.1\r\nHost: localhost\r",
		"GET /hello HTTP/1.1\r\nHost: localhost\r\n", "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r",
	} {
		t.Run("waits at "+part, func(t *testing.T) { waits(t, nil, part) })
	}
	const host = "Host: example.com\r\n"
	for _, tt := range []struct {
		name, raw string
		status    int
	}{
		{"request without version", "GET / \r\n\r\n", 400},
		{"Expect", "GET / HTTP/1.1\r\n" + host + "Expect: 100-continue\r\n\r\n", 0},
		{"GET", "GET / HTTP/1.1\r\n" + host + "\r\n", 0},
		{"GET with edge cases", "GET / HTTP/1.1\r\nhoSt:\texample.com\r\nempty:\r\n\r\n", 0},
		{"invalid field name", "GET / HTTP/1.1\r\n" + host + "X-Invalid[]: test\r\n\r\n", 400},
		{"no Host", "GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\n", 400},
		{"two Hosts", "GET / HTTP/1.1\r\n" + host + "Host: example.org\r\n\r\n", 400},
		{"overflowing negative Content-Length", "GET / HTTP/1.1\r\n" + host + "Content-Length: -123456789123456789123456789\r\n\r\n", 400},
		{"negative Content-Length", "GET / HTTP/1.1\r\n" + host + "Content-Length: -1234\r\n\r\n", 400},
		{"Content-Length is no number", "GET / HTTP/1.1\r\n" + host + "Content-Length: abc\r\n\r\n", 400},
		{"empty value", "GET / HTTP/1.1\r\n" + host + "X-Empty-Header: \r\n\r\n", 0},
		{"control character", "GET / HTTP/1.1\r\n" + host + "X-Bad-Control-Char: test\x07\r\n\r\n", 400},
		{"version 9.9", "GET / HTTP/9.9\r\n" + host + "\r\n", 505},
		{"text before the request", "Extra lineGET / HTTP/1.1\r\n" + host + "\r\n", 400},
		{"invalid line end", "GET / HTTP/1.1\r\n" + host + "\rSome-Header: Test\r\n\r\n", 400},
		{"POST", "POST / HTTP/1.1\r\n" + host + "Content-Length: 5\r\n\r\nhello", 0},
		{"chunked", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\nc\r\nHellO world1\r\n0\r\n\r\n", 0},
		{"chunked and Content-Length", "POST / HTTP/1.1\r\n" + host + "content-LengtH: 5\r\nTransFer-Encoding: chunked\r\n\r\nc\r\nHellO world1\r\n0\r\n\r\n", 400},
	} {
		t.Run(tt.name, func(t *testing.T) { verdict(t, tt.raw, tt.status, 1) })
	}
}

// TestLeniencies has, for every leniency that https://github.com/nodejs/llhttp
// can be switched to and warns of, requests that only a lenient parser takes.
func TestLeniencies(t *testing.T) {
	const h = " HTTP/1.1\r\nHost: localhost\r\n"
	for _, tt := range []struct {
		leniency, raw string
		status        int
	}{
		{"headers", "GET /" + h + "Header1: \f\r\n\r\n", 400},
		{"headers", "GET /" + h + "Header1: a\x00b\r\n\r\n", 400},
		{"headers", "POST /" + h + "Connection: Close\r\nx:\rTransfer-Encoding: chunked\r\n\r\n1\r\nA\r\n0\r\n\r\n", 400},
		{"headers", "POST /" + h + "x:\nTransfer-Encoding: chunked\r\n\r\n1\r\nA\r\n0\r\n\r\n", 400},
		{"headers", "GET /" + h + "Fo@: Failure\r\n\r\n", 400},
		{"headers", "GET /" + h + "Foo\x01\test: Bar\r\n\r\n", 400},
		{"headers", "GET /" + h + ": Bar\r\n\r\n", 400},
		{"headers", "GET /" + h + "name\r\n : value\r\n\r\n", 400},
		{"headers", "GET /" + h + "Connection\r\x1b5\xd5eep-Alive\r\nAccept-Encoding: gzip\r\n\r\n", 400},
		{"headers", "GET /" + h + "Connection: keep\ralive\r\n\r\n", 400},
		{"headers", "PUT /url" + h + "Content\rLength: 003\r\n\r\nabc", 400},
		{"headers", "PUT /url" + h + "Connection: upgrade\r\nContent-Length : 4\r\nUpgrade: ws\r\n\r\nabcdefgh", 400},
		{"headers", "POST /hello" + h + "Foo: bar\r\n Content-Length: 38\r\n\r\nGET /bye HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
		{"headers", "GET / HTTP/1.1\r\n Host: foo\r\n\r\n", 400},
		{"headers", "GET /" + h + "Line1:   abc\r\n\tdef\r\n ghi\r\n\r\n", 400},
		{"chunked length", "POST /" + h + "Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nWorld", 400},
		{"chunked length", "PUT /url" + h + "Content-Length: 1\r\nTransfer-Encoding: identity\r\n\r\n", 400},
		{"chunked length", "POST /" + h + "Content-Length: 10\r\nTransfer-Encoding:\r\nTransfer-Encoding:\r\n\r\n2\r\nAA\r\n0\r\n", 400},
		{"transfer encoding", "POST /" + h + "Transfer-Encoding: chunked, deflate\r\n\r\nWorld", 400},
		{"transfer encoding", "POST /" + h + "Transfer-Encoding: chunked\r\nTransfer-Encoding: deflate\r\n\r\nWorld", 400},
		{"transfer encoding", "POST /" + h + "Transfer-Encoding: chunkedchunked\r\n\r\n5\r\nWorld\r\n0\r\n\r\n", 400},
		{"transfer encoding", "POST /" + h + "Transfer-Encoding: deflate, chunked\r\n\r\n5\r\nWorld\r\n0\r\n\r\n", 501},
		{"transfer encoding", "PUT /url" + h + "Transfer-Encoding: pigeons\r\n\r\n", 400},
		{"transfer encoding", "PUT /url" + h + "Transfer-Encoding: chunked\r\n  abc\r\n\r\n5\r\nWorld\r\n0\r\n\r\n", 400},
		{"version", "GET / HTTP/5.6\r\nHost: localhost\r\n\r\n", 505},
		{"version", "GET /music ICE/1.0\r\nHost: localhost\r\n\r\n", 400},
		{"version", "GET /music IHTTP/1.0\r\nHost: localhost\r\n\r\n", 400},
		{"version", "PUT /music RTSP/1.0\r\nHost: localhost\r\n\r\n", 400},
		{"optional LF after CR", "GET / HTTP/1.1\rLine: 1\r\n\r\n", 400},
		{"optional LF after CR", "GET /" + h + "Foo: 1\rBar: 2\r\n\r\n", 400},
		{"optional LF after CR", "GET /" + h + "\rZGET /evil: HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"optional LF after CR", "PUT /url" + h + "Content-Length: 3\r\n\rabc\r\n\r\n", 400},
		{"optional LF after CR", "GET /" + h + "Transfer-Encoding: chunked\r\n\r\n5\r\r;ABCD\r\n34\r\nE\r\n0\r\n\r\n", 400},
		{"optional CR before LF", "POST / HTTP/1.1\nHost: localhost\n\n", 400},
		{"optional CR before LF", "POST /" + h + "x:x\nTransfer-Encoding: chunked\r\n\r\n1\r\nA\r\n0\r\n\r\n", 400},
		{"optional CR before LF", "GET /" + h + "Dummy: x\nContent-Length: 23\r\n\r\nGET / HTTP/1.1\r\nDummy: GET /admin HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
		{"optional CR before LF", "POST /" + h + "Transfer-Encoding: chunked\r\n\r\n1\nA\n0\n\n", 400},
		{"optional CRLF after chunk", "GET /" + h + "Transfer-Encoding: chunked\r\n\r\n5\r\nABCDE0\r\n\r\n", 400},
		{"spaces after chunk size", "PUT /url" + h + "Transfer-Encoding: chunked\r\n\r\na \r\n0123456789\r\n0\r\n\r\n", 400},
		{"spaces after chunk size", "POST /" + h + "Transfer-Encoding: chunked\r\n\r\n2 erfrferferf\r\naa\r\n0 rrrr\r\n\r\n", 400},
		{"spaces after chunk size", "PUT /url" + h + "Transfer-Encoding: chunked\r\n\r\n3 \n  \r\nfoo\r\n\r\n", 400},
		{"header value relaxed", "GET /" + h + "a: \x01\x02\x1f\r\n\r\n", 400},
		{"no flag", "POST /" + h + "Transfer-Encoding: chunked\r\n\r\n2;\r\naa\r\n0\r\n\r\n", 400},
		{"no flag", "PUT /url" + h + "Transfer-Encoding: chunked\r\n\r\n3\r\nfoo\r\n\r\n", 400},
		{"no flag", "GET /foo bar/" + h + "\r\n", 400},
		{"no flag", "PUT /url" + h + "Content-Length: 1000000000000000000000\r\n\r\n", 400},
		{"no flag", "POST /" + h + "Content-Length: 4 2\r\n\r\n", 400},
		{"no flag", "GET http://a%12:b!&*$@hypnotoad.org:1234/toto" + h + "\r\n", 400},
		{"no flag", "M-SEARCH *" + h + "\r\n", 400},
	} {
		t.Run(tt.leniency, func(t *testing.T) { verdict(t, tt.raw, tt.status, 0) })
	}

	// And what any parser takes.
	for _, tt := range []struct {
		raw      string
		requests int
	}{
		{"PUT /url" + h + "Connection: close\t\r\n\r\nGET / HTTP/1.1", 1}, // data after close, keep-alive
		{"PUT /url HTTP/1.0\r\n\r\nPUT /url HTTP/1.1\r\n\r\n", 1},
		{"PUT /url" + h + "Connection: keep-alive\r\n\r\nPUT /url" + h + "Connection: close, token, upgrade, token, keep-alive\r\n\r\n", 2},
		{"POST /" + h + "Content-Length: 4\r\n\r\nq=42\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 2},
		{"OPTIONS /url" + h + "Header1: Value1\r\nHeader2:\t Value2\r\nHeader3: \xffValue3\r\n\r\n", 1},
		{"GET /dumbpack" + h + "aaaaaaaaaaaaa:++++++++++\r\n\r\n", 1},
		{"GET http://hypnotoad.org?hail=all" + h + "\r\n", 1},
		{"GET http://hypnotoad.org:1234?hail=all" + h + "\r\n", 1},
		{"GET /with_\"lovely\"_quotes?foo=\"bar\"" + h + "\r\n", 1},
		{"GET /test.cgi?query=|" + h + "\r\n", 1},
		{"PUT /url" + h + "Content-Length:  42 \t \r\n\r\n" + strings.Repeat("x", 42), 1},
		{"POST /demo" + h + "Connection: Upgrade\r\nUpgrade: HTTP/2.0\r\nContent-Length: 15\r\n\r\nsweet post body", 1},
		{"QUERY /contacts" + h + "Content-Length: 3\r\n\r\nabc", 1},
		{"CONNECT 0-home0.netscape.com:443 HTTP/1.0\r\nUser-agent: x\r\n\r\nsome data", 1},
		{"POST /aaa" + h + "Content-Length: 3\r\n\r\nAAAPUT /bbb" + h + "Content-Length: 4\r\n\r\nBBBBPATCH /ccc" + h + "Content-Length: 5\r\n\r\nCCCCC", 3},
	} {
		t.Run("accepted", func(t *testing.T) { verdict(t, tt.raw, 0, tt.requests) })
	}
}

// TestGarden has one payload per class of parser bugs collected in TROPHIES.md
// of https://github.com/narfindustries/http-garden. A Host was added where one
// was missing, so that the bug decides.
func TestGarden(t *testing.T) {
	const h = " HTTP/1.1\r\nHost: a\r\n"
	const te = h + "Transfer-Encoding: chunked\r\n\r\n"
	const smuggled = "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"
	for _, tt := range []struct {
		class, raw       string
		status, requests int
	}{
		{"chunk size read by int()", "GET /" + te + "0_2e\r\n\r\n" + smuggled, 400, 0},
		{"NUL and CR in a value", "GET /" + h + "Header: v\x00\ralue\r\n\r\n", 400, 0},
		{"whitespace after a name", "GET /" + h + "Content-Length : 34\r\n\r\nGET / HTTP/1.1\r\nHost: whatever\r\n\r\n", 400, 0},
		{"whitespace before the first name", "GET / HTTP/1.1\r\n\tContent-Length: 1\r\nHost: a\r\n\r\nX", 400, 0},
		{"longest valid prefix of a version", "GET /test HTTP/1.32\r\nHost: a\r\n\r\n", 400, 0},
		{"longest valid prefix of a method", "G=\":<>(e),[T];?\" /get" + h + "\r\n", 400, 0},
		{"target is not validated", "GET !" + h + "\r\n", 400, 0},
		{"obs-text in a name", "GET /" + h + "\xeffoo: bar\r\n\r\n", 400, 0},
		{"LF separates in the request line", "GET /\nHTTP/1.1\r\nHost: a\r\n\r\n", 400, 0},
		{"Content-Length read by int()", "GET /" + h + "Content-Length: +1_0\r\n\r\n0123456789", 400, 0},
		{"two Transfer-Encodings are none", "POST /" + h + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nZ\r\n0\r\n\r\n", 400, 0},
		{"xa0 and x85 are stripped", "POST /" + h + "Transfer-Encoding: \xa0chunked\xa0\r\n\r\n0\r\n\r\n", 400, 0},
		{"CR ends a line", "GET /" + h + "Visible: :/\rSmuggled: :)\r\n\r\n", 400, 0},
		{"controls and separators in a name", "GET /" + h + "\x01\x02\x0b \"(),/;<=>?@[/]{}: whatever\r\n\r\n", 400, 0},
		{"version is not validated", "GET / HTTP/\r\r1.1\r\nHost: a\r\n\r\n", 400, 0},
		{"empty Content-Length", "GET /" + h + "Content-Length: \r\n\r\n", 400, 0},
		{"empty chunk size", "GET /" + te + "\r\n\r\n", 400, 0},
		{"empty name", "GET / HTTP/1.1\r\n: ignored\r\nHost: a\r\n\r\n", 400, 0},
		{"all whitespace is stripped before a value", "GET /" + h + "Useless:\n\nGET / HTTP/1.1\r\n\r\n", 400, 0},
		{"x85 is stripped after a name", "GET /" + h + "Content-Length\x85: 10\r\n\r\n0123456789", 400, 0},
		{",chunked", "GET /" + h + "Transfer-Encoding: ,chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400, 0},
		{",chunked alone", "POST /" + h + "Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n", 501, 0},
		{"first of two Content-Lengths", "GET /" + h + "Content-Length: 1\r\nContent-Length: 0\r\n\r\nZ", 400, 0},
		{"last of two Content-Lengths", "GET /" + h + "Content-Length: 0\r\nContent-Length: 1\r\n\r\nZ", 400, 0},
		{"overflow of a version", "GET / HTTP/4294967295.255\r\nHost: a\r\n\r\n", 400, 0},
		{"chunk size read by strtoll", "POST /" + te + "-0x0\r\n\r\n", 400, 0},
		{"chunk size with 0x", "POST /" + te + "0x1\r\nZ\r\n0\r\n\r\n", 400, 0},
		{"negative Content-Length", "GET /" + h + "Content-Length: -48\r\n\r\n", 400, 0},
		{"field without name and value", "GET /" + h + ":\r\nI: am chopped off\r\n\r\n", 400, 0},
		{"no colon", "GET /" + h + "Content-Length 10\r\n\r\n0123456789", 400, 0},
		{"longest valid prefix of Content-Length", "GET /" + h + "Content-Length: 1Z\r\n\r\nZ", 400, 0},
		{"head ends at CR LF CR X", "GET /" + h + "\rZGET /evil: HTTP/1.1\r\nHost: a\r\n\r\n", 400, 0},
		{"chunk line ends at CR X", "GET /" + te + "5\r\r;ABCD\r\n34\r\nE\r\n0\r\n\r\n" + smuggled, 400, 0},
		{"octal Content-Length is decimal", "GET /" + h + "Content-Length: 010\r\n\r\n0123456789", 0, 1},
		{"CR in a value", "GET /" + h + "Header: va\rlue\r\n\r\n", 400, 0},
		{"value ends at NUL", "GET /" + h + "Test: test\x00THESE BYTES GET DROPPED\r\nConnection: close\r\n\r\n", 400, 0},
		{"CR after an extension", "POST /abc" + te + "41;a=b\r\rXXXX\r\n0\r\n\r\n", 400, 0},
		{"name on two lines", "POST /" + h + "Transfer-\r\nEncoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400, 0},
		{"chunked body ends at CR LF X X", "GET /" + te + "0\r\nX:POST / HTTP/1.1\r\n\r\n", 0, 1}, // a trailer field
		{"method and version are not validated", "\x00 / HTTP/............0596.7407.\r\nHost: a\r\n\r\n", 400, 0},
		{"obs-text around a value stays", "GET /login" + h + "User: \x85admin\xa0\r\n\r\n", 0, 1},
		{"empty Content-Length before another", "GET /" + h + "Content-Length: \r\nContent-Length: 43\r\n\r\nPOST /evil HTTP/1.1\r\nContent-Length: 18\r\n\r\n", 400, 0},
		{"NUL is stripped after a value", "GET /" + h + "Evil: evil\x00\r\n\r\n", 400, 0},
		{"unknown coding is chunked", "POST /" + h + "Transfer-Encoding: blegh\r\n\r\n1\r\nZ\r\n0\r\n\r\n", 400, 0},
		{"invalid request behind a last one", "GET /" + h + "Connection: close\r\n\r\nInvalid\r\n\r\n", 0, 1},
		{"xff is stripped", "POST / HTTP/1.1\r\nHost: \xffa\xff\r\nTransfer-Encoding: \xffchunked\xff\r\n\r\n1\r\nZ\r\n0\r\n\r\n", 400, 0},
		{"next message after an invalid chunk", "POST /" + te + "INVALID!!!\r\nGET / HTTP/1.1\r\nHost: whatever\r\n\r\n", 400, 0},
		{"pipelined request is a body", "POST /" + h + "Content-Length: 0\r\n\r\nPOST /" + h + "Content-Length: 34\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nid: 2\r\n\r\n", 0, 2},
		{"Content-Length with 0x", "POST /" + h + "Content-Length: 0x10\r\n\r\nZ", 400, 0},
		{"chunk size is no number", "POST /" + te + "Z\r\nZZ\r\nZZZ\r\n\r\n", 400, 0},
		{"CR before an extension", "POST /" + te + "2\r\r;a\r\n02\r\n41\r\n0\r\n\r\n" + smuggled, 400, 0},
		{"CR ends a chunk line", "POST /" + te + "1\r0\n", 400, 0},
		{"two SP", "POST / " + te + "0\r\n\r\n", 400, 0},
		{"obs-text after a name", "GET /" + h + "Header\x85: value\r\n\r\n", 400, 0},
		{"text after a chunk size", "POST /" + te + "1these-bytes-never-get-validated\r\nZ\r\n0\r\n\r\n", 400, 0},
		{"NUL in Host", "GET / HTTP/1.1\r\nHost: google.com\x00.kallus.org\r\n\r\n", 400, 0},
		{"LF ends chunk data", "GET /" + te + "a\r\n0123456789\n0\r\n\r\n", 400, 0},
		{"LF inside a name", "GET /" + h + "Te\nst: test\r\nConnection: close\r\n\r\n", 400, 0},
		{"LF only", "GET / HTTP/1.1\nHost: a\nConnection: close\n\n", 400, 0},
		{"CRLF before the last chunk", "POST /" + te + "17\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n\r\n\r\n0\r\n\r\n", 400, 0},
		{"line without colon joins the one before", "GET /" + h + "a:b\r\nc\x00\r\n\r\n", 400, 0},
		{"GET with a body", "GET /" + h + "Content-Length: 10\r\n\r\n1234567890", 0, 1},
		{"both lengths", "POST /" + h + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, 0},
		{"whitespace before a chunk size", "POST /" + te + "           0\r\n\r\n", 400, 0},
		{"octet behind a chunked body", "GET /" + te + "0\r\n\r\n\x00\r\n", 400, 0},
	} {
		t.Run(tt.class, func(t *testing.T) { verdict(t, tt.raw, tt.status, tt.requests) })
	}
}

// TestGunicorn has the requests of tests/requests of
// https://github.com/benoitc/gunicorn that concern the protocol and not its
// settings, and that the tables above do not have. A Host was added.
func TestGunicorn(t *testing.T) {
	const h = " HTTP/1.1\r\nHost: example.com\r\n"
	const te = h + "Transfer-Encoding: chunked\r\n\r\n"
	for _, tt := range []struct {
		name, raw        string
		status, requests int
	}{
		{"invalid/003b", "bla:rgh /foo" + h + "\r\n", 400, 0},
		{"invalid/004", "GET /foo FTP/1.1\r\nHost: a\r\n\r\n", 400, 0},
		{"invalid/005", "GET /foo" + h + "ba\x00z: bar\r\n\r\n", 400, 0},
		{"invalid/016", "PUT s://]ufd/:" + h + "\r\n", 400, 0},
		{"invalid/018", "GET /test HTTP/111\r\nHost: localhost\r\n\r\n", 400, 0},
		{"invalid/022", "GET /first HTTP/1.0\r\nContent-Length: -0\r\n\r\n", 400, 0},
		{"invalid/023", "GET /first HTTP/1.0\r\nContent-Length: 0_1\r\n\r\n", 400, 0},
		{"invalid/chunked_01", "POST /" + te + "5\r\nhello\r\n6_0\r\n world\r\n0\r\n\r\n", 400, 0},
		{"invalid/chunked_02", "POST /" + h + "Content-Length: 12\r\nTransfer-Encoding: \tchunked\r\n\r\n5\r\nhello\r\n", 400, 0},
		{"invalid/chunked_03", "POST /" + h + "Transfer-Encoding: identity, chunked, identity, chunked\r\n\r\n", 400, 0},
		{"invalid/chunked_04", "POST /" + h + strings.Repeat("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", 2) + "\r\n", 400, 0},
		{"invalid/chunked_05", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nVary: *\r\n\r\n", 400, 0},
		{"invalid/chunked_12", "POST /" + te + " ;foo=bar\r\nhello\r\n0\r\n\r\n", 400, 0},
		{"invalid/chunked_14", "POST /" + te + "5;ext=val\rue\r\nhello\r\n0\r\n\r\n", 400, 0},
		{"invalid/field_value", "GET /" + h + "Newline: a\nContent-Length: 26\r\nGET / HTTP/1.1\nHost: x\r\n\r\n", 400, 0},
		{"invalid/nonascii_01", "GET\xc3\x9f /germans.." + h + "Content-Length: 3\r\n\r\nabc", 400, 0},
		{"invalid/nonascii_03", "GET /germans.." + h + "Content-Length\xc3\x9f: 3\r\nContent-Length: 3\r\n\r\nabc", 400, 0},
		{"invalid/prefix_01", "GET\x00PROXY /foo" + h + "\r\n", 400, 0},
		{"invalid/prefix_03", "GET /" + h + "Content-Length: 0 1\r\n\r\nx", 400, 0},
		{"invalid/prefix_05", "GET: /stuff" + h + "Content-Length: 3\r\n\r\nxyz", 400, 0},
		{"invalid/prefix_06", "GET /the/future HTTP/" + strings.Repeat("1", 80) + ".1\r\nHost: a\r\n\r\n", 400, 0},
		{"invalid/trailer_cl", "POST /p" + te + "5\r\nhello\r\n0\r\nContent-Length: 99\r\n\r\n", 400, 0},
		{"invalid/trailer_host", "POST /p" + te + "5\r\nhello\r\n0\r\nHost: evil.example.com\r\n\r\n", 400, 0},
		{"invalid/trailer_te", "POST /p" + te + "5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n", 400, 0},
		{"invalid/cl_list", "POST /p" + h + "Content-Length: 5, 5\r\n\r\nhello", 400, 0},
		{"invalid/asterisk", "GET *" + h + "\r\n", 400, 0},
		{"invalid/authority", "GET example.com:443" + h + "\r\n", 400, 0},
		{"invalid/relative", "GET foo/bar" + h + "\r\n", 400, 0},
		{"invalid/version_01", "GET /foo HTTP/0.99\r\nHost: a\r\n\r\n", 400, 0},
		{"invalid/version_02", "GET /foo HTTP/2.0\r\nHost: a\r\n\r\n", 505, 0},
		{"invalid/pp_01", "PROXY TCP4 192.168.0.1 192.16...\r\n", 400, 0},
		{"valid/001", "PUT /stuff/here?foo=bar HTTP/1.0\r\nServer: http://127.0.0.1:5984\r\nContent-Length: 14\r\n\r\n{\"nom\": \"nom\"}", 0, 1},
		{"valid/002", "GET /test HTTP/1.1\r\nUser-Agent: curl/7.18.0 (i486-pc-linux-gnu) libcurl/7.18.0\r\nHost: 0.0.0.0=5000\r\nAccept: */*\r\n\r\n", 0, 1},
		{"valid/008", "GET /unusual_content_length HTTP/1.0\r\nconTENT-Length: 5\r\n\r\nHELLO", 0, 1},
		{"valid/010", "POST /" + te + "1e\r\nall your base are belong to us\r\n0\r\n\r\n", 0, 1},
		{"valid/011", "POST /" + te + "5\r\nhello\r\n6\r\n world\r\n000\r\n\r\n", 0, 1},
		{"valid/012", "POST /" + te + "5\r\nhello\r\n6\r\n world\r\n0\r\nVary: *\r\nContent-Type: text/plain\r\n\r\n", 0, 1},
		{"valid/013", "POST /" + te + "5; some; parameters=stuff\r\nhello\r\n6; blahblah; blah\r\n world\r\n0\r\n\r\n", 0, 1},
		{"valid/017", "GET /stuff HTTP/1.0\r\nIf-Match: bazinga!\r\nIf-Match: large-sound\r\n\r\n", 0, 1},
		{"valid/018", "GET /first" + h + "\r\nGET /second" + h + "\r\n", 0, 2},
		{"valid/020", "GET /first HTTP/1.0\r\nContent-Length: 24\r\n\r\nGET /second HTTP/1.1\r\n\r\n", 0, 1},
		{"valid/021", "GET /first" + h + "Connection: Close\r\n\r\nGET /second" + h + "\r\n", 0, 1},
		{"valid/022", "GET /first HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\nGET /second" + h + "\r\n", 0, 2},
		{"valid/023", "POST /" + te + "5\r\nhello\r\n6\r\n world\r\n000\r\n\r\nGET /second" + h + "\r\n", 0, 2},
		{"valid/027", "GET /\xc3\xa0%20k HTTP/1.0\r\n\r\n", 0, 1},
		{"valid/031", "-blargh /foo" + h + "\r\n", 0, 1},
		{"valid/040", "GET /keep HTTP/1.0\r\nTransfer_Encoding: tricked\r\nContent-Length: 7\r\nContent_Length: -1E23\r\n\r\ntricked", 0, 1},
		{"valid/100", "GET ///keeping_slashes" + h + "\r\n", 0, 1},
		{"valid/padding", "GET /" + h + "Name: \t value \t \r\n\r\n", 0, 1},
		{"valid/special chars", "GET /foo" + h + "X.Custom|Pipe: ok\r\n\r\n", 0, 1},
		{"valid/ext_quoted", "POST /" + te + "5;foo=\"bar baz\"\r\nhello\r\n0\r\n\r\n", 0, 1},
		{"valid/target_absolute", "GET http://example.com/foo?q=1" + h + "\r\n", 0, 1},
		{"valid/target_ipv6", "GET http://[::1]:8080/foo HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", 0, 1},
		{"valid/asterisk", "OPTIONS *" + h + "\r\n", 0, 1},
		{"valid/connect", "CONNECT example.com:443" + h + "\r\n", 0, 1},
		{"valid/connect_ipv6", "CONNECT [::1]:443" + h + "\r\n", 0, 1},
		// Valid there by repair or by ignorance, and refused here.
		{"valid/005 fragment", "GET /forums/1/topics/2375?page=1#posts-17408" + h + "\r\n", 400, 0},
		{"valid/009 identity with a length", "POST /" + h + "Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nWorld", 400, 0},
		{"valid/025 gzip and chunked", "POST /" + h + "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 501, 0},
		{"valid/028 space before the colon", "GET /stuff" + h + "Content-Length : 3\r\n\r\nxyz", 400, 0},
		{"valid/029 identity and chunked", "GET /" + h + "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n000\r\n\r\n", 501, 0},
		{"valid/compat_obs_fold", "GET /" + h + "Long: one\r\n two\r\n\r\n", 400, 0},
		{"valid/userinfo", "GET http://user:pass@example.com:8080/foo?q=1" + h + "\r\n", 400, 0},
	} {
		t.Run(tt.name, func(t *testing.T) { verdict(t, tt.raw, tt.status, tt.requests) })
	}
}
