package http1

import (
	"errors"
	"strings"
	"testing"

	"github.com/gale-server/gale/asgi"
)

const (
	get      = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	getTE    = "GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n"
	getClose = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
	getOld   = "GET / HTTP/1.0\r\n\r\n"
	getOldKA = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
	head     = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
)

// asked is a machine that has read all of raw, which is one request.
func asked(t testing.TB, raw string) *Machine {
	t.Helper()
	m := New(nil)
	var h Head
	p := []byte(raw)
	for {
		ev, err := m.Next(p, &h)
		if err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		p = p[ev.N:]
		if ev.Kind == Paused || ev.Kind == NeedData {
			return m
		}
	}
}

// fields makes headers of "name: value" lines.
func fields(lines ...string) []asgi.Header {
	var headers []asgi.Header
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ": ")
		headers = append(headers, asgi.Header{Name: name, Value: value})
	}
	return headers
}

// reply is what the driver does after a body: everything the response needs.
func reply(t testing.TB, m *Machine, r Response, pieces ...string) (string, error) {
	t.Helper()
	out, err := m.AppendStart(nil, &r)
	if err != nil {
		return "", err
	}
	for i, p := range pieces {
		if i == len(pieces)-1 {
			out, err = m.AppendLastBody(out, []byte(p))
		} else {
			out, err = m.AppendBody(out, []byte(p))
		}
		if err != nil {
			return string(out), err
		}
	}
	if r.Trailers {
		out, err = m.AppendLastTrailers(out, fields("x-t: 1"))
	}
	return string(out), err
}

