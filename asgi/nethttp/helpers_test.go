package nethttp_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/asgi/nethttp"
	"github.com/gale-server/gale/internal/longtest"
)

// waitLimit bounds every wait of a test.
const waitLimit = longtest.Patience

// serve runs a server until the test is over, and checks that nothing is left.
func serve(t testing.TB, cfg nethttp.Config) (addr string) {
	t.Helper()
	addr, stop := start(t, cfg)
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return addr
}

// start runs a server until stop, which returns what Run does.
func start(t testing.TB, cfg nethttp.Config) (addr string, stop func() error) {
	t.Helper()
	asgitest.CheckGoroutines(t)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if cfg.DrainTimeout == 0 {
		cfg.DrainTimeout = 2 * time.Second
	}
	srv, err := nethttp.NewServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	bound, err := srv.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx) }() // ends with stop
	return bound.String(), func() error {
		cancel()
		return <-done
	}
}

// dial connects to addr and sends text.
func dial(t testing.TB, addr, text string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(waitLimit))
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	return conn, bufio.NewReader(conn)
}

func response(t testing.TB, r *bufio.Reader, method string) (*http.Response, string) {
	t.Helper()
	res, err := http.ReadResponse(r, &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

func dialWebSocket(t testing.TB, addr string) *gorilla.Conn {
	t.Helper()
	ws, _, err := gorilla.DefaultDialer.Dial("ws://"+addr+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ws.Close() })
	ws.SetReadDeadline(time.Now().Add(waitLimit))
	return ws
}

// closeCode reads until the close frame and returns its code.
func closeCode(t testing.TB, ws *gorilla.Conn) int {
	t.Helper()
	for {
		_, _, err := ws.ReadMessage()
		if closed, ok := err.(*gorilla.CloseError); ok {
			return closed.Code
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// events is a Handler that notes what it gets, and does what on says.
type events struct {
	on func(x asgi.Exchange, ev asgi.ReceiveEvent)

	mu      sync.Mutex
	got     []string
	changed chan struct{}
}

func newEvents(on func(x asgi.Exchange, ev asgi.ReceiveEvent)) *events {
	return &events{on: on, changed: make(chan struct{})}
}

func (e *events) Open(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
	if scope.Type == asgi.ScopeLifespan {
		x.End(asgi.ErrUnsupportedScope)
		return nil
	}
	e.note("open")
	return asgi.ReceiverFunc(func(ev asgi.ReceiveEvent) {
		name := ev.EventType()
		if d, ok := ev.(*asgi.WebSocketDisconnect); ok {
			name = fmt.Sprint(name, " ", d.Code)
		}
		if e.on != nil {
			e.on(x, ev)
		}
		e.note(name)
	})
}

func (e *events) note(name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.got = append(e.got, name)
	close(e.changed)
	e.changed = make(chan struct{})
}

// wait waits until the last event noted is want, saw until there is one.
func (e *events) wait(t testing.TB, want string) {
	t.Helper()
	e.until(t, want, strings.HasSuffix)
}

func (e *events) saw(t testing.TB, want string) {
	t.Helper()
	e.until(t, want, strings.Contains)
}

func (e *events) until(t testing.TB, want string, holds func(got, want string) bool) {
	t.Helper()
	limit := time.After(waitLimit)
	for {
		e.mu.Lock()
		got, changed := strings.Join(e.got, ", "), e.changed
		e.mu.Unlock()
		if holds(got, want) {
			return
		}
		select {
		case <-changed:
		case <-limit:
			t.Fatalf("got %.200q, want %q", got, want)
		}
	}
}

func send(t testing.TB, x asgi.Exchange, evs ...asgi.SendEvent) {
	t.Helper()
	for _, ev := range evs {
		if err := x.Send(ev); err != nil {
			t.Errorf("%s: %v", ev.EventType(), err)
		}
	}
}

func whole(body string) []asgi.SendEvent {
	return []asgi.SendEvent{&asgi.HTTPResponseStart{Status: 200}, &asgi.HTTPResponseBody{Body: []byte(body)}}
}

// answering responds when the request is complete.
func answering(t testing.TB, body string) *events {
	return newEvents(func(x asgi.Exchange, ev asgi.ReceiveEvent) {
		if e, ok := ev.(*asgi.HTTPRequest); ok && !e.MoreBody {
			send(t, x, whole(body)...)
		}
	})
}

// accepting opens WebSockets and passes their messages to on.
func accepting(t testing.TB, on func(x asgi.Exchange, ev *asgi.WebSocketReceive)) *events {
	return newEvents(func(x asgi.Exchange, ev asgi.ReceiveEvent) {
		switch e := ev.(type) {
		case *asgi.WebSocketConnect:
			send(t, x, &asgi.WebSocketAccept{})
		case *asgi.WebSocketReceive:
			if on != nil {
				on(x, e)
			}
		}
	})
}
