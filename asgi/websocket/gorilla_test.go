package websocket

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"
)

// memoryConn is a connection whose peer has said all it will ever say.
type memoryConn struct {
	net.Conn // the methods that nobody calls
	in       *bytes.Reader
	out      bytes.Buffer
}

func (c *memoryConn) Read(p []byte) (int, error)       { return c.in.Read(p) }
func (c *memoryConn) Write(p []byte) (int, error)      { return c.out.Write(p) }
func (c *memoryConn) Close() error                     { return nil }
func (c *memoryConn) SetDeadline(time.Time) error      { return nil }
func (c *memoryConn) SetWriteDeadline(time.Time) error { return nil }

// hijacked is a response that hands a memoryConn over.
type hijacked struct {
	http.ResponseWriter
	conn   *memoryConn
	status int
}

func (h *hijacked) Header() http.Header         { return http.Header{} }
func (h *hijacked) WriteHeader(status int)      { h.status = status }
func (h *hijacked) Write(p []byte) (int, error) { return len(p), nil }
func (h *hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.conn, bufio.NewReadWriter(bufio.NewReader(h.conn), bufio.NewWriter(h.conn)), nil
}

// httpRequest is the request as net/http gives it to a handler.
func httpRequest(r *Request) *http.Request {
	out := &http.Request{Method: r.Method, ProtoMajor: 1, ProtoMinor: r.Minor, Header: http.Header{}}
	for _, h := range r.Headers {
		if h.Name == "host" {
			out.Host = h.Value
		} else {
			out.Header.Add(h.Name, h.Value)
		}
	}
	return out
}

// gorillaTranscript is what gorilla's server makes of a stream: its events and
// the error that ended it.
func gorillaTranscript(t testing.TB, limit int64, in []byte) (events []seen, end error) {
	t.Helper()
	request := browserRequest()
	conn := &memoryConn{in: bytes.NewReader(nil)}
	server, err := new(gorilla.Upgrader).Upgrade(&hijacked{conn: conn}, httpRequest(&request), nil)
	if err != nil {
		t.Fatal(err)
	}
	conn.in.Reset(in)
	server.SetReadLimit(limit)
	server.SetPingHandler(func(data string) error {
		events = append(events, seen{kind: Ping, data: data})
		return nil
	})
	server.SetPongHandler(func(data string) error {
		events = append(events, seen{kind: Pong, data: data})
		return nil
	})
	for {
		kind, data, err := server.ReadMessage()
		if err != nil {
			return events, err
		}
		events = append(events, seen{kind: Message, message: MessageKind(kind), data: string(data)})
	}
}

// checkGorilla compares the machine with gorilla's server on one stream. They
// must see the same events and end alike, but for the places named here where
// the machine is stricter because RFC 6455 is, or where gorilla's list of close
// codes is older than the registry.
func checkGorilla(t testing.TB, limit int64, in []byte) {
	t.Helper()
	ours := feed(t, New(&Config{MaxMessageBytes: limit}), in, whole)
	events, end := gorillaTranscript(t, limit, in)
	outOfInput := errors.Is(end, io.EOF) || errors.Is(end, io.ErrUnexpectedEOF) ||
		gorilla.IsCloseError(end, gorilla.CloseAbnormalClosure)
	var theirs *gorilla.CloseError
	closed := !outOfInput && errors.As(end, &theirs)
	if closed {
		events = append(events, seen{kind: Close, code: theirs.Code, data: theirs.Text})
	}

	stricter := ours.failure == errNotUTF8 || // §8.1: gorilla leaves UTF-8 to the application
		ours.failure == errCloseTooShort // §5.5.1: a body MUST begin with a 2-byte code
	common := min(len(ours.events), len(events))
	for i := range common {
		if ours.events[i] != events[i] {
			t.Fatalf("event %d is %v, gorilla has %v", i, ours.events[i], events[i])
		}
	}
	switch extra := ours.events[common:]; {
	case len(extra) == 1 && extra[0].kind == Close && extra[0].code == CloseBadGateway && !closed && !outOfInput:
		return // 1014 is in the registry, not in gorilla's list
	case len(extra) > 0:
		t.Fatalf("gorilla did not see %v: %v", extra, end)
	case len(events) > common && !stricter:
		t.Fatalf("only gorilla saw %v: %v", events[common:], ours.failure)
	}
	switch {
	case ours.failure == nil && !closed && !outOfInput:
		t.Fatalf("gorilla refused: %v", end)
	// Gorilla reads a header whole before it judges it; the machine does not wait.
	case ours.failure != nil && closed && !stricter:
		t.Fatalf("gorilla closed with %v, the machine failed: %v", end, ours.failure)
	}
}

// TestGorillaAgrees runs the streams of all tables.
func TestGorillaAgrees(t *testing.T) {
	for i, in := range seedStreams() {
		for _, limit := range []int64{10, 1 << 20} {
			t.Run(fmt.Sprint(i, "/", limit), func(t *testing.T) { checkGorilla(t, limit, in) })
		}
	}
}

// TestGorillaHandshake: what gorilla accepts and refuses, and its answer. Where
// the machine refuses more, the RFC asks for it.
func TestGorillaHandshake(t *testing.T) {
	browser := browserRequest()
	post := browser
	post.Method = "POST"
	for _, c := range []struct {
		name     string
		request  Request
		stricter bool
	}{
		{"browser", browser, false},
		{"POST", post, false},
		{"lists", with(with(browser, "upgrade", "h2c, WebSocket"), "connection", "close", "foo, UPGRADE"), false},
		{"no upgrade", without(browser, "upgrade"), false},
		{"no connection", without(browser, "connection"), false},
		{"no key", without(browser, "sec-websocket-key"), false},
		{"short key", with(browser, "sec-websocket-key", "dGhlIHNhbXBsZSBub25j"), false},
		{"version 8", with(browser, "sec-websocket-version", "8"), false},
		{"foreign origin", with(browser, "origin", "https://evil.example.com"), false},
		{"other port", with(browser, "origin", "https://chat.example.com:8443"), false},
		{"no origin", without(browser, "origin"), false},
		{"null origin", with(browser, "origin", "null"), false},
		{"version list", with(browser, "sec-websocket-version", "13, 8"), true},
		{"two keys", with(browser, "sec-websocket-key", sampleKey, sampleKey), true},
		{"bad subprotocol", with(browser, "sec-websocket-protocol", "a b"), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			u, err := CheckUpgrade(&c.request)
			if err == nil {
				err = CheckOrigin(u.Origin, u.Host, nil)
			}
			conn := &memoryConn{in: bytes.NewReader(nil)}
			_, theirs := new(gorilla.Upgrader).Upgrade(&hijacked{conn: conn}, httpRequest(&c.request), nil)
			if (err == nil) != (theirs == nil) && !(c.stricter && err != nil) {
				t.Fatalf("%v, gorilla: %v", err, theirs)
			}
			if err == nil && !bytes.Contains(conn.out.Bytes(), []byte("Sec-WebSocket-Accept: "+u.Accept+"\r\n")) {
				t.Fatalf("%s, gorilla: %s", u.Accept, conn.out.Bytes())
			}
		})
	}
}
