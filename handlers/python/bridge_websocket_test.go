package python

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gale-server/gale/handlers/internal/enginetest"
	"github.com/gale-server/gale/handlers/python/internal/wire"
	"github.com/gale-server/gale/internal/longtest"
)

// opened is a WebSocket that the worker has accepted.
func opened(t *testing.T, f *puppet, s *enginetest.Server) (*websocket.Conn, puppetStream) {
	t.Helper()
	type result struct {
		conn *websocket.Conn
		err  error
	}
	done := make(chan result, 1)
	go func() { // ends with the handshake
		ctx, cancel := context.WithTimeout(context.Background(), longtest.Patience)
		defer cancel()
		dialer := websocket.Dialer{Subprotocols: []string{"chat", "other"}}
		conn, _, err := dialer.DialContext(ctx, "ws://"+s.Addr+"/ws", nil)
		done <- result{conn, err}
	}()
	w := f.want(wire.WebSocket)
	equal(t, "subprotocols", w.fields[10], []any{"chat", "other"})
	w.send(wire.Accept, "other", headers("x-a", "b"))
	r := <-done
	if r.err != nil {
		t.Fatal(r.err)
	}
	equal(t, "subprotocol", r.conn.Subprotocol(), "other")
	t.Cleanup(func() { _ = r.conn.Close() })
	_ = r.conn.SetReadDeadline(soon())
	return r.conn, w
}

// Messages of any size and type go both ways, in parts of at most 64 KiB, as far as there
// is credit; parts of text end between two code points.
func TestBridgeMessages(t *testing.T) {
	bridge(t, "asgi", nil, "", func(t *testing.T, f *puppet, s *enginetest.Server) {
		conn, w := opened(t, f, s)
		window := windowBytes
		for _, c := range []struct {
			kind int
			data string
		}{
			{websocket.TextMessage, ""}, {websocket.TextMessage, "text"}, {websocket.BinaryMessage, "\xff"},
			{websocket.TextMessage, strings.Repeat("a\u00e9\u20ac\U0001F600", 100000)},
			{websocket.BinaryMessage, strings.Repeat("0123456789", 100000)},
			{websocket.TextMessage, strings.Repeat("x", wire.PieceBytes)},
			{websocket.TextMessage, strings.Repeat("y", wire.PieceBytes+1)},
		} {
			sent := make(chan error, 1)
			go func() { sent <- conn.WriteMessage(c.kind, []byte(c.data)) }()
			var got []byte
			var parts []any
			credited := 0
			for more := true; more; {
				if n := len(got) - credited; n > windowBytes {
					t.Fatalf("%d bytes are on their way", n)
				} else if n > windowBytes*3/4 {
					credited = len(got)
					w.send(wire.Took, n)
				}
				m := f.wantBehind(func(n int) { window += n }, wire.Message)
				var p []byte
				if text, ok := m.fields[0].(string); ok {
					equal(t, "type", c.kind, websocket.TextMessage)
					p = []byte(text)
				} else {
					equal(t, "type", c.kind, websocket.BinaryMessage)
					p = m.fields[0].([]byte)
				}
				if len(p) > wire.PieceBytes {
					t.Fatalf("a part of %d bytes", len(p))
				}
				parts = append(parts, m.fields[0])
				got, more = append(got, p...), m.fields[1].(bool)
			}
			w.send(wire.Took, len(got)-credited)
			if string(got) != c.data {
				t.Fatalf("%d bytes of %d, or others", len(got), len(c.data))
			}
			if err := <-sent; err != nil {
				t.Fatal(err)
			}
			echo := make(chan error, 1)
			go func() { // ends with the message
				kind, p, err := conn.ReadMessage()
				if err == nil && (kind != c.kind || string(p) != c.data) {
					err = fmt.Errorf("%d bytes came back of %d, or others", len(p), len(c.data))
				}
				echo <- err
			}()
			for i, part := range parts {
				n := len(fmt.Sprintf("%s", part))
				for window < n {
					window += int(f.want(wire.Credit).fields[0].(int64))
				}
				window -= n
				w.send(wire.Send, part, i < len(parts)-1)
			}
			if err := <-echo; err != nil {
				t.Fatal(err)
			}
			for window < windowBytes*3/4 {
				window += int(f.want(wire.Credit).fields[0].(int64))
			}
		}
		w.send(wire.Close, 4001, "bye")
		if _, _, err := conn.ReadMessage(); !websocket.IsCloseError(err, 4001) || !strings.Contains(err.Error(), "bye") {
			t.Error(err)
		}
		f.idle()
	})
}

