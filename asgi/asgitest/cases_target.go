package asgitest

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/gale-server/gale/asgi"
)

const (
	rfcTarget  = "https://www.rfc-editor.org/rfc/rfc9112#section-3.2"
	rfcLine    = "https://www.rfc-editor.org/rfc/rfc9112#section-3"
	rfcVersion = "https://www.rfc-editor.org/rfc/rfc9110#section-15.6.6"
)

// target is a request target, and what the application is to see of it.
type target struct {
	method, target   string // no method is GET
	raw, path, query string
	status           int // that it is refused with; 0: it is not
}

// shows checks that the application sees the targets as they say, or that they
// are refused.
func (s *session) shows(targets []target) {
	s.tb.Helper()
	scopes := make(chan asgi.Scope, 1)
	var scripts []script
	for _, t := range targets {
		scripts = append(scripts, on(t.path, scopeHas(func(sc *asgi.Scope) error {
			scopes <- *sc
			return nil
		}), send(start(404)), send(last("seen"))))
	}
	s.serve(scripts...)
	for _, t := range targets {
		if t.method == "" {
			t.method = "GET"
		}
		w := s.dial()
		w.request(t.method + " " + t.target)
		r := w.response(t.method)
		var seen asgi.Scope
		if r.status == 404 {
			seen = <-scopes
		}
		switch {
		case t.status != 0 && r.status != t.status:
			s.tb.Errorf("client: %s %q is answered with %d, want %d", t.method, t.target, r.status, t.status)
		case t.status == 0 && (seen.RawPath != t.raw || seen.Path != t.path || seen.QueryString != t.query):
			s.tb.Errorf("client: %s %q (%d) is seen as %q, %q, query %q; want %q, %q, %q", t.method, t.target, r.status,
				seen.RawPath, seen.Path, seen.QueryString, t.raw, t.path, t.query)
		}
		if t.status != 0 {
			w.ends()
		}
		w.conn.Close()
	}
}

// octetTargets have every octet once, in the path and in the query.
func octetTargets() (targets []target) {
	for b := range 256 {
		c := string([]byte{byte(b)})
		t := target{target: "/a" + c + "b?q" + c + "r"}
		switch {
		case b <= ' ' || b == 0x7f || c == "#": // no part of a target
			t.status = 400
		case c == "%": // begins no percent-encoding
			t.status = 400
		case c == "?":
			t.raw, t.path, t.query = "/a", "/a", "b?q?r"
		case !utf8.ValidString(c):
			t.raw, t.path, t.query = "/a"+c+"b", "/a\uFFFDb", "q"+c+"r"
		default:
			t.raw, t.path, t.query = "/a"+c+"b", "/a"+c+"b", "q"+c+"r"
		}
		targets = append(targets, t)
	}
	return targets
}

// formTargets are the forms of RFC 9112 section 3.2, and what is none.
var formTargets = []target{
	{target: "/", raw: "/", path: "/"},
	{target: "//", raw: "//", path: "//"},
	{target: "//host//x", raw: "//host//x", path: "//host//x"},
	{target: "/a/../x/./", raw: "/a/../x/./", path: "/a/../x/./"},
	{target: "/%2e%2E/", raw: "/%2e%2E/", path: "/../"},
	{target: "/a%00b", raw: "/a%00b", path: "/a\x00b"},
	{target: "/a%2fb%7C|", raw: "/a%2fb%7C|", path: "/a/b||"},
	{target: "/%C3%A9\xc3\xa9", raw: "/%C3%A9\xc3\xa9", path: "/éé"},
	{target: "/;p=1;q?x;y", raw: "/;p=1;q", path: "/;p=1;q", query: "x;y"},
	{target: "/?", raw: "/", path: "/"},
	{target: "/??", raw: "/", path: "/", query: "?"},
	{target: "/?a?b", raw: "/", path: "/", query: "a?b"},
	{target: "/?a=%zz&b=%", raw: "/", path: "/", query: "a=%zz&b=%"},
	{target: "/x:y@z", raw: "/x:y@z", path: "/x:y@z"},
	{target: "/%zz", status: 400},
	{target: "/%", status: 400},
	{target: "/a%2", status: 400},
	{target: "", status: 400},
	{target: "?x", status: 400},
	{target: "a/b", status: 400},

	{target: "http://h", raw: "/", path: "/"},
	{target: "http://h?q", raw: "/", path: "/", query: "q"},
	{target: "HTTPS://h:1/x|y?a|b", raw: "/x|y", path: "/x|y", query: "a|b"},
	{target: "http://h:/x", raw: "/x", path: "/x"},
	{target: "http://[::1]:80/x", raw: "/x", path: "/x"},
	{target: "http://u@h/x", status: 400},
	{target: "http://u:p@h/x", status: 400},
	{target: "http:///x", status: 400},
	{target: "http://", status: 400},
	{target: "http://h:8x/", status: 400},
	{target: "http://[::g]/", status: 400},
	{target: "http://h%41/", status: 400},
	{target: "http:/x", status: 400},
	{target: "http:x", status: 400},
	{target: "ftp://h/x", status: 400},

	{target: "*", status: 400},
	{target: "/*", raw: "/*", path: "/*"},
	{method: "POST", target: "*", status: 400},
	{method: "OPTIONS", target: "*", raw: "*", path: "*"},
	{method: "OPTIONS", target: "*?x", status: 400},
	{method: "OPTIONS", target: "/x", raw: "/x", path: "/x"},
	{method: "OPTIONS", target: "http://h", raw: "*", path: "*"},
	{method: "OPTIONS", target: "http://h?q", raw: "/", path: "/", query: "q"},

	{target: "h:443", status: 400},
	{method: "CONNECT", target: "h:443"},
	{method: "CONNECT", target: "h", status: 400},
	{method: "CONNECT", target: "h:0", status: 400},
	{method: "CONNECT", target: "h:65536", status: 400},
	{method: "CONNECT", target: "u@h:443", status: 400},
	{method: "CONNECT", target: "/x", status: 400},
	{method: "CONNECT", target: "*", status: 400},
}

