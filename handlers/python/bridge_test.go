package python

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/handlers/internal/enginetest"
	"github.com/gale-server/gale/handlers/python/internal/wire"
)

func TestBridgeRequest(t *testing.T) {
	bridge(t, "asgi", nil, "", func(t *testing.T, f *puppet, s *enginetest.Server) {
		conn := dial(t, s, "POST /a%C3%A9%FF?q=%20 HTTP/1.1\r\nHost: test\r\nX-Two: 1\r\nx-two: \xff\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody")
		r := f.want(wire.Request)
		want := []any{"POST", "/a\u00e9\ufffd", []byte("/a%C3%A9%FF"), []byte("q=%20"), "1.1", "http", ""}
		equal(t, "scope", r.fields[:7], want)
		fields := ""
		for _, field := range r.fields[7].([]any) {
			pair := field.([]any)
			fields += string(pair[0].([]byte)) + "=" + string(pair[1].([]byte)) + ";"
		}
		for _, field := range []string{"host=test;", "x-two=1;", "x-two=\xff;", "content-length=4;"} {
			if !strings.Contains(fields, field) {
				t.Errorf("no field %q in %q", field, fields)
			}
		}
		equal(t, "client", r.fields[8].([]any)[0], "127.0.0.1")
		equal(t, "extra", r.fields[10], nil)
		equal(t, "body", r.fields[11], []byte("body"))
		for r.fields[12] == true { // the end comes apart where the engine does not know it yet
			more := f.want(wire.Body)
			equal(t, "more body", more.fields, []any{[]byte{}, false})
			r.fields[12] = false
		}
		r.send(wire.Response, 201, headers("X-Name", "value"), []byte("hello"))
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if response.StatusCode != 201 || response.Header.Get("X-Name") != "value" || string(body) != "hello" || err != nil || response.ContentLength != 5 {
			t.Errorf("%v %q %v", response, body, err)
		}
		f.idle()
	})
}

