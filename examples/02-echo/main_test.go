package main

import (
	"bytes"
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gale-server/gale/asgi/asgitest"
)

// start runs the example until the test ends and returns its URL.
func start(t *testing.T) string {
	t.Helper()
	asgitest.CheckLeaks(t)
	ctx, cancel := context.WithCancel(context.Background())
	addrs, ended := make(chan net.Addr, 1), make(chan error, 1)
	go func() { ended <- run(ctx, "127.0.0.1:0", func(addr net.Addr) { addrs <- addr }) }()
	select {
	case addr := <-addrs:
		t.Cleanup(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
		return "ws://" + addr.String()
	case err := <-ended:
		cancel()
		t.Fatal(err)
		return ""
	}
}

func TestEcho(t *testing.T) {
	url := start(t)
	for _, path := range []string{"/event", "/coroutine"} {
		conn, _, err := websocket.DefaultDialer.Dial(url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		for _, m := range []struct {
			kind int
			data string
		}{
			{websocket.TextMessage, "hello"},
			{websocket.BinaryMessage, "\x00\xff"},
			{websocket.TextMessage, ""},
			{websocket.BinaryMessage, strings.Repeat("x", 1<<20)},
		} {
			if err := conn.WriteMessage(m.kind, []byte(m.data)); err != nil {
				t.Fatal(err)
			}
			kind, data, err := conn.ReadMessage()
			if err != nil || kind != m.kind || !bytes.Equal(data, []byte(m.data)) {
				t.Fatalf("%s: %d bytes came back as %d: %v", path, len(m.data), len(data), err)
			}
		}
		bye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "bye")
		if err := conn.WriteMessage(websocket.CloseMessage, bye); err != nil {
			t.Fatal(err)
		}
		if _, _, err := conn.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseNormalClosure) {
			t.Errorf("%s: closing ended with %v", path, err)
		}
		conn.Close()
	}
}