// answeredWith sends whole requests, each on a connection of its own; one that is
// answered with another status than 200 must cost the connection.
func (s *session) answeredWith(requests map[string]int) {
	s.tb.Helper()
	s.serve(respond("/", "ok"))
	for request, status := range requests {
		w := s.dial()
		w.write(request)
		if r := w.response("GET"); r.status != status {
			s.tb.Errorf("client: %s is answered with %d, want %d", abbreviate([]byte(request)), r.status, status)
		}
		if status != 200 {
			w.ends()
		}
		w.conn.Close()
	}
}

var targetCases = []testCase{
	{
		name:   "http/14 every octet of a target",
		clause: "raw_path: the original bytes; decision: a target is printable ASCII without the fragment mark, or 8-bit",
		link:   specHTTPScope,
		only:   eventForm,
		run:    func(s *session) { s.shows(octetTargets()) },
	},
	{
		name:   "http/15 every form of a target",
		clause: "asterisk-form is for OPTIONS, authority-form for CONNECT; no userinfo, no empty host; what is no target is 400",
		link:   rfcTarget,
		only:   eventForm,
		run:    func(s *session) { s.shows(formTargets) },
	},
	{
		name:   "http/16 methods that are too long, or none",
		clause: "a method longer than any the server knows: 501; what is no token: 400",
		link:   rfcLine,
		only:   eventForm,
		run: func(s *session) {
			line := func(method string) string { return requestHead(method + " /") }
			s.answeredWith(map[string]int{
				line("get"):                      200,
				line(strings.Repeat("M", 32)):    200,
				line(strings.Repeat("M", 33)):    501,
				line(strings.Repeat("M", 40000)): 501,
				line("G@T"):                      400,
				line(""):                         400,
			})
		},
	},
	{
		name:   "http/17 versions",
		clause: "1.0 and 1.1 are served, every other version is 505, the preface of HTTP/2 too; what is no version is 400",
		link:   rfcVersion,
		only:   eventForm,
		run: func(s *session) {
			requests := map[string]int{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n": 505}
			for version, status := range map[string]int{
				"HTTP/1.0": 200, "HTTP/1.1": 200,
				"HTTP/1.2": 505, "HTTP/1.9": 505, "HTTP/0.9": 505, "HTTP/2.0": 505, "HTTP/3.0": 505,
				"HTTP/1": 400, "HTTP/1.10": 400, "http/1.1": 400, "HTTP/1.1 ": 400, "": 400,
			} {
				requests[fmt.Sprintf("GET / %s\r\nHost: test\r\n\r\n", version)] = status
			}
			s.answeredWith(requests)
		},
	},
	{
		name:   "http/18 hosts",
		clause: "a Host that is no host is 400, and so is more than one; an empty one is for a target without authority",
		link:   rfcTarget,
		only:   eventForm,
		run: func(s *session) {
			requests := map[string]int{}
			for host, status := range map[string]int{
				"Host: h:80": 200, "Host: [::1]:80": 200, "Host:": 200, "Host: a_b.test": 200,
				"Host: u@h": 400, "Host: h:x": 400, "Host: [::1": 400, "Host: h,h": 400, "Host: h/x": 400,
				"Host: h%41": 400, "Host: h\r\nHost: h": 400, "X: y": 400,
			} {
				requests["GET / HTTP/1.1\r\n"+host+"\r\n\r\n"] = status
			}
			s.answeredWith(requests)
		},
	},
	{
		name:   "http/19 CONNECT opens no tunnel",
		clause: "a 2xx to CONNECT is an error of the application; every other response is the connection's last",
		link:   "https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6",
		run: func(s *session) {
			s.serve(on("", sendMalformed(start(200)), raise()))
			w := s.dial()
			w.write("CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n" + requestHead("GET /smuggled"))
			w.response("CONNECT").hasStatus(500)
			w.ends()
		},
	},
}
