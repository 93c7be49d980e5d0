package server

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/eventloop"
	"github.com/gale-server/gale/eventloop/looptest"
)

// tempFile makes a file of n bytes that differ from place to place.
func tempFile(t testing.TB, n int) (path, content string) {
	t.Helper()
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		b.WriteString(strconv.Itoa(i) + " ")
	}
	content = b.String()[:n]
	path = filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(path, []byte(content), 0o600))
	return path, content
}

// sendsPath answers every request with a file.
func sendsPath(t testing.TB, path string, headers ...asgi.Header) *record {
	return &record{on: func(x asgi.Exchange, ev asgi.ReceiveEvent) {
		if _, ok := ev.(*asgi.HTTPRequest); ok {
			must(t, x.Send(&asgi.HTTPResponseStart{Status: 200, Headers: headers}))
			must(t, x.Send(&asgi.HTTPResponsePathSend{Path: path}))
			must(t, x.Send(&asgi.HTTPResponseBody{Body: []byte("ignored")}))
		}
	}}
}

// read takes what is sent until done, a piece at a time.
func read(c *looptest.Conn, piece int, done func(out string) bool) string {
	var out strings.Builder
	c.Await(func() bool {
		for {
			c.Accept(piece)
			out.WriteString(c.Output())
			if over, _ := c.Closed(); over || done(out.String()) {
				return true
			}
			if c.Buffered() == 0 {
				return false // a chunk of the file is being read
			}
		}
	})
	return out.String()
}

// https://asgi.readthedocs.io/en/latest/extensions.html#path-send
func TestPathSend(t *testing.T) {
	for _, size := range []int{0, 1, fileChunk, 5*fileChunk + 1} {
		for _, piece := range []int{-1, 50_000} {
			t.Run(strconv.Itoa(size)+" by "+strconv.Itoa(piece), func(t *testing.T) {
				wantNoLeaks(t)
				path, content := tempFile(t, size)
				h := sendsPath(t, path)
				c := newBench(t, Config{Handler: h}).dial()
				for range 2 {
					c.Feed(get)
					out := read(c, piece, func(out string) bool {
						if c.Buffered() > 256<<10+fileChunk {
							t.Fatalf("%d bytes wait", c.Buffered())
						}
						return strings.HasSuffix(out, "\r\n\r\n"+content)
					})
					if !strings.Contains(out, "Content-Length: "+strconv.Itoa(size)+"\r\n") {
						t.Fatalf("%.300q", out)
					}
				}
				c.Await(func() bool { return c.Buffered() == 0 })
				c.Feed(strings.Replace(get, "GET", "HEAD", 1))
				head := read(c, -1, func(out string) bool { return strings.HasSuffix(out, "\r\n\r\n") })
				wantStatus(t, head, "200")
				c.Await(func() bool { return h.x.(*httpExchange).over })
				wantOpen(t, c)
			})
		}
	}
}

// What cannot be sent is refused, and the response can still be another.
func TestPathSendRefused(t *testing.T) {
	wantNoLeaks(t)
	path, _ := tempFile(t, 10)
	fifo := filepath.Join(t.TempDir(), "fifo")
	must(t, syscall.Mkfifo(fifo, 0o600))
	for _, test := range []struct{ path, length string }{
		{"relative", ""}, {path + "x", ""}, {filepath.Dir(path), ""}, {fifo, ""}, {path, "9"}, {path, "11"},
	} {
		h := &record{}
		c := newBench(t, Config{Handler: h}).dial()
		c.Feed(get)
		x := h.x
		x.Post(func() {
			var headers []asgi.Header
			if test.length != "" {
				headers = append(headers, asgi.Header{Name: "content-length", Value: test.length})
			}
			must(t, x.Send(&asgi.HTTPResponseStart{Status: 200, Headers: headers}))
			if err := x.Send(&asgi.HTTPResponsePathSend{Path: test.path}); err == nil {
				t.Errorf("%+v was accepted", test)
			}
			x.End(errors.New("x"))
		})
		c.Run()
		wantStatus(t, c.Output(), "500")
	}
}

// A file that shrinks while it is sent, and a client that leaves, cost a
// visible truncation and no descriptor.
func TestFileInterrupted(t *testing.T) {
	const size = 10 * fileChunk
	for name, interrupt := range map[string]func(path string, c *looptest.Conn){
		"shrinks":                     func(path string, c *looptest.Conn) { must(t, os.Truncate(path, fileChunk)) },
		"reset":                       func(_ string, c *looptest.Conn) { c.Reset() },
		"reset while a chunk is read": func(_ string, c *looptest.Conn) { c.Reset() },
	} {
		t.Run(name, func(t *testing.T) {
			wantNoLeaks(t)
			path, _ := tempFile(t, size)
			h := sendsPath(t, path)
			c := newBench(t, Config{Handler: h}).dial()
			c.Stall()
			c.Feed(get)
			sender := h.x.(*httpExchange).file
			if name != "reset while a chunk is read" {
				c.Await(func() bool { return sender.waiting })
			}
			interrupt(path, c)
			var out string
			if name == "shrinks" {
				out = read(c, 1<<20, func(string) bool { return c.WriteClosed() })
			}
			if len(out) >= size {
				t.Fatal("the truncation does not show")
			}
			if got := h.take(); got != "http.request |http.disconnect" && name != "shrinks" || strings.Count(got, "disconnect") > 1 {
				t.Fatal(got)
			}
			c.Await(func() bool {
				_, err := sender.file.Stat()
				return errors.Is(err, os.ErrClosed)
			})
		})
	}
}

