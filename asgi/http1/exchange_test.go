package http1

import (
	"fmt"
	"strings"
	"testing"
	"unsafe"
)

func TestMachineSize(t *testing.T) {
	if size := unsafe.Sizeof(Machine{}); size > 128 {
		t.Errorf("a machine has %d bytes", size)
	}
}

// TestPipelining: https://www.rfc-editor.org/rfc/rfc9112#section-9.3.2
func TestPipelining(t *testing.T) {
	raw := "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" +
		"POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nt: u\r\n\r\n" +
		"\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n" +
		"GET /4 HTTP/1.0\r\n\r\nGET /5 HTTP/1.1\r\nHost: a\r\n\r\n"
	got := runCut(t, nil, atEnd, raw)
	compare(t, raw, got.requests, []request{
		{line: "POST /1 1", host: "a", fields: "*", body: "abc", ended: true},
		{line: "POST /2 1", host: "a", fields: "*", body: "x", trailers: "t=u", ended: true},
		{line: "GET /3 1", host: "a", fields: "*", ended: true},
		{line: "GET /4 0", ended: true},
	})
	if got.last != Closed {
		t.Error(got.last)
	}

	// Without a response nothing of the next request is consumed.
	m, h := New(nil), new(Head)
	p := []byte(get + get)
	for _, want := range []Event{{Kind: Request, N: len(get)}, {Kind: End}, {Kind: Paused}, {Kind: Paused}} {
		ev, err := m.Next(p, h)
		if err != nil || ev.Kind != want.Kind || ev.N != want.N {
			t.Fatalf("%v %v, want %v", ev, err, want)
		}
		p = p[ev.N:]
	}
	take(t, m, start(Response{Status: 200, BodyBytes: -1}), body("a"))
	if ev, _ := m.Next(p, h); ev.Kind != Paused {
		t.Fatal(ev)
	}
	take(t, m, last(""))
	if ev, _ := m.Next(p, h); ev.Kind != Request {
		t.Fatal(ev)
	}
}

// TestContinue: https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1
func TestContinue(t *testing.T) {
	const expect = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
	const hundred = "HTTP/1.1 100 Continue\r\n\r\n"
	done := start(Response{Status: 200})

	m := asked(t, expect)
	if !m.NeedContinue() || string(m.AppendContinue(nil)) != hundred {
		t.Fatal("no 100")
	}
	if m.NeedContinue() || len(m.AppendContinue(nil)) != 0 {
		t.Error("a second 100")
	}
	d := &driver{t: t, m: m, answer: never}
	d.tr.requests = []request{{}}
	d.feed([]byte("abc"))
	if out := take(t, m, done, last("")); strings.Contains(out, "close") || !m.KeepAlive() {
		t.Errorf("%q closes", out)
	}

	// The client did not wait: no 100 is needed, and the connection persists.
	m = asked(t, expect+"a")
	if m.NeedContinue() || len(m.AppendContinue(nil)) != 0 {
		t.Error("a 100 to a client that does not wait")
	}

	// A final response instead: nobody knows whether the body comes.
	m = asked(t, expect)
	out := take(t, m, start(Response{Status: 413}), last(""))
	if !strings.Contains(out, "\r\nConnection: close\r\n") || m.KeepAlive() {
		t.Errorf("%q persists", out)
	}
	if ev, err := m.Next([]byte("abc"+get), new(Head)); err != nil || ev.Kind != Closed || ev.N != 3+len(get) {
		t.Errorf("%v %v", ev, err)
	}

	// Not after the response has begun.
	m = asked(t, expect)
	take(t, m, start(Response{Status: 200, BodyBytes: -1}))
	if m.NeedContinue() || len(m.AppendContinue(nil)) != 0 {
		t.Error("a 100 inside the response")
	}

	for _, ask := range []string{get, strings.Replace(expect, "1.1", "1.0", 1), strings.Replace(expect, ": 3", ": 0", 1)} {
		if asked(t, ask).NeedContinue() {
			t.Errorf("a 100 for %q", ask)
		}
	}
	if New(nil).NeedContinue() {
		t.Error("a 100 for nothing")
	}
}

