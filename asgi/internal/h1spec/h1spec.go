// Package h1spec has the 33 cases of https://github.com/uNetworking/h1spec in
// its order: what a server must wait at, answer and refuse. It is data only; the
// same cases are run on the protocol machine and on a server over TCP.
//
// Where h1spec takes any status of a class, a case here names the one that the
// RFC names (https://www.rfc-editor.org/rfc/rfc9112,
// https://www.rfc-editor.org/rfc/rfc9110).
package h1spec

// Fragmented is the request of which the cases that wait are beginnings.
const Fragmented = "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n"

// Case is what a client sends, and what must come of it.
//
// Safe for concurrent use: only read.
type Case struct {
	Name   string
	Raw    string
	Waits  bool // Raw is the beginning of Fragmented, and nothing is answered
	Status int  // of the refusal; 0: Raw is one request and is accepted
}

const host = "Host: example.com\r\n"

// Cases are the cases.
var Cases = []Case{
	waits("G"),
	waits("GET "),
	waits("GET /hello"),
	waits("GET /hello "),
	waits("GET /hello HTTP"),
	waits("GET /hello HTTP/1.1"),
	waits("GET /hello HTTP/1.1\r"),
	waits("GET /hello HTTP/1.1\r\n"),
	waits("GET /hello HTTP/1.1\r\nHos"),
	waits("GET /hello HTTP/1.1\r\nHost:"),
	waits("GET /hello HTTP/1.1\r\nHost: "),
	waits("GET /hello HTTP/1.1\r\nHost: localhost"),
	waits("GET /hello HTTP/1.1\r\nHost: localhost\r"),
	waits("GET /hello HTTP/1.1\r\nHost: localhost\r\n"),
	waits("GET /hello HTTP/1.1\r\nHost: localhost\r\n\r"),
	refused("request without version", 400, "GET / \r\n\r\n"),
	accepted("Expect", "GET / HTTP/1.1\r\n"+host+"Expect: 100-continue\r\n\r\n"),
	accepted("GET", "GET / HTTP/1.1\r\n"+host+"\r\n"),
	accepted("GET with edge cases", "GET / HTTP/1.1\r\nhoSt:\texample.com\r\nempty:\r\n\r\n"),
	refused("invalid field name", 400, "GET / HTTP/1.1\r\n"+host+"X-Invalid[]: test\r\n\r\n"),
	refused("no Host", 400, "GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\n"),
	refused("two Hosts", 400, "GET / HTTP/1.1\r\n"+host+"Host: example.org\r\n\r\n"),
	refused("overflowing negative Content-Length", 400, "GET / HTTP/1.1\r\n"+host+"Content-Length: -123456789123456789123456789\r\n\r\n"),
	refused("negative Content-Length", 400, "GET / HTTP/1.1\r\n"+host+"Content-Length: -1234\r\n\r\n"),
	refused("Content-Length is no number", 400, "GET / HTTP/1.1\r\n"+host+"Content-Length: abc\r\n\r\n"),
	accepted("empty value", "GET / HTTP/1.1\r\n"+host+"X-Empty-Header: \r\n\r\n"),
	refused("control character", 400, "GET / HTTP/1.1\r\n"+host+"X-Bad-Control-Char: test\x07\r\n\r\n"),
	refused("version 9.9", 505, "GET / HTTP/9.9\r\n"+host+"\r\n"),
	refused("text before the request", 400, "Extra lineGET / HTTP/1.1\r\n"+host+"\r\n"),
	refused("invalid line end", 400, "GET / HTTP/1.1\r\n"+host+"\rSome-Header: Test\r\n\r\n"),
	accepted("POST", "POST / HTTP/1.1\r\n"+host+"Content-Length: 5\r\n\r\nhello"),
	accepted("chunked", "POST / HTTP/1.1\r\n"+host+"Transfer-Encoding: chunked\r\n\r\nc\r\nHellO world1\r\n0\r\n\r\n"),
	refused("chunked and Content-Length", 400, "POST / HTTP/1.1\r\n"+host+
		"content-LengtH: 5\r\nTransFer-Encoding: chunked\r\n\r\nc\r\nHellO world1\r\n0\r\n\r\n"),
}

func waits(raw string) Case { return Case{Name: "waits at " + raw, Raw: raw, Waits: true} }

func accepted(name, raw string) Case { return Case{Name: name, Raw: raw} }

func refused(name string, status int, raw string) Case {
	return Case{Name: name, Raw: raw, Status: status}
}
