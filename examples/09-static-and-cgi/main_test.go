package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/gale-server/gale/examples/internal/exampletest"
)

func start(t *testing.T) (host string) {
	t.Helper()
	return exampletest.Start(t, func(ctx context.Context, addr string, ready func(net.Addr)) error {
		return run(ctx, ".", addr, ready)
	})
}

func TestOnePort(t *testing.T) {
	host := start(t)
	for _, c := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"GET", "/", "", 200, "<title>From files to sockets</title>"},
		{"GET", "/page.js", "", 200, "new WebSocket"},
		{"GET", "/nothing", "", 404, ""},
		{"GET", "/cgi-bin/hello.sh", "", 200, "Hello from process "},
		{"GET", "/cgi-bin/environment.sh/extra/path?q=1", "", 200, "PATH_INFO=/extra/path\n"},
		{"POST", "/cgi-bin/words.sh", "text=one+two+three", 200, "3 words\n"},
		{"GET", "/cgi-bin/nothing.sh", "", 404, ""},
		{"GET", "/api/greet/world", "", 200, "Hello, world!\n"},
	} {
		request, err := http.NewRequest(c.method, "http://"+host+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || response.StatusCode != c.status || !strings.Contains(string(body), c.says) {
			t.Errorf("%s %s: %d %q, %v", c.method, c.path, response.StatusCode, body, err)
		}
	}
}

func TestEcho(t *testing.T) {
	ws, _, err := websocket.DefaultDialer.Dial("ws://"+start(t)+"/echo", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	if err := ws.WriteMessage(websocket.TextMessage, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, text, err := ws.ReadMessage(); err != nil || string(text) != "hello" {
		t.Errorf("%q, %v", text, err)
	}
}
