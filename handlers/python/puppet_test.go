package python

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/executor/subprocess"
	"github.com/gale-server/gale/handlers/internal/enginetest"
	"github.com/gale-server/gale/handlers/python/internal/wire"
	"github.com/gale-server/gale/internal/longtest"
)

// puppet is a worker that a test plays: a process that does nothing, and its links.
type puppet struct {
	t      testing.TB
	h      *Handler
	w      *worker
	events chan event // what gale says on all links
	links  sync.WaitGroup

	mu      sync.Mutex
	reading chan struct{} // closed while links are read
}

// event is a frame, and the link that it came on. A link that has ended has no frame.
type event struct {
	link  *puppetLink
	frame []any
}

type puppetLink struct {
	conn net.Conn
}

// puppetHandler is a Handler with a worker that the test plays. Its config may be changed by
// set, and shell says what the process does before it sleeps.
func puppetHandler(t testing.TB, set func(*Config), shell string) (*Handler, *puppet) {
	t.Helper()
	config := Config{App: "none", Dir: t.TempDir(), Logger: enginetest.Quiet, StopTimeout: time.Millisecond}
	if set != nil {
		set(&config)
	}
	h, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	f := &puppet{t: t, h: h, events: make(chan event, 1<<16), reading: make(chan struct{})}
	close(f.reading)
	p := h.pool
	p.deliver = f.deliver
	p.boot, p.python = shell+"\nexec sleep 1000000", interpreter{path: "/bin/sh"}
	p.state, p.quit, p.starter = running, make(chan struct{}), subprocess.NewStarter()
	t.Cleanup(func() {
		p.kill(ErrClosed)
		if err := h.Stop(limited(t)); err != nil {
			t.Error(err)
		}
		f.links.Wait()
	})
	return h, f
}

// start makes a process that is ready.
func (f *puppet) start(mode string) *worker {
	f.t.Helper()
	w, err := f.h.pool.spawn(newSlot(f.h.pool))
	if err != nil {
		f.t.Fatal(err)
	}
	w.info.Mode = mode
	for deadline := time.Now().Add(longtest.Patience); ; { // the shell has done its part
		if name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", w.pid)); string(name) == "sleep\n" {
			break
		} else if time.Now().After(deadline) {
			f.t.Fatalf("the process is %q", name)
		}
		time.Sleep(time.Millisecond)
	}
	f.w = w
	f.h.pool.swap(nil, w)
	return w
}

func (f *puppet) deliver(_ *worker, _ int, theirs *os.File) {
	conn, err := net.FileConn(theirs)
	_ = theirs.Close()
	if err != nil {
		f.t.Error(err)
		return
	}
	f.links.Go(func() { // ends with the link
		defer conn.Close()
		l := &puppetLink{conn: conn}
		for {
			frames, err := f.read(conn)
			if err != nil {
				f.events <- event{l, nil}
				return
			}
			for _, frame := range frames {
				f.events <- event{l, frame.([]any)}
			}
		}
	})
}

// read reads a message.
func (f *puppet) read(conn net.Conn) ([]any, error) {
	f.mu.Lock()
	reading := f.reading
	f.mu.Unlock()
	<-reading
	head := make([]byte, wire.HeadBytes)
	if _, err := io.ReadFull(conn, head); err != nil {
		return nil, err
	}
	p := make([]byte, binary.LittleEndian.Uint32(head))
	if len(p) > wire.MaxMessageBytes {
		f.t.Errorf("gale sends a message of %d bytes", len(p))
	}
	if _, err := io.ReadFull(conn, p); err != nil {
		return nil, err
	}
	r := wire.NewReader(p)
	frames, ok := r.Value().([]any)
	if r.Err() != nil || !ok || r.Rest() > 0 || len(frames) == 0 {
		f.t.Errorf("gale sends what is no message: %v", r.Err())
		return nil, errors.New("no message")
	}
	return frames, nil
}

// next is what gale says next.
func (f *puppet) next() event {
	f.t.Helper()
	select {
	case e := <-f.events:
		return e
	case <-time.After(longtest.Patience):
		f.t.Fatal("gale says nothing")
		return event{}
	}
}

// calm calls fn with what has come, until nothing does or no stream is left.
func (f *puppet) calm(fn func(event)) {
	for {
		select {
		case e := <-f.events:
			fn(e)
		case <-time.After(20 * time.Millisecond):
			return
		}
	}
}

// waiting waits until so many exchanges wait for a worker.
func (f *puppet) waiting(n int32) {
	f.t.Helper()
	deadline := time.Now().Add(longtest.Patience)
	for f.h.waiting.waits.Load() != n {
		if time.Now().After(deadline) {
			f.t.Fatalf("%d wait, and not %d", f.h.waiting.waits.Load(), n)
		}
		time.Sleep(time.Millisecond) // a counter gives no signal
	}
}