// TestResponseFraming has one row per rule of how a response ends.
//
// https://www.rfc-editor.org/rfc/rfc9112#section-6.3
// https://asgi.readthedocs.io/en/latest/specs/www.html#response-start-send-event
func TestResponseFraming(t *testing.T) {
	for _, tt := range []struct {
		rule   string
		ask    string
		r      Response
		pieces []string
		want   string
		closed bool
	}{
		{"9112 6.1 length unknown", get, Response{Status: 200, BodyBytes: -1}, []string{"ab", "", "c"},
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", false},
		{"9112 7.1 hexadecimal size", get, Response{Status: 200, BodyBytes: -1}, []string{strings.Repeat("x", 26)},
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1a\r\n" + strings.Repeat("x", 26) + "\r\n0\r\n\r\n", false},
		{"9112 7.1 an empty piece is no last chunk", get, Response{Status: 200, BodyBytes: -1}, []string{"", "a", ""},
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", false},
		{"9110 8.6 length known to the server", get, Response{Status: 200, BodyBytes: 3}, []string{"abc"},
			"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", false},
		{"9110 8.6 empty body", get, Response{Status: 200}, []string{""},
			"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false},
		{"9110 8.6 length given by the application", get, Response{Status: 200, Headers: fields("CONTENT-length: 3"), BodyBytes: -1}, []string{"a", "bc"},
			"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", false},
		{"9110 8.6 both and equal", get, Response{Status: 200, Headers: fields("content-length: 3"), BodyBytes: 3}, []string{"abc"},
			"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", false},
		{"asgi Transfer-Encoding is ignored", get, Response{Status: 200, Headers: fields("transfer-encoding: gzip"), BodyBytes: 1}, []string{"a"},
			"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", false},
		{"asgi Transfer-Encoding chunked is ignored, too", get, Response{Status: 200, Headers: fields("Transfer-Encoding: chunked"), BodyBytes: -1}, []string{"a"},
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", false},
		{"9112 6.3 HTTP/1.0, unknown: the end of the connection", getOldKA, Response{Status: 200, BodyBytes: -1}, []string{"a", "b"},
			"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nab", true},
		{"9112 9.3 HTTP/1.0, known, persistent", getOldKA, Response{Status: 200, BodyBytes: 1}, []string{"a"},
			"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\na", false},
		{"9112 9.3 HTTP/1.0, known, by default", getOld, Response{Status: 200, BodyBytes: 1}, []string{"a"},
			"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\na", true},
		{"9112 9.6 the client closes", getClose, Response{Status: 200, BodyBytes: 1}, []string{"a"},
			"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\na", true},
		{"9112 9.6 the server closes", get, Response{Status: 200, BodyBytes: 1, Close: true}, []string{"a"},
			"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\na", true},
		{"9112 9.6 the application closes", get, Response{Status: 200, Headers: fields("connection: x, Close"), BodyBytes: -1}, []string{"a"},
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\na\r\n0\r\n\r\n", true},
		{"9110 7.6.1 fields of the connection are dropped", get,
			Response{Status: 200, Headers: fields("Connection: keep-alive, x", "Keep-Alive: 5", "Proxy-Connection: x", "TE: x", "Upgrade: h2c", "Trailer: x"), BodyBytes: 1}, []string{"a"},
			"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", false},
		{"9110 15.5.22 426 must have Upgrade", get, Response{Status: 426, Headers: fields("upgrade: websocket")}, []string{""},
			"HTTP/1.1 426 Upgrade Required\r\nupgrade: websocket\r\nContent-Length: 0\r\nConnection: Upgrade\r\n\r\n", false},
		{"9110 15.5.22 426 and close", getClose, Response{Status: 426, Headers: fields("upgrade: websocket")}, []string{""},
			"HTTP/1.1 426 Upgrade Required\r\nupgrade: websocket\r\nContent-Length: 0\r\nConnection: close, Upgrade\r\n\r\n", true},
		{"9110 15.5.22 426 to HTTP/1.0", getOldKA, Response{Status: 426, Headers: fields("upgrade: websocket")}, []string{""},
			"HTTP/1.1 426 Upgrade Required\r\nupgrade: websocket\r\nContent-Length: 0\r\nConnection: keep-alive, Upgrade\r\n\r\n", false},
		{"9110 9.3.2 HEAD, length given", head, Response{Status: 200, Headers: fields("content-length: 3"), BodyBytes: -1}, []string{"abc"},
			"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", false},
		{"9110 9.3.2 HEAD, length given, no body sent", head, Response{Status: 200, Headers: fields("content-length: 3"), BodyBytes: 0}, []string{""},
			"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", false},
		{"9110 9.3.2 HEAD, body sent", head, Response{Status: 200, BodyBytes: 3}, []string{"abc"},
			"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", false},
		{"9110 9.3.2 HEAD, nothing known", head, Response{Status: 200}, []string{""},
			"HTTP/1.1 200 OK\r\n\r\n", false},
		{"9110 9.3.2 HEAD, streamed", head, Response{Status: 200, BodyBytes: -1}, []string{"a", "b"},
			"HTTP/1.1 200 OK\r\n\r\n", false},
		{"9110 15.3.5 204", get, Response{Status: 204, Headers: fields("content-length: 0")}, []string{""},
			"HTTP/1.1 204 No Content\r\n\r\n", false},
		{"9110 15.3.5 204, body sent", get, Response{Status: 204, BodyBytes: -1}, []string{"a", "b"},
			"HTTP/1.1 204 No Content\r\n\r\n", false},
		{"9110 15.4.5 304 keeps the length a 200 would have", get, Response{Status: 304, Headers: fields("content-length: 9", "etag: x")}, []string{""},
			"HTTP/1.1 304 Not Modified\r\netag: x\r\nContent-Length: 9\r\n\r\n", false},
		{"9110 15.4.5 304 gets none", get, Response{Status: 304}, []string{""},
			"HTTP/1.1 304 Not Modified\r\n\r\n", false},
		{"9110 15.3.6 205", get, Response{Status: 205, BodyBytes: -1}, []string{""},
			"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n", false},
		{"9110 6.6.1 Date and Server", get, Response{Status: 200, Date: "D", Server: "S"}, []string{""},
			"HTTP/1.1 200 OK\r\nDate: D\r\nServer: S\r\nContent-Length: 0\r\n\r\n", false},
		{"9110 6.6.1 the application's own win", get, Response{Status: 200, Headers: fields("DATE: d", "server: s"), Date: "D", Server: "S"}, []string{""},
			"HTTP/1.1 200 OK\r\nDATE: d\r\nserver: s\r\nContent-Length: 0\r\n\r\n", false},
		{"9112 5 order and repetition are kept", get, Response{Status: 200, Headers: fields("set-cookie: a", "X: \xe9\t", "set-cookie: b", "y: ")}, []string{""},
			"HTTP/1.1 200 OK\r\nset-cookie: a\r\nX: \xe9\t\r\nset-cookie: b\r\ny: \r\nContent-Length: 0\r\n\r\n", false},
		{"9112 4 status without phrase", get, Response{Status: 299}, []string{""},
			"HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n", false},
		{"9110 6.5 trailers", getTE, Response{Status: 200, Headers: fields("trailer: x-t"), BodyBytes: 1, Trailers: true}, []string{"a"},
			"HTTP/1.1 200 OK\r\ntrailer: x-t\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx-t: 1\r\n\r\n", false},
		{"9110 6.5.1 not to a client that does not take them", get, Response{Status: 200, Headers: fields("trailer: x-t"), BodyBytes: -1, Trailers: true}, []string{"a"},
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", false},
		{"9110 6.5.1 not with Content-Length", getTE, Response{Status: 200, Headers: fields("content-length: 1"), BodyBytes: -1, Trailers: true}, []string{"a"},
			"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", false},
		{"9110 6.5.1 not to HEAD", strings.Replace(getTE, "GET", "HEAD", 1), Response{Status: 200, BodyBytes: -1, Trailers: true}, []string{"a"},
			"HTTP/1.1 200 OK\r\n\r\n", false},
		{"9110 9.3.6 a refused CONNECT closes", "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", Response{Status: 405}, []string{""},
			"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", true},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			m := asked(t, tt.ask)
			before := *m
			if err := m.CheckStart(&tt.r); err != nil || m.flags != before.flags || m.out != before.out {
				t.Fatal("check:", err)
			}
			got, err := reply(t, m, tt.r, tt.pieces...)
			if err != nil || got != tt.want {
				t.Fatalf("%q %v\nwant %q", got, err, tt.want)
			}
			if !m.ResponseDone() || m.InRequest() || m.KeepAlive() == tt.closed {
				t.Errorf("done %t, in request %t, keep-alive %t", m.ResponseDone(), m.InRequest(), m.KeepAlive())
			}
			d := &driver{t: t, m: m, answer: atEnd}
			d.feed([]byte(nextRequest))
			if next := len(d.tr.requests) == 1; next == tt.closed || tt.closed && d.tr.last != Closed {
				t.Errorf("next request: %v", d.tr)
			}
		})
	}
}

// step is one call of the response side.
type step func(m *Machine, dst []byte) ([]byte, error)

func start(r Response) step {
	return func(m *Machine, dst []byte) ([]byte, error) {
		check := m.CheckStart(&r)
		dst, err := m.AppendStart(dst, &r)
		if (check == nil) != (err == nil) {
			panic("CheckStart and AppendStart disagree")
		}
		return dst, err
	}
}

func with(headers ...string) step { return start(Response{Status: 200, Headers: fields(headers...)}) }

func body(p string) step {
	return func(m *Machine, dst []byte) ([]byte, error) { return m.AppendBody(dst, []byte(p)) }
}

func last(p string) step {
	return func(m *Machine, dst []byte) ([]byte, error) { return m.AppendLastBody(dst, []byte(p)) }
}

func piece(n int64) step {
	return func(m *Machine, dst []byte) ([]byte, error) {
		dst, _, err := m.AppendPiece(dst, n)
		return dst, err
	}
}

func pieceEnd(m *Machine, dst []byte) ([]byte, error) { return m.AppendPieceEnd(dst) }

func trailers(lines ...string) step {
	return func(m *Machine, dst []byte) ([]byte, error) { return m.AppendTrailers(dst, fields(lines...)) }
}

func lastTrailers(lines ...string) step {
	return func(m *Machine, dst []byte) ([]byte, error) { return m.AppendLastTrailers(dst, fields(lines...)) }
}

func hints(links ...string) step {
	return func(m *Machine, dst []byte) ([]byte, error) { return m.AppendEarlyHints(dst, links) }
}

func upgrade(lines ...string) step {
	return func(m *Machine, dst []byte) ([]byte, error) { return m.AppendUpgrade(dst, fields(lines...)) }
}

const (
	askWS      = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
	askConnect = "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n"
)

// take plays steps that succeed and returns what they appended.
func take(t testing.TB, m *Machine, steps ...step) string {
	t.Helper()
	var out []byte
	for i, s := range steps {
		var err error
		if out, err = s(m, out); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
	}
	return string(out)
}

// fails plays a step that must fail without a trace.
func fails(t testing.TB, m *Machine, s step) *ResponseError {
	t.Helper()
	before := *m
	out, err := s(m, []byte("before"))
	var re *ResponseError
	if !errors.As(err, &re) || re.Error() == "" {
		t.Fatalf("error is %v, output %q", err, out)
	}
	if string(out) != "before" {
		t.Fatalf("output is %q", out)
	}
	if m.out != before.out || m.owed != before.owed || m.flags != before.flags || m.framing != before.framing || m.in != before.in {
		t.Fatalf("the machine was %+v and is %+v", before, *m)
	}
	return re
}

// TestResponseErrors has what an application may not do. It leaves no trace.
func TestResponseErrors(t *testing.T) {
	three := start(Response{Status: 200, Headers: fields("content-length: 3"), BodyBytes: -1})
	unknown := start(Response{Status: 200, BodyBytes: -1})
	announced := start(Response{Status: 200, BodyBytes: -1, Trailers: true})
	for _, tt := range []struct {
		rule   string
		ask    string
		before []step
		do     step
	}{
		{"9112 11.1 LF in a value", get, nil, with("x: a\nb")},
		{"9112 11.1 CR in a value", get, nil, with("x: a\rb")},
		{"9112 11.1 NUL in a value", get, nil, with("x: a\x00b")},
		{"9112 11.1 CRLF behind good headers", get, nil, with("a: b", "c: d", "x: a\r\nb: c")},
		{"9110 5.5 CTL in a long value", get, nil, with("x: abcdefghijk\x1flmno")},
		{"9110 5.5 CTL in a field that is dropped", get, nil, with("connection: a\r\nb: c")},
		{"9110 5.1 SP in a name", get, nil, with("x y: a")},
		{"9110 5.1 colon in a name", get, nil, with("x:y: a")},
		{"9110 5.1 CRLF in a name", get, nil, with("x\r\ny: a")},
		{"9110 5.1 pseudo header", get, nil, with(":status: 200")},
		{"9110 5.1 no name", get, nil, with(": a")},
		{"9112 11.1 CRLF in Date", get, nil, start(Response{Status: 200, Date: "a\r\nb"})},
		{"9112 11.1 CRLF in Server", get, nil, start(Response{Status: 200, Server: "a\r\nb"})},
		{"9110 8.6 length with a sign", get, nil, with("content-length: +0")},
		{"9110 8.6 empty length", get, nil, with("content-length: ")},
		{"9110 8.6 length twice", get, nil, with("content-length: 0", "Content-Length: 0")},
		{"9110 8.6 length is not the body's", get, nil, start(Response{Status: 200, Headers: fields("content-length: 4"), BodyBytes: 3})},
		{"9110 15 interim", get, nil, start(Response{Status: 103})},
		{"9110 15 switching", get, nil, start(Response{Status: 101})},
		{"9110 15 no status", get, nil, start(Response{})},
		{"9110 15 below all", get, nil, start(Response{Status: -200})},
		{"9110 15 above all", get, nil, start(Response{Status: 600})},
		{"9110 15.3.6 205 with a body", get, nil, start(Response{Status: 205, BodyBytes: 1})},
		{"9110 15.3.6 205 with a length", get, nil, start(Response{Status: 205, Headers: fields("content-length: 1"), BodyBytes: -1})},
		{"9110 15.3.6 205 with a piece", get, []step{start(Response{Status: 205, BodyBytes: -1})}, body("a")},
		{"9110 9.3.6 2xx to CONNECT", askConnect, nil, start(Response{Status: 200})},
		{"9110 8.6 too many bytes", get, []step{three, body("ab")}, body("cd")},
		{"9110 8.6 too many bytes at the end", get, []step{three, body("ab")}, last("cd")},
		{"9110 8.6 too few bytes", get, []step{three, body("a")}, last("b")},
		{"9110 8.6 none", get, []step{three}, last("")},
		{"9110 8.6 too many in a piece", get, []step{three, body("a")}, piece(3)},
		{"piece of negative length", get, []step{unknown}, piece(-1)},
		{"9110 6.5.1 framing in a trailer", getTE, []step{announced, last("")}, trailers("a: b", "Content-Length: 1")},
		{"9112 11.1 CRLF in a trailer", getTE, []step{announced, last("")}, lastTrailers("a: b\r\nc: d")},
		{"9112 11.1 CRLF in a trailer that is not sent", get, []step{announced, last("")}, trailers("a: b\r\nc: d")},
		{"9112 11.1 CRLF in a link", get, nil, hints("</a>", "</b>\r\nx: y")},
		{"9110 7.8 upgrade not asked for", get, nil, upgrade("upgrade: x")},
		{"9110 15.2.2 101 without Upgrade", askWS, nil, upgrade("x: y")},
		{"9112 11.1 CRLF in a 101", askWS, nil, upgrade("upgrade: x", "y: z\r\na: b")},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			m := asked(t, tt.ask)
			take(t, m, tt.before...)
			fails(t, m, tt.do)
		})
	}
}

// TestResponseOrder tries every operation in every state.
func TestResponseOrder(t *testing.T) {
	unknown := start(Response{Status: 200, BodyBytes: -1})
	announced := start(Response{Status: 200, BodyBytes: -1, Trailers: true})
	states := map[string][]step{
		"asked":    nil,
		"started":  {unknown},
		"body":     {unknown, body("a")},
		"piece":    {unknown, piece(3)},
		"after":    {unknown, piece(3), pieceEnd},
		"trailers": {announced, last("")},
		"more":     {announced, last("a"), trailers("a: b")},
	}
	ops := map[string]step{
		"hints": hints("</a>"), "start": unknown, "upgrade": upgrade("upgrade: x"),
		"body": body("a"), "last": last("a"), "piece": piece(3), "end": pieceEnd,
		"trailers": trailers("a: b"), "lastTrailers": lastTrailers(),
	}
	allowed := map[string]string{
		"asked":    "hints start upgrade",
		"started":  "body last piece",
		"body":     "body last piece",
		"piece":    "end",
		"after":    "body last piece",
		"trailers": "trailers lastTrailers",
		"more":     "trailers lastTrailers",
	}
	for state, steps := range states {
		for name, op := range ops {
			m := asked(t, askWS)
			take(t, m, steps...)
			ok := false
			for _, a := range strings.Fields(allowed[state]) {
				ok = ok || a == name
			}
			if ok {
				take(t, m, op)
			} else {
				fails(t, m, op)
			}
		}
	}
	for name, op := range ops { // before any request, after its response, after an upgrade
		fails(t, New(nil), op)
		m := asked(t, getClose)
		take(t, m, unknown, last(""))
		if err := fails(t, m, op); name == "start" && err.Reason != "response start out of order: response complete" {
			t.Error(err)
		}
		m = asked(t, askWS)
		take(t, m, upgrade("upgrade: websocket"))
		fails(t, m, op)
	}
}

// TestPieces: a piece the caller writes itself reads as one the machine wrote.
func TestPieces(t *testing.T) {
	for _, tt := range []struct {
		ask  string
		r    Response
		send bool
	}{
		{get, Response{Status: 200, BodyBytes: -1}, true},
		{get, Response{Status: 200, BodyBytes: 30}, true},
		{getOld, Response{Status: 200, BodyBytes: -1}, true},
		{head, Response{Status: 200, BodyBytes: 30}, false},
		{get, Response{Status: 304, BodyBytes: 30}, false},
	} {
		p := strings.Repeat("p", 30)
		want := take(t, asked(t, tt.ask), start(tt.r), body(p), last(""))
		m := asked(t, tt.ask)
		out := take(t, m, start(tt.r))
		framed, send, err := m.AppendPiece(nil, 30)
		if err != nil || send != tt.send {
			t.Fatal(send, err)
		}
		out += string(framed)
		if send {
			out += p + take(t, m, pieceEnd)
		}
		if out += take(t, m, last("")); out != want {
			t.Errorf("%q\nwant %q", out, want)
		}
	}
	m := asked(t, get)
	take(t, m, start(Response{Status: 200, BodyBytes: -1}))
	if out, send, err := m.AppendPiece(nil, 0); len(out) != 0 || send || err != nil {
		t.Errorf("empty piece: %q %t %v", out, send, err)
	}
	take(t, m, last(""))
}

func TestTrailersInParts(t *testing.T) {
	m := asked(t, getTE)
	got := take(t, m, start(Response{Status: 200, BodyBytes: -1, Trailers: true}), last("a"), trailers("A: b", "c: d"), trailers(), lastTrailers("e: f"))
	if !strings.HasSuffix(got, "\r\n\r\n1\r\na\r\n0\r\nA: b\r\nc: d\r\ne: f\r\n\r\n") {
		t.Errorf("%q", got)
	}
}

// TestTruncated: a response that is not ended is not ended on the wire either.
func TestTruncated(t *testing.T) {
	m := asked(t, get)
	got := take(t, m, start(Response{Status: 200, BodyBytes: -1}), body("a"))
	if strings.HasSuffix(got, "0\r\n\r\n") || m.ResponseDone() || !m.InRequest() {
		t.Errorf("%q", got)
	}
	if out := m.AppendError(nil, 500, "", ""); len(out) > 0 || m.KeepAlive() {
		t.Errorf("error response inside a response: %q", out)
	}
	if ev, err := m.Next([]byte(get), new(Head)); err != nil || ev.Kind != Closed {
		t.Errorf("%v %v", ev, err)
	}
}

func TestReasons(t *testing.T) {
	for status, want := range map[int]string{
		100: "Continue", 103: "Early Hints", 200: "OK", 204: "No Content", 304: "Not Modified", 308: "Permanent Redirect",
		400: "Bad Request", 417: "Expectation Failed", 426: "Upgrade Required", 431: "Request Header Fields Too Large",
		451: "Unavailable For Legal Reasons", 500: "Internal Server Error", 505: "HTTP Version Not Supported",
		511: "Network Authentication Required", 99: "", 299: "", 512: "", 599: "",
	} {
		if got := reason(status); got != want {
			t.Errorf("%d is %q", status, got)
		}
	}
}
