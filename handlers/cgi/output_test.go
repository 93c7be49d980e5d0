package cgi

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/gale-server/gale/asgi"
)

// vectors are what programs write, and what comes of it.
var vectors = []struct {
	name, in, want string
	form           string // "", "nph", "head"
}{
	// RFC 3875, section 6.2.1: document.
	{"document", "Content-Type: text/plain\n\nbody", "200 content-type=text/plain; body=body", ""},
	{"CRLF", "Content-Type: text/plain\r\n\r\nbody", "200 content-type=text/plain; body=body", ""},
	{"mixed ends", "Content-Type: a/b\r\nX: y\n\r\nbody", "200 content-type=a/b x=y; body=body", ""},
	{"mixed ends again", "Content-Type: a/b\nX: y\r\n\nbody", "200 content-type=a/b x=y; body=body", ""},
	{"status", "Status: 404 Not Here\nContent-Type: a/b\n\nbody", "404 content-type=a/b; body=body", ""},
	{"status without reason", "Status: 404\nContent-Type: a/b\n\n", "404 content-type=a/b; body=", ""},
	{"any case", "sTATUS: 201 x\ncontent-TYPE: a/b\n\n", "201 content-type=a/b; body=", ""},
	{"only a status", "Status: 204 No Content\n\n", "204; body=", ""},
	{"only a status, with a body", "Status: 200 OK\n\nbody", "error " + errNoType.Error(), ""},
	{"204 has no body", "Status: 204\nContent-Type: a/b\n\nbody", "204 content-type=a/b; body=", ""},
	{"304 has no body", "Status: 304\nETag: \"x\"\n\nbody", "304 etag=\"x\"; body=", ""},
	{"spaces", "Content-Type:\t a/b \t\nX:\n\n", "200 content-type=a/b x=; body=", ""},
	{"body of lines", "Content-Type: a/b\n\n\n\r\n\nx", "200 content-type=a/b; body=\n\r\n\nx", ""},
	{"cookies", "Content-Type: a/b\nSet-Cookie: a=1\nSet-Cookie: b=2\n\n", "200 content-type=a/b set-cookie=a=1 set-cookie=b=2; body=", ""},

	// Section 6.2.2: local redirect.
	{"local redirect", "Location: /a?b=c\n\n", "local /a?b=c", ""},
	{"local redirect with an extension", "X-CGI-Foo: bar\nLocation: /a\n\n", "local /a", ""},
	{"local redirect with a body", "Location: /a\n\nbody", "local /a", ""},

	// Sections 6.2.3 and 6.2.4: client redirects.
	{"client redirect", "Location: https://h/a\n\n", "302 location=https://h/a; body=", ""},
	{"another host", "Location: //h/a\n\n", "302 location=//h/a; body=", ""},
	{"redirect with a document", "Status: 307 x\nLocation: https://h/a\nContent-Type: a/b\n\nbody", "307 location=https://h/a content-type=a/b; body=body", ""},
	{"path with a status", "Status: 303 x\nLocation: /a\n\n", "303 location=/a; body=", ""},
	{"path with a cookie", "Location: /a\nSet-Cookie: a=1\n\n", "302 location=/a set-cookie=a=1; body=", ""},

	// Section 6.3: fields.
	{"of the connection", "Content-Type: a/b\nConnection: close\nKeep-Alive: 1\nTransfer-Encoding: chunked\nUpgrade: h2c\nTE: x\nTrailer: x\nProxy-Connection: x\n\n", "200 content-type=a/b; body=", ""},
	{"for the server", "Content-Type: a/b\nX-CGI-Any: x\n\n", "200 content-type=a/b; body=", ""},
	{"length", "Content-Type: a/b\nContent-Length: 4\n\nbody", "200 content-type=a/b content-length=4; body=body", ""},
	{"too much", "Content-Type: a/b\nContent-Length: 3\n\nbody", "200 content-type=a/b content-length=3; body=bod excess", ""},
	{"too little", "Content-Type: a/b\nContent-Length: 5\n\nbody", "error " + errShortBody.Error(), ""},
	{"leading zeros of a length", "Content-Type: a/b\nContent-Length: 004\n\nbody", "200 content-type=a/b content-length=4; body=body", ""},

	// Malformed.
	{"nothing", "", "error " + errNoOutput.Error(), ""},
	{"an empty line", "\n", "error " + errNoCGIField.Error(), ""},
	{"an empty line first", "\r\n\r\nContent-Type: a/b\n\n", "error " + errNoCGIField.Error(), ""},
	{"half a head", "Content-Type: text/plain\nX: y", "error " + errHalfHead.Error(), ""},
	{"no empty line", "Content-Type: text/plain\n", "error " + errHalfHead.Error(), ""},
	{"no header", "hello, world\n\n", "error " + errNoField.Error(), ""},
	{"no field of CGI", "X: y\n\n", "error " + errNoCGIField.Error(), ""},
	{"folded", "Content-Type: a/b\n c\n\n", "error " + errFolded.Error(), ""},
	{"a space before the colon", "Content-Type : a/b\n\n", "error " + errNoField.Error(), ""},
	{"no name", ": a\n\n", "error " + errNoField.Error(), ""},
	{"CR in a value", "Content-Type: a/b\nX: a\rb\n\n", "error " + errFieldValue.Error(), ""},
	{"NUL in a value", "Content-Type: a/b\nX: a\x00b\n\n", "error " + errFieldValue.Error(), ""},
	{"CR CR LF", "Content-Type: a/b\r\r\n\n", "error " + errFieldValue.Error(), ""},
	{"two types", "Content-Type: a/b\nContent-Type: c/d\n\n", "error " + errRepeated.Error(), ""},
	{"two locations", "Location: /a\nLocation: /b\n\n", "error " + errRepeated.Error(), ""},
	{"two statuses", "Status: 200\nStatus: 404\n\n", "error " + errRepeated.Error(), ""},
	{"two lengths", "Content-Type: a/b\nContent-Length: 0\nContent-Length: 0\n\n", "error " + errRepeated.Error(), ""},
	{"an empty location", "Location:\n\n", "error " + errEmptyValue.Error(), ""},
	{"100", "Status: 100 Continue\n\n", "error " + errStatusValue.Error(), ""},
	{"101", "Status: 101 Switching\nUpgrade: x\n\n", "error " + errStatusValue.Error(), ""},
	{"600", "Status: 600\n\n", "error " + errStatusValue.Error(), ""},
	{"status of two digits", "Status: 20\n\n", "error " + errStatusValue.Error(), ""},
	{"status with a sign", "Status: +20\n\n", "error " + errStatusValue.Error(), ""},
	{"status without a space", "Status: 200x\n\n", "error " + errStatusValue.Error(), ""},
	{"length with a sign", "Content-Type: a/b\nContent-Length: +4\n\nbody", "error " + errLengthValue.Error(), ""},
	{"negative length", "Content-Type: a/b\nContent-Length: -1\n\n", "error " + errLengthValue.Error(), ""},
	{"no length", "Content-Type: a/b\nContent-Length:\n\n", "error " + errLengthValue.Error(), ""},
	{"list of lengths", "Content-Type: a/b\nContent-Length: 4, 4\n\nbody", "error " + errLengthValue.Error(), ""},
	{"large head", "Content-Type: a/b\nX: " + strings.Repeat("x", 1000) + "\n\n", "error " + errLargeHead.Error(), ""},
	{"large body", "Content-Type: a/b\n\n" + strings.Repeat("x", 1001), "error " + errOutputLimit.Error(), ""},
	{"largest body", "Content-Type: a/b\n\n" + strings.Repeat("x", 1000), "200 content-type=a/b; body=" + strings.Repeat("x", 1000), ""},

	// HEAD: the body is read, and not sent.
	{"HEAD", "Content-Type: a/b\nContent-Length: 4\n\nbody", "200 content-type=a/b content-length=4; body=", "head"},
	{"HEAD without a body", "Content-Type: a/b\nContent-Length: 4\n\n", "200 content-type=a/b content-length=4; body=", "head"},
	{"HEAD of much", "Content-Type: a/b\n\n" + strings.Repeat("x", 2000), "200 content-type=a/b; body=", "head"},

	// Section 5: no parsed header.
	{"NPH", "HTTP/1.1 404 Not Found\r\nContent-Type: a/b\r\n\r\nbody", "404 content-type=a/b connection=close; body=body", "nph"},
	{"NPH of 1.0 without a type", "HTTP/1.0 200 OK\nServer: x\n\nbody", "200 server=x connection=close; body=body", "nph"},
	{"NPH with a Location", "HTTP/1.0 302 Found\nLocation: /x\n\n", "302 location=/x connection=close; body=", "nph"},
	{"NPH without a status line", "Content-Type: a/b\n\nbody", "error " + errStatusLine.Error(), "nph"},
	{"NPH of HTTP/2", "HTTP/2 200 OK\nContent-Type: a/b\n\n", "error " + errStatusLine.Error(), "nph"},
	{"NPH with two statuses", "HTTP/1.1 200 OK\nStatus: 404\n\n", "error " + errRepeated.Error(), "nph"},
	{"NPH with 101", "HTTP/1.1 101 x\n\n", "error " + errStatusValue.Error(), "nph"},
	{"NPH of nothing", "\n\n", "error " + errStatusLine.Error(), "nph"},
}