// Each way in which a WebSocket ends.
func TestBridgeWebSocketEnds(t *testing.T) {
	for name, c := range map[string]struct {
		worker func(w puppetStream)
		code   int
		kills  bool
	}{
		"close":             {func(w puppetStream) { w.send(wire.Close, 1000, "") }, 1000, false},
		"return":            {func(w puppetStream) { w.send(wire.End, "") }, 1000, false},
		"raise":             {func(w puppetStream) { w.send(wire.End, "ValueError: x") }, 1011, false},
		"death":             {func(w puppetStream) { w.f.w.fail(errEnded) }, 1012, true},
		"a response":        {func(w puppetStream) { w.answer(200, "x") }, 1011, true},
		"two types":         {func(w puppetStream) { w.send(wire.Send, "a", true); w.send(wire.Send, []byte("b"), false) }, 1011, true},
		"two types, empty":  {func(w puppetStream) { w.send(wire.Send, "", true); w.send(wire.Send, []byte("b"), false) }, 1011, true},
		"more than allowed": {func(w puppetStream) { w.tooMuch() }, 1011, false},
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			bridge(t, "asgi", func(c *Config) { c.MaxMessageBytes = 100 << 10 }, "", func(t *testing.T, f *puppet, s *enginetest.Server) {
				conn, w := opened(t, f, s)
				c.worker(w)
				if _, _, err := conn.ReadMessage(); !websocket.IsCloseError(err, c.code) {
					t.Errorf("%v, want %d", err, c.code)
				}
				if c.kills {
					wait(t, "the end of the worker", f.w.gone)
				} else if name == "more than allowed" {
					f.wantBehind(func(int) {}, wire.Gone)
					w.send(wire.End, "")
				}
				f.idle()
			})
		})
	}
}

func (s puppetStream) tooMuch() {
	for range 2 {
		s.send(wire.Send, make([]byte, wire.PieceBytes), true)
	}
}

// A client that closes is told to the worker, with its code and reason.
func TestBridgeWebSocketGone(t *testing.T) {
	bridge(t, "asgi", nil, "", func(t *testing.T, f *puppet, s *enginetest.Server) {
		conn, w := opened(t, f, s)
		if err := conn.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(4002, "why")); err != nil {
			t.Error(err)
		}
		gone := f.want(wire.Gone)
		equal(t, "gone", gone.fields, []any{int64(4002), "why"})
		w.send(wire.End, "")
		f.idle()
	})
}

// A handshake is refused in each way.
func TestBridgeDenial(t *testing.T) {
	request := "GET /ws HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	for name, c := range map[string]struct {
		worker func(w puppetStream)
		want   []string
	}{
		"close": {func(w puppetStream) { w.send(wire.Close, 1000, "") }, []string{"HTTP/1.1 403"}},
		"deny":  {func(w puppetStream) { w.send(wire.Deny, 401, headers("x-a", "b"), []byte("no"), false) }, []string{"HTTP/1.1 401", "no"}},
		"deny in pieces": {func(w puppetStream) {
			w.send(wire.Deny, 401, headers("content-length", "4"), []byte("no"), true)
			w.send(wire.Chunk, []byte("pe"), false)
		}, []string{"HTTP/1.1 401", "nope"}},
		"return": {func(w puppetStream) { w.send(wire.End, "") }, []string{"HTTP/1.1 500"}},
		"raise":  {func(w puppetStream) { w.send(wire.End, "x") }, []string{"HTTP/1.1 500"}},
		"death":  {func(w puppetStream) { w.f.w.fail(errEnded) }, []string{"HTTP/1.1 502"}},
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			bridge(t, "asgi", nil, "", func(t *testing.T, f *puppet, s *enginetest.Server) {
				conn := dial(t, s, request)
				c.worker(f.want(wire.WebSocket))
				for _, want := range c.want {
					conn.await(want)
				}
				f.idle()
			})
		})
	}
}

// Requests wait for a worker, in order, up to a number; one whose client leaves waits no
// more.
func TestBridgeWaiting(t *testing.T) {
	bridge(t, "asgi", func(c *Config) { c.MaxWaiting = 2 }, "", func(t *testing.T, f *puppet, s *enginetest.Server) {
		f.w.process.Kill(errEnded)
		wait(t, "the end of the worker", f.w.gone)
		first := dial(t, s, "POST /first HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody")
		f.waiting(1)
		second := get(t, s, "/second")
		f.waiting(2)
		third := get(t, s, "/third")
		if got := third.all(); !strings.HasPrefix(got, "HTTP/1.1 503") || !strings.Contains(strings.ToLower(got), "retry-after") {
			t.Errorf("%q", got)
		}
		second.leave()
		f.waiting(1)
		f.start("asgi")
		f.h.waiting.wake()
		r := f.want(wire.Request)
		equal(t, "path", r.fields[1], "/first")
		body := r.fields[11].([]byte)
		for more := r.fields[12].(bool); more; {
			b := f.want(wire.Body)
			body, more = append(body, b.fields[0].([]byte)...), b.fields[1].(bool)
		}
		equal(t, "body", string(body), "body")
		r.answer(200, "answer")
		if got := first.all(); !strings.HasSuffix(got, "answer") {
			t.Errorf("%q", got)
		}
		f.waiting(0)
		f.idle()
	})
}

