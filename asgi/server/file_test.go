package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/eventloop"
	"github.com/gale-server/gale/eventloop/looptest"
	"github.com/gale-server/gale/internal/longtest"
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
			if c.Buffered() == 0 && !c.Congested() {
				return false // a part of the file is being fetched
			}
		}
	})
	return out.String()
}

// https://asgi.readthedocs.io/en/latest/extensions.html#path-send
func TestPathSend(t *testing.T) {
	for _, size := range []int{0, 1, smallPart, smallPart + 1, fileWindow, 2*fileWindow + smallPart, 3*fileWindow + 1} {
		for _, piece := range []int{-1, 50_000} {
			for _, cold := range []bool{false, true} {
				testPathSend(t, size, piece, cold)
			}
		}
	}
}

func testPathSend(t *testing.T, size, piece int, cold bool) {
	t.Run(fmt.Sprintf("%d by %d, cold: %v", size, piece, cold), func(t *testing.T) {
		wantNoLeaks(t)
		path, content := tempFile(t, size)
		h := sendsPath(t, path)
		log := new(strings.Builder)
		c := newBench(t, Config{Handler: h, AccessLog: slog.New(slog.NewTextHandler(log, nil))}).dial()
		c.Host.Cold(cold)
		for range 2 {
			c.Feed(get)
			out := read(c, piece, func(out string) bool {
				if c.Buffered() > smallPart+1024 {
					t.Fatalf("%d bytes wait", c.Buffered())
				}
				return strings.HasSuffix(out, "\r\n\r\n"+content)
			})
			if !strings.Contains(out, "Content-Length: "+strconv.Itoa(size)+"\r\n") {
				t.Fatalf("%.300q", out)
			}
		}
		if n := c.FileBytes(); size > smallPart && n < 2*(size-smallPart) || size <= smallPart && !cold && n > 0 {
			t.Errorf("%d bytes of the file went straight to the socket", n)
		}
		c.Await(func() bool { return c.Buffered() == 0 })
		c.Feed(strings.Replace(get, "GET", "HEAD", 1))
		head := read(c, -1, func(out string) bool { return strings.HasSuffix(out, "\r\n\r\n") })
		wantStatus(t, head, "200")
		c.Await(func() bool { return h.x.(*httpExchange).over })
		wantOpen(t, c)
		want := fmt.Sprintf("status=200 bytes=%d", size)
		if strings.Count(log.String(), want) < 2 || !strings.Contains(log.String(), "status=200 bytes=0") {
			t.Errorf("logged: %s", log)
		}
	})
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
// visible truncation and no descriptor; the application is told.
func TestFileInterrupted(t *testing.T) {
	const size = 10 * fileWindow
	for name, test := range map[string]struct {
		stage     string // that the sender has come to
		interrupt func(t *testing.T, path string, b *bench, c *looptest.Conn)
		shows     bool // the client is still there to see the truncation
	}{
		"shrinks":                         {"room", shrinkFile, true},
		"shrinks while it is fetched":     {"fetch", shrinkFile, true},
		"reset":                           {"room", resetClient, false},
		"reset while a part is fetched":   {"fetch", resetClient, false},
		"reset in the queue of readers":   {"queue", resetClient, false},
		"dropped":                         {"room", dropAll, true},
		"dropped in the queue of readers": {"queue", dropAll, true},
	} {
		t.Run(name, func(t *testing.T) {
			wantNoLeaks(t)
			path, _ := tempFile(t, size)
			h := sendsPath(t, path)
			b := newBench(t, Config{Handler: h})
			c := b.dial()
			c.Stall()
			b.Cold(test.stage != "room")
			if test.stage == "queue" {
				b.w.srv.files.most = 0 // as if all readers were at work
			}
			c.Feed(get)
			sender := h.x.(*httpExchange).file
			if test.stage == "room" && !sender.waiting || test.stage == "queue" && sender.place == nil {
				t.Fatal("the sender is elsewhere")
			}
			test.interrupt(t, path, b, c)
			var out string
			if test.shows {
				out = read(c, 1<<20, func(string) bool { return c.WriteClosed() || c.Aborted() })
			}
			if len(out) >= size {
				t.Fatal("the truncation does not show")
			}
			c.Await(func() bool {
				_, err := sender.file.Stat()
				return errors.Is(err, os.ErrClosed)
			})
			c.Run()
			if got := h.take(); strings.ReplaceAll(got, "gale.drain|", "") != "http.request |http.disconnect" {
				t.Errorf("the application got %s", got)
			}
			if n := b.w.srv.files.waiting(); n > 0 {
				t.Errorf("%d senders are left in the queue", n)
			}
			if strings.HasPrefix(name, "shrinks") && !strings.Contains(b.log.String(), "unexpected EOF") {
				t.Errorf("the log does not say why: %s", b.log)
			}
		})
	}
}

// A client whose departure shows when more is sent costs no descriptor either.
func TestFileToTheDeparted(t *testing.T) {
	wantNoLeaks(t)
	path, _ := tempFile(t, fileWindow)
	h := sendsPath(t, path)
	c := newBench(t, Config{Handler: h}).dial()
	c.Accept(1000) // the head, and more
	c.Feed(get)
	c.ResetUnseen()
	c.Accept(-1)
	if got := h.take(); got != "http.request |http.disconnect" {
		t.Errorf("the application got %s", got)
	}
	if over, err := c.Closed(); !over || !errors.Is(err, eventloop.ErrReset) {
		t.Errorf("closed: %v, with %v", over, err)
	}
}

func shrinkFile(t *testing.T, path string, _ *bench, _ *looptest.Conn) {
	must(t, os.Truncate(path, fileWindow/2))
}

func resetClient(_ *testing.T, _ string, _ *bench, c *looptest.Conn) { c.Reset() }

// dropAll is the end of a drain.
func dropAll(t *testing.T, _ string, b *bench, c *looptest.Conn) {
	b.startDrain(&asgi.Drain{})
	wantOpen(t, c)
	b.EventLoop().Post(func() { b.w.drop() })
	b.Run()
}

// A file that shrinks does not leave an application waiting that has more to send.
func TestFileShrinksInCoroutineForm(t *testing.T) {
	wantNoLeaks(t)
	path, _ := tempFile(t, 4*fileWindow)
	ended := make(chan error, 1)
	app := func(ctx context.Context, _ *asgi.Scope, _ asgi.Receive, send asgi.Send) error {
		f, err := os.Open(path)
		if err == nil {
			defer f.Close()
			err = send(ctx, &asgi.HTTPResponseStart{Status: 200})
		}
		if err == nil {
			err = send(ctx, &asgi.HTTPResponseZeroCopySend{File: f, Count: -1, MoreBody: true})
		}
		if err == nil { // in coroutine form it is the next one that waits
			err = send(ctx, &asgi.HTTPResponseBody{})
		}
		ended <- err
		return err
	}
	for name, h := range map[string]asgi.Handler{"coroutine": asgi.Coroutine(app), "goroutine": asgi.Goroutine(app, nil)} {
		t.Run(name, func(t *testing.T) {
			c := newBench(t, Config{Handler: h}).dial()
			c.Accept(10)
			c.Feed(get)
			c.Await(c.Congested)
			must(t, os.Truncate(path, 0))
			read(c, -1, func(string) bool { return c.WriteClosed() })
			select {
			case err := <-ended:
				if !errors.Is(err, asgi.ErrDisconnected) {
					t.Errorf("send returned %v", err)
				}
			case <-time.After(longtest.Patience):
				t.Fatal("the application still waits")
			}
			c.Run()
			must(t, os.Truncate(path, 4*fileWindow))
		})
	}
}

// waiting is how many senders are in the queue, which readers take them out of.
func (r *fileReaders) waiting() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.queue.Len()
}

