package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gale-server/gale/examples/internal/exampletest"
)

func dial(t *testing.T, host string) *websocket.Conn {
	t.Helper()
	conn, _, err := websocket.DefaultDialer.Dial("ws://"+host+"/chat", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
	return conn
}

func say(t *testing.T, conn *websocket.Conn, text string) {
	t.Helper()
	if err := conn.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func hear(t *testing.T, conn *websocket.Conn, want string) {
	t.Helper()
	if _, got, err := conn.ReadMessage(); err != nil || string(got) != want {
		t.Fatalf("heard %q, %v, want %q", got, err, want)
	}
}

func TestPage(t *testing.T) {
	r, err := http.Get("http://" + exampletest.Start(t, run) + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != 200 || !strings.Contains(string(body), "<h1>A small chat</h1>") {
		t.Errorf("%s %q %v", r.Status, body, err)
	}
}

func TestEverybodyHears(t *testing.T) {
	host := exampletest.Start(t, run)
	var conns []*websocket.Conn
	for i := range 5 {
		conn := dial(t, host)
		say(t, conn, fmt.Sprintf("I am %d", i))
		conns = append(conns, conn)
		for _, c := range conns { // nobody is there before it is heard
			hear(t, c, fmt.Sprintf("I am %d", i))
		}
	}
	conns[0].Close()
	say(t, conns[1], "who is left?")
	for _, c := range conns[1:] {
		hear(t, c, "who is left?")
	}
}

func TestTooLongIsRefused(t *testing.T) {
	conn := dial(t, exampletest.Start(t, run))
	say(t, conn, strings.Repeat("x", 1000))
	hear(t, conn, strings.Repeat("x", 1000))
	say(t, conn, strings.Repeat("x", 1001))
	if _, _, err := conn.ReadMessage(); !websocket.IsCloseError(err, websocket.ClosePolicyViolation) {
		t.Errorf("ended with %v, want 1008", err)
	}
}