// machine makes the machine of a vector.
func machine(form string) *output {
	return &output{head: form == "head", nph: form == "nph", maxHead: 600, maxBody: 1000}
}

// outcome feeds the pieces of an output, and says what comes of it.
func outcome(o *output, pieces ...[]byte) string {
	var body []byte
	for _, p := range pieces {
		n, b, err := o.feed(p)
		if n < 0 || n > len(p) || len(b) > len(p)-n || len(b) > 0 && &b[0] != &p[n] {
			return "the body is not in the piece"
		}
		if err != nil {
			return "error " + err.Error()
		}
		body = append(body, b...)
		if int64(len(o.field)) > o.maxHead {
			return "holds too much"
		}
	}
	if err := o.end(); err != nil {
		return "error " + err.Error()
	}
	if o.reply.local != "" {
		return "local " + o.reply.local
	}
	var s strings.Builder
	fmt.Fprint(&s, o.reply.status)
	for _, h := range o.reply.headers {
		fmt.Fprintf(&s, " %s=%s", h.Name, h.Value)
	}
	fmt.Fprintf(&s, "; body=%s", body)
	if o.excess {
		s.WriteString(" excess")
	}
	return s.String()
}

func TestOutput(t *testing.T) {
	for _, v := range vectors {
		in := []byte(v.in)
		if got := outcome(machine(v.form), in); got != v.want {
			t.Errorf("%s: %s, want %s", v.name, got, v.want)
			continue
		}
		var bytes [][]byte
		for i := range in {
			bytes = append(bytes, in[i:i+1])
			if got := outcome(machine(v.form), in[:i], in[i:]); got != v.want {
				t.Errorf("%s, cut at %d: %s, want %s", v.name, i, got, v.want)
				break
			}
		}
		if got := outcome(machine(v.form), bytes...); got != v.want {
			t.Errorf("%s, byte by byte: %s, want %s", v.name, got, v.want)
		}
	}
}