// TestEarlyHints: https://www.rfc-editor.org/rfc/rfc8297
func TestEarlyHints(t *testing.T) {
	m := asked(t, get)
	got := take(t, m, hints("</a>; rel=preload", "</b>"), hints("</c>"), hints(), start(Response{Status: 200}), last(""))
	want := "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nLink: </b>\r\n\r\n" +
		"HTTP/1.1 103 Early Hints\r\nLink: </c>\r\n\r\n" +
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
	if got != want {
		t.Errorf("%q\nwant %q", got, want)
	}
	if got := take(t, asked(t, getOld), hints("</a>")); got != "" {
		t.Errorf("to HTTP/1.0: %q", got)
	}
}

// TestUpgrade: https://www.rfc-editor.org/rfc/rfc9110#section-7.8
func TestUpgrade(t *testing.T) {
	m := asked(t, askWS)
	got := take(t, m, upgrade("Upgrade: websocket", "connection: x", "content-length: 5", "transfer-encoding: chunked", "x: y"))
	if want := "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nx: y\r\n\r\n"; got != want {
		t.Errorf("%q\nwant %q", got, want)
	}
	if m.InRequest() || !m.ResponseDone() || m.KeepAlive() || m.HeadPending() || m.Buffered() > 0 {
		t.Errorf("%+v", m)
	}
	for range 2 {
		if ev, err := m.Next([]byte("\x81\x85"), new(Head)); err != nil || ev.Kind != Switched || ev.N != 0 {
			t.Errorf("%v %v", ev, err)
		}
	}
	if err := m.EOF(); err != nil {
		t.Error(err)
	}
	if out := m.AppendError(nil, 400, "", ""); len(out) > 0 {
		t.Errorf("%q after the upgrade", out)
	}

	// What follows the head is left for the new protocol, and is the next
	// request if the upgrade is declined.
	m, h := New(nil), new(Head)
	ev, _ := m.Next([]byte(askWS+"\x81"), h)
	if ev.Kind != Request || ev.N != len(askWS) || string(h.Upgrade()) != "websocket" {
		t.Fatal(ev, h.Upgrade())
	}
	take(t, m, upgrade("upgrade: websocket")) // before End has been reported
	if ev, _ := m.Next([]byte("\x81"), h); ev.Kind != Switched || ev.N != 0 {
		t.Error(ev)
	}
	m = asked(t, askWS)
	take(t, m, start(Response{Status: 403}), last(""))
	if ev, _ := m.Next([]byte(get), h); ev.Kind != Request {
		t.Error(ev)
	}

	// With a body it is a plain request.
	fails(t, asked(t, strings.Replace(askWS, "Host", "Content-Length: 1\r\nHost", 1)+"x"), upgrade("upgrade: websocket"))
	fails(t, asked(t, strings.Replace(askWS, "HTTP/1.1", "HTTP/1.0", 1)), upgrade("upgrade: websocket"))
}

