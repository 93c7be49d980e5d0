package nethttp_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/nethttp"
)

// What does not end within the drain is dropped, and told. A WebSocket whose
// peer does not answer the close is no loss.
func TestDrainDrops(t *testing.T) {
	h := accepting(t, nil)
	addr, stop := start(t, nethttp.Config{Handler: h, DrainTimeout: 50 * time.Millisecond})
	dial(t, addr, get)
	h.wait(t, "http.request")
	ws := dialWebSocket(t, addr)
	ws.SetCloseHandler(func(int, string) error { return nil }) // it does not answer
	h.wait(t, "websocket.connect")
	done := make(chan error, 1)
	go func() { done <- stop() }() // ends with the drain
	if got := closeCode(t, ws); got != 1012 {
		t.Errorf("close code %d, want 1012", got)
	}
	select {
	case err := <-done:
		if err == nil || !strings.Contains(err.Error(), "1 exchanges dropped") {
			t.Errorf("Run returns %v", err)
		}
	case <-time.After(waitLimit):
		t.Fatal("Run does not return")
	}
	for _, want := range []string{"gale.drain", "http.disconnect", "websocket.disconnect 1006"} {
		h.saw(t, want)
	}
}

// A client that has closed, but keeps its connection, holds up no drain.
func TestLingeringHoldsUpNoDrain(t *testing.T) {
	h := accepting(t, nil)
	addr, stop := start(t, nethttp.Config{Handler: h, DrainTimeout: 200 * time.Millisecond})
	ws := dialWebSocket(t, addr)
	if err := ws.WriteControl(gorilla.CloseMessage, gorilla.FormatCloseMessage(1000, ""), time.Now().Add(waitLimit)); err != nil {
		t.Fatal(err)
	}
	h.wait(t, "websocket.disconnect 1000")
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// A listener that cannot be had is an error, and Close releases the others.
func TestListen(t *testing.T) {
	srv, err := nethttp.NewServer(nethttp.Config{Handler: asgi.HandlerFunc(nil)})
	if err != nil {
		t.Fatal(err)
	}
	addr, err := srv.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := srv.Listen("tcp", addr.String()); err == nil {
		t.Error("one address is listened on twice")
	}
	if err := srv.Close(); err != nil {
		t.Error(err)
	}
	if err := srv.Run(context.Background()); err == nil {
		t.Error("a closed server runs")
	}
}

// Without a bound the drain waits as long as it takes, and there is no deadline
// to tell.
func TestDrainWithoutTimeout(t *testing.T) {
	exchanges, drains := make(chan asgi.Exchange, 1), make(chan *asgi.Drain, 1)
	h := newEvents(func(x asgi.Exchange, ev asgi.ReceiveEvent) {
		switch e := ev.(type) {
		case *asgi.HTTPRequest:
			exchanges <- x
		case *asgi.Drain:
			drains <- e
		}
	})
	addr, stop := start(t, nethttp.Config{Handler: h, DrainTimeout: -1})
	_, r := dial(t, addr, get)
	x := <-exchanges
	done := make(chan error, 1)
	go func() { done <- stop() }() // ends with the drain
	if d := <-drains; !d.Deadline.IsZero() {
		t.Error("a deadline:", d.Deadline)
	}
	x.Post(func() { send(t, x, whole("ok")...) })
	if res, body := response(t, r, "GET"); body != "ok" || !res.Close {
		t.Errorf("got %q, close %v", body, res.Close)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A WebSocket that is accepted while the server drains is closed like the
// others.
func TestDrainClosesNewWebSockets(t *testing.T) {
	h := newEvents(func(x asgi.Exchange, ev asgi.ReceiveEvent) {
		if _, ok := ev.(*asgi.Drain); ok {
			x.Post(func() { send(t, x, &asgi.WebSocketAccept{}) })
		}
	})
	addr, stop := start(t, nethttp.Config{Handler: h, DrainTimeout: 10 * time.Second}) // half of it is the spread of 1012
	dialed := make(chan *gorilla.Conn, 1)
	go func() { // ends with the handshake
		ws, _, err := gorilla.DefaultDialer.Dial("ws://"+addr+"/", nil)
		if err != nil {
			t.Error(err)
		}
		dialed <- ws
	}()
	h.wait(t, "websocket.connect")
	done := make(chan error, 1)
	go func() { done <- stop() }() // ends with the drain
	ws := <-dialed
	if ws == nil {
		t.FailNow()
	}
	t.Cleanup(func() { ws.Close() })
	ws.SetReadDeadline(time.Now().Add(waitLimit))
	if code := closeCode(t, ws); code != 1012 {
		t.Errorf("close code %d", code)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A Unix socket that a killed process left is replaced; one that is served, and
// what is no socket, stay.
func TestUnixSocket(t *testing.T) {
	dir := t.TempDir()
	path, file := filepath.Join(dir, "sock"), filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	left.Close() // as a kill does

	older := listening(t, path)
	srv := listening(t, filepath.Join(dir, "other"))
	defer srv.Close()
	for _, at := range []string{path, file} {
		if _, err := srv.Listen("unix", at); err == nil {
			t.Errorf("listening on %s", at)
		}
	}
	if p, err := os.ReadFile(file); string(p) != "precious" {
		t.Errorf("the file: %q, %v", p, err)
	}

	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	newer := listening(t, path)
	older.Close()
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the socket of the newer server is gone: %v", err)
	}
	newer.Close()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a closed server's socket: %v", err)
	}
}

// listening makes a server that listens on a Unix socket.
func listening(t *testing.T, path string) *nethttp.Server {
	t.Helper()
	srv, err := nethttp.NewServer(nethttp.Config{Handler: asgi.HandlerFunc(nil)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := srv.Listen("unix", path); err != nil {
		t.Fatal(err)
	}
	return srv
}
