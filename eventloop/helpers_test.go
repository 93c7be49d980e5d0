package eventloop

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gale-server/gale/internal/longtest"
)

func TestMain(m *testing.M) {
	AssertOwnership()
	os.Exit(m.Run())
}

// patience is how long a test waits for what must happen.
const patience = longtest.Patience

// hooks is a Protocol made of functions; missing ones do nothing.
type hooks struct {
	data      func([]byte)
	eof       func()
	peerEnded func()
	turn      func()
	drained   func()
	deadline  func()
	closed    func(error)
}

func (h *hooks) Data(p []byte) {
	if h.data != nil {
		h.data(p)
	}
}
func (h *hooks) EOF()       { call(h.eof) }
func (h *hooks) PeerEnded() { call(h.peerEnded) }
func (h *hooks) Turn()      { call(h.turn) }
func (h *hooks) Drained()   { call(h.drained) }
func (h *hooks) Deadline()  { call(h.deadline) }
func (h *hooks) Closed(err error) {
	if h.closed != nil {
		h.closed(err)
	}
}

func call(fn func()) {
	if fn != nil {
		fn()
	}
}

// echo writes back what it reads, and closes at the end of the stream.
func echo(c Conn) Protocol {
	return &hooks{data: c.Write, eof: c.Close}
}

// logBuffer gathers what a group logs.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logBuffer) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// server is a started group on a loopback port.
type server struct {
	*Group
	t    testing.TB
	addr Addr
	log  *logBuffer
}

// serve starts a group that stops at the end of the test, when neither a
// goroutine nor a descriptor may be left.
func serve(t testing.TB, config Config) *server {
	t.Helper()
	checkLeaks(t)
	s := newServer(t, config)
	s.listen("tcp", "127.0.0.1:0")
	s.Start()
	return s
}

func newServer(t testing.TB, config Config) *server {
	t.Helper()
	log := new(logBuffer)
	if config.Logger == nil {
		config.Logger = log.logger()
	}
	g, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{Group: g, t: t, log: log}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := g.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
	return s
}

func (s *server) listen(network, address string) {
	s.t.Helper()
	addr, err := s.Listen(network, address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.addr = addr
}

// dial connects to the server.
func (s *server) dial() net.Conn {
	s.t.Helper()
	c, err := net.Dial(s.addr.Network(), s.addr.String())
	if err != nil {
		s.t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

// checkLeaks compares goroutines and descriptors at the end of the test, after
// all clean-ups, with those of now.
func checkLeaks(t testing.TB) {
	t.Helper()
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	t.Cleanup(func() {
		eventually(t, func() bool { return runtime.NumGoroutine() <= goroutines && len(openFiles(t)) <= len(files) },
			func() string {
				p := make([]byte, 1<<20)
				return "left over: " + strings.Join(openFiles(t), " ") + "\n" + string(p[:runtime.Stack(p, true)])
			})
	})
}

// openFiles lists the open descriptors and what they are.
func openFiles(t testing.TB) []string {
	names, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, name := range names {
		if target, err := os.Readlink(name); err == nil {
			files = append(files, target)
		}
	}
	return files
}

// eventually waits for a condition that nothing signals. Only for what the
// kernel or the runtime does by itself.
func eventually(t testing.TB, cond func() bool, why func() string) {
	t.Helper()
	for end := time.Now().Add(patience); !cond(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("it did not happen: ", why())
		}
	}
}

// receive waits for a value.
func receive[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case v := <-c:
		return v
	case <-timeout.C:
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

// readAll reads to the end of the stream.
func readAll(t testing.TB, c io.Reader) string {
	t.Helper()
	p, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("after %d bytes: %v", len(p), err)
	}
	return string(p)
}

// readN reads exactly n bytes.
func readN(t testing.TB, c io.Reader, n int) string {
	t.Helper()
	p := make([]byte, n)
	if _, err := io.ReadFull(c, p); err != nil {
		t.Fatal(err)
	}
	return string(p)
}

func write(t testing.TB, c io.Writer, p string) {
	t.Helper()
	if _, err := io.WriteString(c, p); err != nil {
		t.Fatal(err)
	}
}

// wantErr compares with errors.Is; nil means no error.
func wantErr(t testing.TB, got, want error) {
	t.Helper()
	if want == nil && got != nil || !errors.Is(got, want) {
		t.Fatalf("err = %v, want %v", got, want)
	}
}

// coroutine returns a function that runs fn up to its end at its first call,
// and leaves the coroutine parked until its second.
func coroutine(fn func()) func() {
	next, stop := iter.Pull(func(yield func(bool) bool) {
		fn()
		yield(true)
	})
	first := true
	return func() {
		if first {
			first = false
			next()
			return
		}
		stop()
	}
}