// A WSGI worker gets requests whole, however slowly they come, and large ones in a file.
func TestBridgeWSGI(t *testing.T) {
	large := bytes.Repeat([]byte("0123456789abcdef"), 40<<10)
	bridge(t, "wsgi", func(c *Config) { c.MaxBodyBytes = 1 << 20 }, "", func(t *testing.T, f *puppet, s *enginetest.Server) {
		conn := dial(t, s, "POST /a%C3%A9?q HTTP/1.1\r\nHost: test:81\r\nX-A: \xe9\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbo")
		_, _ = conn.Write([]byte("dy"))
		r := f.want(wire.WSGI)
		environ := r.fields[0].(map[string]any)
		for key, want := range map[string]string{"REQUEST_METHOD": "POST", "PATH_INFO": "/a\u00c3\u00a9", "QUERY_STRING": "q", "HTTP_X_A": "\u00e9", "CONTENT_LENGTH": "4", "SERVER_NAME": "test", "SERVER_PORT": "81"} {
			equal(t, key, environ[key], want)
		}
		equal(t, "body", r.fields[1], []byte("body"))
		r.answer(200, "ok")
		if got := conn.all(); !strings.HasSuffix(got, "ok") {
			t.Errorf("%q", got)
		}
		f.idle()

		conn = dial(t, s, "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 655360\r\nConnection: close\r\n\r\n"+string(large))
		r = f.want(wire.WSGI)
		if got := readFile(t, r.fields[1].(string)); !bytes.Equal(got, large) {
			t.Errorf("the file has %d bytes of %d, or others", len(got), len(large))
		}
		r.send(wire.Start, 200, headers("content-length", "5"), false, []byte("fi"))
		r.send(wire.Chunk, []byte("nal"), false)
		if got := conn.all(); !strings.HasSuffix(got, "final") {
			t.Errorf("%q", got)
		}
		f.idle()

		conn = dial(t, s, "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1048577\r\nConnection: close\r\n\r\n")
		if got := conn.all(); !strings.HasPrefix(got, "HTTP/1.1 413") {
			t.Errorf("%q", got)
		}

		conn = get(t, s, "/leaves")
		r = f.want(wire.WSGI)
		conn.leave()
		f.want(wire.Gone)
		equal(t, "pending", f.w.load.pending.Load(), int32(1)) // its thread is busy
		r.answer(200, "late")
		f.idle()
		if n := f.h.spooled.Load(); n != 0 {
			t.Errorf("%d bytes are kept", n)
		}
	})
}

// Requests of WSGI wait for a thread: each gets its turn, whatever happens to the others.
func TestBridgeThreads(t *testing.T) {
	const requests = 200
	bridge(t, "wsgi", nil, "", func(t *testing.T, f *puppet, s *enginetest.Server) {
		clients := make([]*client, requests)
		for i := range clients {
			clients[i] = get(t, s, "/")
		}
		streams := []puppetStream{f.want(wire.WSGI)}
		f.calm(func(e event) { streams = append(streams, f.stream(e)) })
		if n := len(streams); n < f.h.config.Threads || n > batchOf {
			t.Errorf("%d requests of %d went out", n, requests)
		}
		for _, c := range clients[:requests/2] { // of which some have a thread, and some wait
			c.leave()
		}
		deadline := soon()
		for f.w.streams.Load() > 0 {
			if time.Now().After(deadline) {
				t.Fatalf("%d streams, %d wait", f.w.streams.Load()/stream, f.h.waiting.waits.Load())
			}
			for _, r := range streams {
				r.answer(200, "ok")
			}
			streams = streams[:0]
			f.calm(func(e event) {
				if r := f.stream(e); e.frame[0] == int64(wire.WSGI) {
					streams = append(streams, r)
				}
			})
		}
		for _, c := range clients[requests/2:] {
			if got := c.all(); !strings.HasSuffix(got, "ok") {
				t.Errorf("%q", got)
			}
		}
		f.waiting(0)
		f.idle()
	})
}
