package server

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/eventloop"
	"github.com/gale-server/gale/eventloop/looptest"
)

func TestMain(m *testing.M) {
	eventloop.AssertOwnership()
	warmUp()
	goroutines, files := runtime.NumGoroutine(), len(openFiles())
	code := m.Run()
	if left := remains(goroutines, files); left != "" && code == 0 {
		fmt.Fprintln(os.Stderr, "left behind by the tests of the package:", left)
		code = 1
	}
	os.Exit(code)
}

// bench is a server's one worker on a scripted loop.
type bench struct {
	*looptest.Loop
	w   *worker
	log *strings.Builder
}

func newBench(t testing.TB, cfg Config) *bench {
	t.Helper()
	b := &bench{log: new(strings.Builder)}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	cfg, err := cfg.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	loop := cfg.Loop
	loop.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	b.Loop = looptest.NewLoop(t, loop)
	b.w = newWorker(&Server{cfg: cfg, log: cfg.Logger, files: fileReaders{most: cfg.FileReaders}}, b.EventLoop())
	return b
}

// dial opens a conn to the bench.
func (b *bench) dial() *looptest.Conn { return b.Open(b.w.open) }

// startDrain begins the drain of Server.Run.
func (b *bench) startDrain(d *asgi.Drain) {
	b.EventLoop().Post(func() { b.w.startDrain(d) })
	b.Run()
}

// record is a Handler that notes what it gets and answers what it is told to.
type record struct {
	events []string
	x      asgi.Exchange
	scope  *asgi.Scope
	on     func(x asgi.Exchange, ev asgi.ReceiveEvent)
}

func (r *record) Open(s *asgi.Scope, x asgi.Exchange) asgi.Receiver {
	if s.Type == asgi.ScopeLifespan {
		x.End(asgi.ErrUnsupportedScope)
		return nil
	}
	r.scope, r.x = s, x
	return r
}

func (r *record) Receive(ev asgi.ReceiveEvent) {
	name := ev.EventType()
	switch e := ev.(type) {
	case *asgi.HTTPRequest:
		name += " " + string(e.Body)
		if e.MoreBody {
			name += "+"
		}
	case *asgi.WebSocketReceive:
		name += " " + string(e.Data)
	}
	r.events = append(r.events, name)
	if r.on != nil {
		r.on(r.x, ev)
	}
}

func (r *record) take() string {
	s := strings.Join(r.events, "|")
	r.events = nil
	return s
}

// respond sends a whole response.
func respond(t testing.TB, x asgi.Exchange, status int, body string) {
	t.Helper()
	must(t, x.Send(&asgi.HTTPResponseStart{Status: status}))
	must(t, x.Send(&asgi.HTTPResponseBody{Body: []byte(body)}))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// answers responds 200 with the body "ok" when the request is complete.
func answers(t testing.TB) *record {
	return &record{on: func(x asgi.Exchange, ev asgi.ReceiveEvent) {
		if e, ok := ev.(*asgi.HTTPRequest); ok && !e.MoreBody {
			respond(t, x, 200, "ok")
		}
	}}
}

const (
	get       = "GET /p HTTP/1.1\r\nHost: h\r\n\r\n"
	handshake = "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)

// wantStatus checks the status line of out.
func wantStatus(t testing.TB, out, status string) {
	t.Helper()
	if !strings.HasPrefix(out, "HTTP/1.1 "+status+" ") {
		t.Fatalf("got %q, want status %s", out, status)
	}
}

// closedBy runs the lingering close to its end and returns the reason.
func closedBy(t testing.TB, c *looptest.Conn) error {
	t.Helper()
	c.PeerClose()
	over, err := c.Closed()
	if !over {
		t.Fatal("the conn is still open")
	}
	return err
}

func wantOpen(t testing.TB, c *looptest.Conn) {
	t.Helper()
	if over, err := c.Closed(); over || c.WriteClosed() {
		t.Fatalf("the conn was closed: %v", err)
	}
}

func wantClosing(t testing.TB, c *looptest.Conn) {
	t.Helper()
	if !c.WriteClosed() {
		t.Fatal("the conn is still open")
	}
}

// frame is a masked client frame.
func frame(op byte, payload string) string {
	key := [4]byte{1, 2, 3, 4}
	b := []byte{0x80 | op}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	default:
		b = append(b, 0x80|126, byte(n>>8), byte(n))
	}
	b = append(b, key[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^key[i%4])
	}
	return string(b)
}

func closeFrame(code int) string { return frame(8, string([]byte{byte(code >> 8), byte(code)})) }