// Each way in which a worker answers, and what the client sees of it.
func TestBridgeResponses(t *testing.T) {
	file := t.TempDir() + "/file"
	write(t, filepath.Dir(file), "file", "0123456789")
	dead := func(s puppetStream, _ *client) { s.f.w.fail(io.ErrUnexpectedEOF) }
	for name, c := range map[string]struct {
		worker func(s puppetStream, c *client)
		want   []string // in order
		not    string
		kills  bool // the worker
		cut    bool // the client sees that the response is not whole
	}{
		"chunks": {worker: func(s puppetStream, c *client) {
			s.send(wire.Start, 200, headers(), false, []byte("one"))
			s.send(wire.Chunk, []byte("two"), true)
			s.send(wire.Chunk, []byte("three"), false)
		}, want: []string{"HTTP/1.1 200", "one", "two", "three", "\r\n0\r\n\r\n"}},
		"length": {worker: func(s puppetStream, c *client) {
			s.send(wire.Start, 200, headers("content-length", "6"), false, []byte("one"))
			s.send(wire.Chunk, []byte("two"), false)
		}, want: []string{"onetwo"}},
		"trailers": {worker: func(s puppetStream, c *client) {
			s.send(wire.Start, 200, headers("trailer", "x-a"), true, []byte("one"))
			s.send(wire.Chunk, []byte{}, false)
			s.send(wire.Trailers, headers("x-a", "b"), false)
		}, want: []string{"one", "\r\n0\r\n"}},
		"hint": {worker: func(s puppetStream, c *client) {
			s.send(wire.Hint, []any{[]byte("</a>; rel=preload")})
			s.answer(200, "after")
		}, want: []string{"HTTP/1.1 103", "</a>; rel=preload", "HTTP/1.1 200", "after"}},
		"file": {worker: func(s puppetStream, c *client) {
			s.send(wire.Start, 200, headers("content-length", "6"), false, []byte("ab"))
			s.send(wire.File, 7, 3, 4, true)
			equal(s.f.t, "taken", s.f.want(wire.Taken).fields, []any{true})
			s.send(wire.Chunk, []byte{}, false)
		}, want: []string{"ab3456"}},
		"no file": {worker: func(s puppetStream, c *client) {
			s.send(wire.Start, 200, headers("content-length", "6"), false, []byte("ab"))
			s.send(wire.File, 3, 3, 4, true) // a socket
			equal(s.f.t, "taken", s.f.want(wire.Taken).fields, []any{false})
			s.send(wire.Chunk, []byte("copy"), false)
		}, want: []string{"abcopy"}},
		"path": {worker: func(s puppetStream, c *client) {
			s.send(wire.Start, 200, headers("content-length", "10"), false, []byte{})
			s.send(wire.File, file, 0, -1, false)
		}, want: []string{"0123456789"}},
		"error":       {worker: func(s puppetStream, c *client) { s.send(wire.End, "ValueError: secret") }, want: []string{"HTTP/1.1 500"}, not: "secret"},
		"no answer":   {worker: func(s puppetStream, c *client) { s.send(wire.End, "") }, want: []string{"HTTP/1.1 500"}},
		"a bad field": {worker: func(s puppetStream, c *client) { s.send(wire.Response, 200, headers("x", "a\r\nb: c"), []byte("x")) }, want: []string{"HTTP/1.1 500"}, not: "b: c"},
		"more than length": {worker: func(s puppetStream, c *client) {
			s.send(wire.Response, 200, headers("content-length", "1"), []byte("xx"))
		}, not: "xx"},
		"death":             {worker: dead, want: []string{"HTTP/1.1 502"}, kills: true},
		"two heads":         {worker: func(s puppetStream, c *client) { head(s); head(s) }, kills: true, cut: true},
		"chunk first":       {worker: func(s puppetStream, c *client) { s.send(wire.Chunk, []byte("x"), true) }, kills: true},
		"accept":            {worker: func(s puppetStream, c *client) { s.send(wire.Accept, nil, headers()) }, kills: true},
		"a large number":    {worker: func(s puppetStream, c *client) { s.link.send(wire.Tuple{wire.Seen, 1 << 20}) }, want: []string{"HTTP/1.1 502"}, kills: true},
		"garbage":           {worker: func(s puppetStream, c *client) { s.link.send(7) }, want: []string{"HTTP/1.1 502"}, kills: true},
		"error in the body": {worker: func(s puppetStream, c *client) { head(s); s.send(wire.End, "ValueError: x") }, want: []string{"begun"}, cut: true},
		"death in the body": {worker: func(s puppetStream, c *client) { head(s); c.await("begun"); dead(s, c) }, want: []string{"begun"}, kills: true, cut: true},
		"too much": {worker: func(s puppetStream, c *client) {
			s.send(wire.Start, 200, headers(), false, []byte{})
			for range 1000 { // 64 MiB, which nobody gave credit for
				s.link.send(wire.Tuple{wire.Chunk, s.sid, make([]byte, wire.PieceBytes), true})
			}
		}, kills: true, cut: true},
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			bridge(t, "asgi", nil, "exec 7<"+file, func(t *testing.T, f *puppet, s *enginetest.Server) {
				conn := get(t, s, "/")
				c.worker(f.want(wire.Request), conn)
				got := conn.all()
				rest := got
				for _, want := range c.want {
					_, after, ok := strings.Cut(rest, want)
					if !ok {
						t.Errorf("no %q in %q", want, got)
					}
					rest = after
				}
				if c.not != "" && strings.Contains(got, c.not) {
					t.Errorf("%q is in %q", c.not, got)
				}
				if c.cut && strings.HasSuffix(got, "0\r\n\r\n") {
					t.Errorf("%q looks whole", got)
				}
				if c.kills {
					wait(t, "the end of the worker", f.w.gone)
				} else {
					conn := get(t, s, "/after")
					f.want(wire.Request).answer(200, "after")
					if got := conn.all(); !strings.HasSuffix(got, "after") {
						t.Errorf("the next request: %q", got)
					}
				}
				f.idle()
			})
		})
	}
}

func head(s puppetStream) { s.send(wire.Start, 200, headers(), false, []byte("begun")) }