// TestFileReaders has more files to be fetched than may be at the same time: they
// wait in turn, and all come whole.
func TestFileReaders(t *testing.T) {
	wantNoLeaks(t)
	path, content := tempFile(t, 2*fileWindow)
	h := sendsPath(t, path)
	b := newBench(t, Config{Handler: h})
	b.Cold(true)
	files := &b.w.srv.files
	if files.most != 32 {
		t.Fatalf("%d readers by default", files.most)
	}
	files.busy = files.most // all are at work
	var conns []*looptest.Conn
	var senders []*fileSender
	for range 5 {
		c := b.dial()
		c.Feed(get)
		conns, senders = append(conns, c), append(senders, h.x.(*httpExchange).file)
	}
	if n := files.waiting(); n != len(conns) {
		t.Fatalf("%d wait for a reader, want %d", n, len(conns))
	}
	conns[1].Reset()
	files.busy = 1
	for _, i := range []int{0, 2, 3, 4} { // the one reader comes to them in turn
		s := files.next()
		if s != senders[i] {
			t.Fatalf("the reader did not come to sender %d", i)
		}
		s.fetch(make([]byte, 1000))
	}
	if files.next() != nil || files.busy != 0 {
		t.Fatalf("%d readers are left", files.busy)
	}
	for _, i := range []int{0, 2, 3, 4} {
		out := read(conns[i], -1, func(out string) bool { return strings.HasSuffix(out, "\r\n\r\n"+content) })
		wantStatus(t, out, "200")
	}
}