// TestDrain: an unread body is read to its end if little is left, and never
// taken for a request.
//
// https://www.rfc-editor.org/rfc/rfc9112#section-9.3
func TestDrain(t *testing.T) {
	const evil = "GET /evil HTTP/1.1\r\nHost: a\r\n\r\n"
	length := func(n int, b string) string {
		return fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", n, b)
	}
	first := request{line: "POST / 1", host: "a", fields: "*"}
	second := request{line: "GET /next 1", host: "next", fields: "*"}
	cfg := &Config{MaxDrainBytes: int64(len(evil))}
	for _, tt := range []struct {
		name   string
		cfg    *Config
		raw    string
		closed bool
	}{
		{"at the limit", cfg, length(len(evil), evil), false},
		{"beyond the limit", cfg, length(len(evil)+1, evil+"x"), true},
		{"none allowed", &Config{MaxDrainBytes: -1}, length(1, "x"), true},
		{"none needed", &Config{MaxDrainBytes: -1}, length(0, ""), false},
		{"chunked", nil, chunkedHead + "1d\r\n" + evil[:29] + "\r\n0\r\nt: u\r\n\r\n", false},
		{"chunked, beyond the limit", cfg, chunkedHead + "1e\r\n" + evil[:30] + "\r\n0\r\n\r\n", true},
		{"chunked, beyond the limit by its last octet", &Config{MaxDrainBytes: 10}, chunkedHead + "1\r\nx\r\n0\r\n\r\n", true},
		{"chunked, at the limit", &Config{MaxDrainBytes: 11}, chunkedHead + "1\r\nx\r\n0\r\n\r\n", false},
		{"default, at the limit", nil, length(64<<10, strings.Repeat("x", 64<<10)), false},
		{"default, beyond", nil, length(64<<10+1, strings.Repeat("x", 64<<10+1)), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := runCut(t, tt.cfg, atRequest, tt.raw+nextRequest)
			if tt.closed {
				compare(t, tt.raw, got.requests, []request{first})
				if got.last != Closed {
					t.Error(got.last)
				}
				return
			}
			compare(t, tt.raw, got.requests, []request{first, second})
		})
	}

	// A malformed rest is an error, up to the limit; there is no second response.
	got := runCut(t, nil, atRequest, chunkedHead+"1\r\nxx"+nextRequest)
	if got.err != errChunkEnd {
		t.Error(got)
	}
	for limit := range int64(12) { // whichever comes first, however it is cut
		runCut(t, &Config{MaxDrainBytes: limit}, atRequest, chunkedHead+"1\r\nx\r\nzz\r\n")
	}

	// The head says so if that is known in time.
	m := New(cfg)
	if _, err := m.Next([]byte(length(1000, "")), new(Head)); err != nil {
		t.Fatal(err)
	}
	if out := take(t, m, start(Response{Status: 413}), last("")); !strings.Contains(out, "Connection: close") {
		t.Errorf("%q", out)
	}

	// If not, the connection is over as soon as the response is.
	m = New(cfg)
	if _, err := m.Next([]byte(length(1000, "")), new(Head)); err != nil {
		t.Fatal(err)
	}
	take(t, m, start(Response{Status: 200, BodyBytes: -1}))
	if !m.KeepAlive() {
		t.Error("the application may still read the body")
	}
	take(t, m, last(""))
	if m.KeepAlive() || m.InRequest() {
		t.Error("a large body is drained")
	}

	// While it drains the request is not over.
	m = New(nil)
	if _, err := m.Next([]byte(length(3, "")), new(Head)); err != nil {
		t.Fatal(err)
	}
	take(t, m, start(Response{Status: 200}), last(""))
	if !m.InRequest() || !m.ResponseDone() || m.BodyDone() || !m.KeepAlive() {
		t.Errorf("%+v", m)
	}
	if ev, err := m.Next([]byte("ab"), new(Head)); err != nil || ev.Kind != NeedData || ev.N != 2 {
		t.Error(ev, err)
	}
	if ev, err := m.Next([]byte("c"), new(Head)); err != nil || ev.Kind != NeedData || ev.N != 1 || m.InRequest() {
		t.Error(ev, err)
	}
	if err := m.EOF(); err != nil {
		t.Error(err)
	}
}

// TestDrainEOF: a body cut off after its response is nobody's loss.
func TestDrainEOF(t *testing.T) {
	m := New(nil)
	if _, err := m.Next([]byte(chunkedHead), new(Head)); err != nil {
		t.Fatal(err)
	}
	take(t, m, start(Response{Status: 200}), last(""))
	if err := m.EOF(); err != nil || m.KeepAlive() || m.InRequest() {
		t.Error(err)
	}
	if ev, err := m.Next([]byte("x"), new(Head)); err != nil || ev.Kind != Closed {
		t.Error(ev, err)
	}
}

// TestBodyError: a body that breaks while the response is under way.
func TestBodyError(t *testing.T) {
	m, h := New(nil), new(Head)
	if ev, err := m.Next([]byte(chunkedHead), h); err != nil || ev.Kind != Request {
		t.Fatal(ev, err)
	}
	take(t, m, start(Response{Status: 200, BodyBytes: -1}), body("a"))
	if _, err := m.Next([]byte("x"), h); err == nil {
		t.Fatal("no error")
	}
	if !m.InRequest() || m.KeepAlive() || m.BodyDone() {
		t.Errorf("%+v", m)
	}
	take(t, m, last("")) // the response may be completed all the same
	if out := m.AppendError(nil, 400, "", ""); len(out) > 0 {
		t.Errorf("second response %q", out)
	}
	if ev, err := m.Next([]byte(get), h); err != nil || ev.Kind != Closed {
		t.Error(ev, err)
	}

	// Before the response there is room for the error.
	m = New(nil)
	m.Next([]byte(strings.Replace(chunkedHead, "POST", "HEAD", 1)), h)
	m.Next([]byte("x"), h)
	if out := string(m.AppendError(nil, 400, "D", "S")); out != "HTTP/1.1 400 Bad Request\r\nDate: D\r\nServer: S\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 12\r\nConnection: close\r\n\r\n" {
		t.Errorf("to HEAD: %q", out)
	}
	if out := string(New(nil).AppendError(nil, 503, "", "")); out != "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 20\r\nConnection: close\r\n\r\nService Unavailable\n" {
		t.Errorf("before any request: %q", out)
	}
	if out := string(New(nil).AppendError(nil, 7, "", "")); !strings.HasPrefix(out, "HTTP/1.1 500 ") {
		t.Errorf("for a bad status: %q", out)
	}
}

