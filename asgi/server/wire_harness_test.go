package server_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/server"
	"github.com/gale-server/gale/eventloop"
	"github.com/gale-server/gale/internal/longtest"
)

// wireForm is a way for an application to run. All answer alike.
type wireForm struct {
	name    string
	handler asgi.Handler
	onLoop  bool // so that an answer is written before more is read
}

var wireForms = []wireForm{
	{"event", asgi.HandlerFunc(wireHandler), true},
	{"coroutine", asgi.Coroutine(wireApplication), true},
	{"serial", asgi.Serial(asgi.HandlerFunc(wireHandler), nil), false},
	{"goroutine", asgi.Goroutine(wireApplication, nil), false},
}

// plays returns what says of each case whether the form plays it. In the short run event
// form plays all, and every other form a quarter, each another one: all have the same
// parser.
func (f wireForm) plays() func() bool {
	if f.name == "event" || longtest.On() {
		return func() bool { return true }
	}
	sample := rand.New(rand.NewPCG(uint64(len(f.name)), 2))
	return func() bool { return sample.IntN(4) == 0 }
}

// wireStart answers 200, or 405 to a CONNECT, and tells the method and the
// target that were seen.
func wireStart(scope *asgi.Scope) *asgi.HTTPResponseStart {
	saw := scope.Method + " " + scope.RawPath
	if scope.QueryString != "" {
		saw += "?" + scope.QueryString
	}
	status := 200
	if scope.Method == "CONNECT" {
		status = 405 // a 2xx would open a tunnel
	}
	return &asgi.HTTPResponseStart{Status: status, Headers: []asgi.Header{{Name: "x-saw", Value: saw}}}
}

// wireHandler echoes request bodies and messages, in event form.
func wireHandler(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
	if scope.Type == asgi.ScopeLifespan {
		x.End(asgi.ErrUnsupportedScope)
		return nil
	}
	var body []byte
	return asgi.ReceiverFunc(func(ev asgi.ReceiveEvent) {
		var err error
		switch ev := ev.(type) {
		case *asgi.HTTPRequest:
			if body = append(body, ev.Body...); ev.MoreBody {
				return
			}
			if err = x.Send(wireStart(scope)); err == nil {
				err = x.Send(&asgi.HTTPResponseBody{Body: body})
			}
		case *asgi.WebSocketConnect:
			err = x.Send(&asgi.WebSocketAccept{})
		case *asgi.WebSocketReceive:
			err = x.Send(&asgi.WebSocketSend{Kind: ev.Kind, Data: ev.Data})
		}
		if err != nil {
			x.End(err)
		}
	})
}

// wireApplication is wireHandler in coroutine form.
func wireApplication(ctx context.Context, scope *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
	if scope.Type == asgi.ScopeLifespan {
		return asgi.ErrUnsupportedScope
	}
	var body []byte
	for {
		ev, err := receive(ctx)
		if err != nil {
			return err
		}
		switch ev := ev.(type) {
		case *asgi.HTTPRequest:
			if body = append(body, ev.Body...); ev.MoreBody {
				continue
			}
			if err := send(ctx, wireStart(scope)); err != nil {
				return err
			}
			return send(ctx, &asgi.HTTPResponseBody{Body: body})
		case *asgi.WebSocketConnect:
			err = send(ctx, &asgi.WebSocketAccept{})
		case *asgi.WebSocketReceive:
			err = send(ctx, &asgi.WebSocketSend{Kind: ev.Kind, Data: ev.Data})
		case *asgi.HTTPDisconnect, *asgi.WebSocketDisconnect:
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// wire is a server with the default limits on one loop, reached over loopback.
type wire struct {
	addr    string
	witness *wirePeer
}

// eachForm runs a test against a server of each form, in parallel.
func eachForm(t *testing.T, test func(t *testing.T, w *wire, form wireForm)) {
	for _, form := range wireForms {
		t.Run(form.name, func(t *testing.T) {
			t.Parallel()
			log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
			w := &wire{addr: start(t, server.Config{Handler: form.handler, Logger: log, Loop: eventloop.Config{Loops: 1}})}
			w.witness = w.dial(t)
			t.Cleanup(w.witness.close)
			test(t, w, form)
		})
	}
}

// settle returns when the server has handled what was written before on any
// conn. Its one loop takes what is ready in order, and a second round trip comes
// after the turn in which the first was answered.
func (w *wire) settle(t *testing.T) {
	t.Helper()
	w.witness.t = t
	w.witness.conn.SetDeadline(time.Now().Add(wirePatience))
	for range 2 {
		w.witness.write("GET /witness HTTP/1.1\r\nHost: w\r\n\r\n")
		w.witness.wantAnswer("GET /witness", "")
	}
}

// wirePatience bounds every case: it is what a hanging server costs, and far
// above what the slowest case takes under the race detector.
const wirePatience = longtest.Patience

// wirePeer is a raw client.
type wirePeer struct {
	t    *testing.T
	conn *net.TCPConn
	r    *bufio.Reader
}

func (w *wire) dial(t *testing.T) *wirePeer {
	t.Helper()
	conn, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(wirePatience))
	return &wirePeer{t: t, conn: conn.(*net.TCPConn), r: bufio.NewReaderSize(conn, 64<<10)}
}

func (p *wirePeer) close() { p.conn.Close() }

func (p *wirePeer) write(s string) {
	p.t.Helper()
	if _, err := io.WriteString(p.conn, s); err != nil {
		p.t.Fatalf("write: %v", err)
	}
}

// chop writes s in pieces. Nagle's algorithm is off, but the server may still
// read several at once; see settle.
func (p *wirePeer) chop(s string, size int) {
	p.t.Helper()
	for ; len(s) > size; s = s[size:] {
		p.write(s[:size])
	}
	p.write(s)
}

// wantQuiet checks that the server has said nothing and not closed. Call
// wire.settle first.
func (p *wirePeer) wantQuiet(after string) {
	p.t.Helper()
	raw, err := p.conn.SyscallConn()
	if err != nil {
		p.t.Fatal(err)
	}
	var n int
	var failure error
	err = raw.Read(func(fd uintptr) bool {
		n, _, failure = syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		return true
	})
	if err != nil || failure != syscall.EAGAIN || p.r.Buffered() > 0 {
		p.t.Fatalf("the server does not wait after %q: %d bytes, %v, %v", after, n, failure, err)
	}
}

// wantEnd checks that nothing more comes and that the server ends the stream,
// though the client has not.
func (p *wirePeer) wantEnd() {
	p.t.Helper()
	rest, err := io.ReadAll(p.r)
	if err != nil || len(rest) > 0 {
		p.t.Fatalf("the stream should end: %q, %v", clipped(string(rest)), err)
	}
}

func clipped(s string) string {
	if len(s) > 300 {
		return s[:300] + "..."
	}
	return strings.TrimRight(s, "\n")
}