// After an error nothing comes of what follows.
func TestOutputAfterAnError(t *testing.T) {
	o := machine("")
	if _, _, err := o.feed([]byte("no header\n\n")); err == nil {
		t.Fatal("accepted")
	}
	n, body, err := o.feed([]byte("Content-Type: a/b\n\nbody"))
	if n != 0 || body != nil || err != nil || o.replied() {
		t.Errorf("%d, %q, %v", n, body, err)
	}
}

// FuzzOutput: how the bytes are cut changes nothing, and what passes can be sent.
func FuzzOutput(f *testing.F) {
	for _, v := range vectors {
		f.Add([]byte(v.in), uint16(7), v.form)
	}
	f.Fuzz(func(t *testing.T, in []byte, cut uint16, form string) {
		at := 0
		if len(in) > 0 {
			at = int(cut) % len(in)
		}
		o := machine(form)
		whole, two := outcome(o, in), outcome(machine(form), in[:at], in[at:])
		if whole != two {
			t.Fatalf("%q\nwhole: %s\ncut at %d: %s", in, whole, at, two)
		}
		for _, h := range o.reply.headers {
			sendable(t, h)
		}
		if s := o.reply.status; s != 0 && (s < 200 || s > 599) {
			t.Errorf("status %d", s)
		}
	})
}