// want is the next frame, which must be of a kind. Its fields follow the stream.
func (f *puppet) want(kind int) puppetStream {
	f.t.Helper()
	e := f.next()
	if e.frame == nil {
		f.t.Fatalf("a link has ended, where frame %d is wanted", kind)
	}
	if e.frame[0] != int64(kind) {
		f.t.Fatalf("gale says %v, where frame %d is wanted", short(e.frame), kind)
	}
	return f.stream(e)
}

// wantBehind is want, behind any credit.
func (f *puppet) wantBehind(credit func(n int), kind int) puppetStream {
	f.t.Helper()
	for {
		e := f.next()
		if e.frame != nil && e.frame[0] == int64(wire.Credit) {
			credit(int(e.frame[2].(int64)))
			continue
		}
		if e.frame == nil || e.frame[0] != int64(kind) {
			f.t.Fatalf("gale says %v, where frame %d is wanted", short(e.frame), kind)
		}
		return f.stream(e)
	}
}

// stream is what a frame is about.
func (f *puppet) stream(e event) puppetStream {
	return puppetStream{f, e.link, e.frame[1].(int64), e.frame[2:]}
}

// puppetStream is a stream of a link, with the fields of the frame that it was in.
type puppetStream struct {
	f      *puppet
	link   *puppetLink
	sid    int64
	fields []any
}

// send sends a frame of the stream.
func (s puppetStream) send(kind int, fields ...any) {
	s.link.send(append(wire.Tuple{kind, s.sid}, fields...))
}

// send sends a message. That gale may have closed the link is no error.
func (l *puppetLink) send(frames ...any) {
	p := wire.AppendValue(make([]byte, wire.HeadBytes), frames)
	binary.LittleEndian.PutUint32(p, uint32(len(p)-wire.HeadBytes))
	_, _ = l.conn.Write(p)
}

// headers are header fields as a worker sends them.
func headers(list ...string) []any {
	out := []any{}
	for i := 0; i < len(list); i += 2 {
		out = append(out, wire.Tuple{[]byte(list[i]), []byte(list[i+1])})
	}
	return out
}

// answer answers with a response of one frame.
func (s puppetStream) answer(status int, body string) {
	s.send(wire.Response, status, headers("content-type", "text/plain"), []byte(body))
}

// idle waits until no stream is counted, and nothing is held.
func (f *puppet) idle() {
	f.t.Helper()
	deadline := time.Now().Add(longtest.Patience)
	for {
		load := &f.w.load
		streams, pending, held := f.w.streams.Load()/stream, load.pending.Load(), load.held.Load()
		if streams == 0 && pending == 0 && held == 0 {
			return
		}
		if time.Now().After(deadline) {
			f.t.Fatalf("%d streams, %d pending, %d bytes held", streams, pending, held)
		}
		time.Sleep(time.Millisecond) // counters give no signal
	}
}

// bridge runs a test on each engine, with a worker of a mode that it plays.
func bridge(t *testing.T, mode string, set func(*Config), shell string, test func(t *testing.T, f *puppet, s *enginetest.Server)) {
	var f *puppet
	enginetest.Each(t, enginetest.Options{}, func(t *testing.T) asgi.Handler {
		var h *Handler
		h, f = puppetHandler(t, set, shell)
		f.start(mode)
		return asgi.HandlerFunc(func(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
			if scope.Type == asgi.ScopeLifespan {
				x.End(asgi.ErrUnsupportedScope)
				return nil
			}
			return h.Open(scope, x)
		})
	}, func(t *testing.T, s *enginetest.Server) {
		f.t = t
		test(t, f, s)
	})
}

// client is a connection of a client, and what has come on it.
type client struct {
	net.Conn
	t   testing.TB
	got []byte
}

// dial sends a request, or what else there is.
func dial(t testing.TB, s *enginetest.Server, text string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(longtest.Patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	return &client{Conn: conn, t: t}
}

// get sends a request on its own connection.
func get(t testing.TB, s *enginetest.Server, target string) *client {
	t.Helper()
	return dial(t, s, "GET "+target+" HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
}

// leave ends the connection, if it is open, as a client does that is gone.
func (c *client) leave() {
	_ = c.Conn.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
}

// await reads until a text has come.
func (c *client) await(text string) {
	c.t.Helper()
	p := make([]byte, 4<<10)
	for !strings.Contains(string(c.got), text) {
		n, err := c.Read(p)
		if c.got = append(c.got, p[:n]...); err != nil {
			c.t.Fatalf("%v: no %q in %q", err, text, c.got)
		}
	}
}

// all reads to the end, and returns all that has come.
func (c *client) all() string {
	c.t.Helper()
	rest, err := io.ReadAll(c)
	if err != nil && !errors.Is(err, syscall.ECONNRESET) {
		c.t.Error(err)
	}
	c.got = append(c.got, rest...)
	return string(c.got)
}

// errEnded is why a test has a worker end.
var errEnded = errors.New("the test ends it")

func soon() time.Time { return time.Now().Add(longtest.Patience) }

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	p, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
	}
	return p
}

func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %v, want %v", what, short(got), short(want))
	}
}

func short(v any) string {
	text := fmt.Sprint(v)
	return text[:min(len(text), 300)]
}