// A client that leaves is told to the worker, whenever it does, and its stream ends with
// the worker's last frame, whichever that is.
func TestBridgeGone(t *testing.T) {
	for name, last := range map[string]func(s puppetStream){
		"end":      func(s puppetStream) { s.send(wire.End, "") },
		"response": func(s puppetStream) { s.answer(200, "late") },
		"chunk": func(s puppetStream) {
			s.send(wire.Start, 200, headers(), false, []byte("x"))
			s.send(wire.Chunk, []byte("x"), false)
		},
		"trailers": func(s puppetStream) {
			s.send(wire.Start, 200, headers(), true, []byte("x"))
			s.send(wire.Chunk, []byte("x"), false)
			s.send(wire.Trailers, headers(), true)
			s.send(wire.Trailers, headers(), false)
		},
		"file": func(s puppetStream) {
			s.send(wire.Start, 200, headers(), false, []byte("x"))
			s.send(wire.File, "/x", 0, -1, false)
		},
	} {
		t.Run(name, func(t *testing.T) {
			bridge(t, "asgi", nil, "", func(t *testing.T, f *puppet, s *enginetest.Server) {
				conn := get(t, s, "/")
				r := f.want(wire.Request)
				conn.leave()
				gone := f.want(wire.Gone)
				equal(t, "stream", gone.sid, r.sid)
				if n := f.w.streams.Load() / stream; n != 1 {
					t.Errorf("%d streams go on", n)
				}
				last(r)
				f.idle()
				conn = get(t, s, "/after")
				f.want(wire.Request).answer(200, "after")
				if got := conn.all(); !strings.HasSuffix(got, "after") {
					t.Errorf("the next request: %q", got)
				}
				f.idle()
			})
		})
	}
}

// A body goes to the worker as far as there is credit, in order, and whole.
func TestBridgeUpload(t *testing.T) {
	body := make([]byte, 3<<20+17)
	for i := range body {
		body[i] = byte(i >> 8 * 7)
	}
	bridge(t, "asgi", nil, "", func(t *testing.T, f *puppet, s *enginetest.Server) {
		conn := dial(t, s, "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 3145745\r\nConnection: close\r\n\r\n")
		sent := make(chan error, 1)
		go func() { _, err := conn.Write(body); sent <- err }()
		r := f.want(wire.Request)
		got := r.fields[11].([]byte)
		more := r.fields[12].(bool)
		credited := 0
		for more {
			if n := len(got) - credited; n > windowBytes {
				t.Fatalf("%d bytes are on their way", n)
			} else if n > windowBytes*3/4 {
				f.calm(func(e event) { // more than the window would come now
					got, more = append(got, e.frame[2].([]byte)...), e.frame[3].(bool)
				})
				if n = len(got) - credited; n > windowBytes || !more {
					t.Fatalf("%d bytes are on their way", n)
				}
				credited = len(got)
				r.send(wire.Took, n)
			}
			b := f.want(wire.Body)
			piece := b.fields[0].([]byte)
			if len(piece) > wire.PieceBytes {
				t.Fatalf("a piece of %d bytes", len(piece))
			}
			got, more = append(got, piece...), b.fields[1].(bool)
		}
		if !bytes.Equal(got, body) {
			t.Errorf("%d bytes came, or others", len(got))
		}
		if err := <-sent; err != nil {
			t.Error(err)
		}
		r.answer(200, "ok")
		if got := conn.all(); !strings.HasSuffix(got, "ok") {
			t.Errorf("%q", got)
		}
		f.idle()
	})
}

// quiet is after how long without credit a client's connection is taken for full. On a
// slow machine a test that takes it for full too early sees less.
const quiet = 200 * time.Millisecond

// A response goes on as the client takes it, and costs no more memory than the window and
// the outbox.
func TestBridgeDownload(t *testing.T) {
	bridge(t, "asgi", nil, "", func(t *testing.T, f *puppet, s *enginetest.Server) {
		conn := get(t, s, "/")
		r := f.want(wire.Request)
		r.send(wire.Start, 200, headers(), false, []byte{})
		piece := bytes.Repeat([]byte("p"), wire.PieceBytes)
		credit, sent := windowBytes, 0
		for credit >= len(piece) && sent < 64<<20 { // until the client's connection is full
			r.send(wire.Chunk, piece, true)
			sent, credit = sent+len(piece), credit-len(piece)
			for credit < len(piece) && sent < 64<<20 {
				select {
				case e := <-f.events:
					equal(t, "kind", e.frame[0], int64(wire.Credit))
					credit += int(e.frame[2].(int64))
				case <-time.After(quiet):
					goto full
				}
			}
		}
		t.Fatalf("%d bytes were taken by nobody", sent)
	full:
		go func() {
			for credit < windowBytes/2 {
				e := f.next()
				if e.frame == nil {
					return
				}
				credit += int(e.frame[2].(int64))
			}
			r.send(wire.Chunk, []byte("end"), false)
		}()
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, response.Body)
		if err != nil || n != int64(sent)+3 {
			t.Errorf("%d bytes of %d: %v", n, sent, err)
		}
		f.idle()
	})
}