// sendable fails for a field that could end its line, or is not the script's to set.
func sendable(t *testing.T, h asgi.Header) {
	if strings.ContainsAny(h.Value, "\r\n\x00") || h.Name == "" || strings.ContainsAny(h.Name, " :\r\n\t") {
		t.Errorf("field %q: %q", h.Name, h.Value)
	}
	switch h.Name {
	case "transfer-encoding", "upgrade", "te", "keep-alive":
		t.Errorf("field %s", h.Name)
	case "connection":
		if h.Value != "close" {
			t.Errorf("connection: %s", h.Value)
		}
	}
}

func TestResolveDots(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "/": "/", "/a": "/a", "/a/": "/a/", "/a//b": "/a//b",
		"/a/../b": "/b", "/a/./b": "/a/b", "/a/..": "/", "/a/.": "/a/", "/a/b/../..": "/",
		"/..": "-", "/../a": "-", "/a/../../b": "-", "/./..": "-",
		"/...": "/...", "/.a": "/.a", "/a/..b": "/a/..b", "a": "-",
	} {
		got, ok := resolveDots(in)
		if !ok {
			got = "-"
		}
		if got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestBelow(t *testing.T) {
	for _, c := range []struct{ root, mount, raw, want string }{
		{"", "/cgi", "/cgi/a/b", "/a/b"},
		{"/app", "/cgi", "/cgi/a/b", "/a/b"}, // the wire has no root path
		{"", "/cgi", "/cgi/a/%C3%A9", "/a/\u00e9"},
		{"", "/cgi", "/cgi/a/%FF%FE/x", "/a/\xff\xfe/x"},
		{"/app", "/cgi", "/cgi/a/%FF", "/a/\xff"},
		{"", "/cgi", "/cgi/a%2fb", "-"},
		{"", "/cgi", "/cgi/a%2Fb", "-"},
		{"", "/cgi", "/cgi/a%00b", "-"},
		{"", "/cgi", "/cgi/%2e%2e/x", "-"},
		{"", "/cgi", "/cgi/a/%2e%2e/x", "/x"},
		{"", "/cgi", "/cgi/%252e%252e/x", "/%2e%2e/x"}, // decoded once
		{"", "/cgi", "/cgi/a/%5C..%5Cx", `/a/\..\x`},
		{"", "", "/a", "/a"},
	} {
		s := &asgi.Scope{Path: c.root + strings.ToValidUTF8(unescape(t, c.raw), "\uFFFD"), RawPath: c.raw, RootPath: c.root + c.mount}
		got, ok := below(s)
		if !ok {
			got = "-"
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.raw, got, c.want)
		}
	}
}

func unescape(t *testing.T, s string) string {
	var out bytes.Buffer
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			out.WriteByte(s[i])
			continue
		}
		var b byte
		if _, err := fmt.Sscanf(s[i+1:i+3], "%02x", &b); err != nil {
			t.Fatal(err)
		}
		out.WriteByte(b)
		i += 2
	}
	return out.String()
}