// TestEOF: https://www.rfc-editor.org/rfc/rfc9112#section-8
func TestEOF(t *testing.T) {
	for _, tt := range []struct {
		raw  string
		want *Error
	}{
		{"", nil},
		{"\r\n", nil},
		{"\r", errHeadEOF},
		{"G", errHeadEOF},
		{get[:len(get)-1], errHeadEOF},
		{get, nil},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n", errBodyEOF},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na", errBodyEOF},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab", nil},
		{chunkedHead, errBodyEOF},
		{chunkedHead + "0\r\n", errBodyEOF},
		{chunkedHead + "0\r\n\r", errBodyEOF},
		{chunkedHead + "0\r\n\r\n", nil},
	} {
		for _, a := range []answer{atEnd, never} {
			got := runCut(t, nil, a, tt.raw)
			if got.err != nil || tt.want == nil && got.eof != nil || tt.want != nil && got.eof != error(tt.want) {
				t.Errorf("%q: %v", tt.raw, got)
			}
		}
	}

	// A complete request is answered after a half-close, with the last response.
	m := asked(t, get)
	if err := m.EOF(); err != nil || m.KeepAlive() {
		t.Fatal(err)
	}
	if out := take(t, m, start(Response{Status: 200}), last("")); !strings.Contains(out, "Connection: close") {
		t.Errorf("%q", out)
	}
	if ev, _ := m.Next(nil, new(Head)); ev.Kind != Closed {
		t.Error(ev)
	}

	// The error stays.
	m = asked(t, get[:5])
	if err := m.EOF(); err != errHeadEOF || m.EOF() != errHeadEOF {
		t.Error(err)
	}
	if _, err := m.Next([]byte(get), new(Head)); err != errHeadEOF {
		t.Error(err)
	}
}

func TestAccessors(t *testing.T) {
	m, h := New(nil), new(Head)
	state := func() string {
		return fmt.Sprintf("pending=%t in=%t body=%t response=%t keep=%t",
			m.HeadPending(), m.InRequest(), m.BodyDone(), m.ResponseDone(), m.KeepAlive())
	}
	expect := func(want string) {
		t.Helper()
		if got := state(); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
	next := func(p string, kind EventKind) {
		t.Helper()
		if ev, err := m.Next([]byte(p), h); err != nil || ev.Kind != kind || ev.N != len(p) {
			t.Fatal(ev, err)
		}
	}
	expect("pending=false in=false body=true response=true keep=true")
	next("\r\n", NeedData)
	expect("pending=false in=false body=true response=true keep=true")
	next("POST / HTTP/1.1\r\nHost: a\r\n", NeedData)
	expect("pending=true in=false body=true response=true keep=true")
	next("Transfer-Encoding: chunked\r\n\r\n", Request)
	expect("pending=false in=true body=false response=false keep=true")
	next("5\r\nhello", Body)
	next("\r\n0\r\nt: u\r\n", NeedData)
	expect("pending=false in=true body=false response=false keep=true")
	next("\r\n", End)
	expect("pending=false in=true body=true response=false keep=true")
	take(t, m, start(Response{Status: 200, BodyBytes: -1, Close: true}))
	expect("pending=false in=true body=true response=false keep=false")
	take(t, m, last(""))
	expect("pending=false in=false body=true response=true keep=false")
	next("anything", Closed)
	if m.Buffered() > 0 {
		t.Error(m.Buffered())
	}
	m.Reset(nil)
	expect("pending=false in=false body=true response=true keep=true")
	next(get, Request)
}