// https://asgi.readthedocs.io/en/latest/extensions.html#zero-copy-send
func TestZeroCopySend(t *testing.T) {
	wantNoLeaks(t)
	path, content := tempFile(t, 3*fileChunk)
	var steps []asgi.SendEvent
	h := &record{}
	h.on = func(x asgi.Exchange, ev asgi.ReceiveEvent) {
		switch ev.(type) {
		case *asgi.HTTPRequest, *asgi.Writable:
		default:
			return
		}
		for len(steps) > 0 && !x.Congested() {
			ev := steps[0]
			steps = steps[1:]
			must(t, x.Send(ev))
			if e, ok := ev.(*asgi.HTTPResponseZeroCopySend); ok {
				must(t, e.File.Close()) // "the application closes the file"
				if e.MoreBody {
					if err := x.Send(&asgi.HTTPResponseBody{}); !errors.Is(err, errFileUnderWay) {
						t.Errorf("a send while the file is under way: %v", err)
					}
				}
			}
		}
	}
	open := func(at int64) *os.File {
		f, err := os.Open(path)
		must(t, err)
		_, err = f.Seek(at, 0)
		must(t, err)
		return f
	}
	c := newBench(t, Config{Handler: h, Loop: eventloop.Config{OutboxBytes: 64 << 10}}).dial()
	for _, piece := range []int{-1, 30_000} {
		steps = []asgi.SendEvent{
			&asgi.HTTPResponseStart{Status: 200},
			&asgi.HTTPResponseBody{Body: []byte("<"), MoreBody: true},
			&asgi.HTTPResponseZeroCopySend{File: open(0), Offset: 10, Count: 5, MoreBody: true},
			&asgi.HTTPResponseZeroCopySend{File: open(7), Offset: -1, Count: 3, MoreBody: true},
			&asgi.HTTPResponseZeroCopySend{File: open(0), Offset: 1 << 40, Count: -1, MoreBody: true},
			&asgi.HTTPResponseBody{Body: []byte(">"), MoreBody: true},
			&asgi.HTTPResponseZeroCopySend{File: open(0), Count: -1},
		}
		c.Feed(get)
		out := read(c, piece, func(out string) bool { return strings.HasSuffix(out, "0\r\n\r\n") })
		want := "\r\n\r\n1\r\n<\r\n5\r\n" + content[10:15] + "\r\n3\r\n" + content[7:10] + "\r\n1\r\n>\r\n" +
			strconv.FormatInt(int64(len(content)), 16) + "\r\n" + content + "\r\n0\r\n\r\n"
		if !strings.HasSuffix(out, want) {
			t.Fatalf("%d bytes, %.300q", len(out), out)
		}
	}
	t.Run("too short a last piece", func(t *testing.T) {
		h.on = nil
		c.Feed(get)
		f := open(0)
		defer f.Close()
		h.x.Post(func() {
			length := asgi.Header{Name: "content-length", Value: "10"}
			must(t, h.x.Send(&asgi.HTTPResponseStart{Status: 200, Headers: []asgi.Header{length}}))
			must(t, h.x.Send(&asgi.HTTPResponseBody{Body: []byte("ab"), MoreBody: true}))
			if err := h.x.Send(&asgi.HTTPResponseZeroCopySend{File: f, Count: 3}); err == nil {
				t.Error("accepted")
			}
			must(t, h.x.Send(&asgi.HTTPResponseBody{Body: []byte("cdefghij")}))
		})
		c.Run()
		if out := c.Output(); !strings.HasSuffix(out, "\r\n\r\nabcdefghij") {
			t.Fatalf("%q", out)
		}
	})
	t.Run("beyond the end", func(t *testing.T) {
		h.on = nil
		c.Feed(get)
		f := open(0)
		defer f.Close()
		h.x.Post(func() {
			must(t, h.x.Send(&asgi.HTTPResponseStart{Status: 200}))
			if err := h.x.Send(&asgi.HTTPResponseZeroCopySend{File: f, Offset: 1, Count: int64(len(content))}); err == nil {
				t.Error("accepted")
			}
			h.x.End(errors.New("x"))
		})
		c.Run()
		wantStatus(t, c.Output(), "500")
	})
}

// A coroutine that sends files one after the other waits for each.
func TestFilesInCoroutineForm(t *testing.T) {
	wantNoLeaks(t)
	path, content := tempFile(t, 2*fileChunk)
	app := filesApp(t, path)
	for name, h := range map[string]asgi.Handler{"coroutine": asgi.Coroutine(app), "goroutine": asgi.Goroutine(app, nil)} {
		t.Run(name, func(t *testing.T) {
			c := newBench(t, Config{Handler: h}).dial()
			c.Feed("GET / HTTP/1.0\r\n\r\n")
			out := read(c, 100_000, func(string) bool { return c.WriteClosed() })
			if !strings.HasSuffix(out, "\r\n\r\n"+content+content+content+"end") {
				t.Fatalf("%d bytes", len(out))
			}
			must(t, closedBy(t, c))
		})
	}
}

func filesApp(t testing.TB, path string) asgi.Application {
	return func(ctx context.Context, _ *asgi.Scope, _ asgi.Receive, send asgi.Send) error {
		must(t, send(ctx, &asgi.HTTPResponseStart{Status: 200}))
		for range 3 {
			f, err := os.Open(path)
			must(t, err)
			err = send(ctx, &asgi.HTTPResponseZeroCopySend{File: f, Count: -1, MoreBody: true})
			f.Close()
			must(t, err)
		}
		return send(ctx, &asgi.HTTPResponseBody{Body: []byte("end")})
	}
}