// TestSlowDownloads has many clients download a large file and take a little now and
// then: nothing of it is in memory of ours, from the page cache or not.
func TestSlowDownloads(t *testing.T) {
	wantNoLeaks(t)
	const clients = 1000
	path, _ := tempFile(t, 2*fileWindow)
	h := sendsPath(t, path)
	b := newBench(t, Config{Handler: h})
	var conns []*looptest.Conn
	for range clients {
		c := b.dial()
		c.Accept(1000)
		c.Feed(get)
		conns = append(conns, c)
	}
	for _, cold := range []bool{false, true} {
		b.Cold(cold)
		for _, c := range conns {
			c.Accept(1000)
		}
		waiting := 0
		b.Await(func() bool {
			waiting = 0
			for _, c := range conns {
				if waiting += c.Buffered(); !c.Congested() {
					return false
				}
			}
			return true
		})
		if waiting > 0 {
			t.Errorf("cold: %v: %d bytes wait", cold, waiting)
		}
	}
	before := memory()
	kept := 0
	for _, c := range conns {
		c.Accept(1000)
		kept += len(c.Output())
	}
	b.Await(func() bool { return b.w.srv.files.waiting() == 0 })
	if grown := memory() - before; grown > clients*1000 {
		t.Errorf("%d bytes of memory more after %d bytes sent", grown, kept)
	}
	for _, c := range conns {
		c.Reset()
	}
}

// https://asgi.readthedocs.io/en/latest/extensions.html#zero-copy-send
func TestZeroCopySend(t *testing.T) {
	wantNoLeaks(t)
	path, content := tempFile(t, 3*fileWindow)
	var steps []asgi.SendEvent
	refused := false
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
				if refused = refused || x.Congested(); e.MoreBody && x.Congested() {
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
	length := strconv.FormatInt(int64(len(content)), 16)
	for _, piece := range []int{-1, 30_000} {
		steps = []asgi.SendEvent{
			&asgi.HTTPResponseStart{Status: 200},
			&asgi.HTTPResponseBody{Body: []byte("<"), MoreBody: true},
			&asgi.HTTPResponseZeroCopySend{File: open(0), Offset: 10, Count: 5, MoreBody: true},
			&asgi.HTTPResponseZeroCopySend{File: open(7), Offset: -1, Count: 3, MoreBody: true},
			&asgi.HTTPResponseZeroCopySend{File: open(0), Offset: 1 << 40, Count: -1, MoreBody: true},
			&asgi.HTTPResponseBody{Body: []byte(">"), MoreBody: true},
			&asgi.HTTPResponseZeroCopySend{File: open(0), Count: -1, MoreBody: true},
			&asgi.HTTPResponseZeroCopySend{File: open(0), Count: -1},
		}
		c.Feed(get)
		out := read(c, piece, func(out string) bool { return strings.HasSuffix(out, "0\r\n\r\n") })
		want := "\r\n\r\n1\r\n<\r\n5\r\n" + content[10:15] + "\r\n3\r\n" + content[7:10] + "\r\n1\r\n>\r\n" +
			length + "\r\n" + content + "\r\n" + length + "\r\n" + content + "\r\n0\r\n\r\n"
		if !strings.HasSuffix(out, want) {
			t.Fatalf("%d bytes, %.300q", len(out), out)
		}
	}
	if !refused {
		t.Error("no file was under way when its send returned")
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
	path, content := tempFile(t, 2*fileWindow)
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
