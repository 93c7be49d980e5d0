package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gale-server/gale/examples/internal/exampletest"
)

func TestEcho(t *testing.T) {
	url := "ws://" + exampletest.Start(t, run)
	for _, path := range []string{"/event", "/coroutine"} {
		conn, _, err := websocket.DefaultDialer.Dial(url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
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
