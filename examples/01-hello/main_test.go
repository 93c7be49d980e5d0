package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

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
			http.DefaultClient.CloseIdleConnections()
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
		return "http://" + addr.String()
	case err := <-ended:
		cancel()
		t.Fatal(err)
		return ""
	}
}

func TestHello(t *testing.T) {
	url := start(t)
	for _, c := range []struct {
		method, path, body string
		status             int
		answer             string
	}{
		{"GET", "/", "", 200, "Hello, world!\n"},
		{"POST", "/greet", "Ada", 200, "Hello, Ada!\n"},
		{"POST", "/greet", strings.Repeat("a", 101), 413, ""},
		{"GET", "/nowhere", "", 404, "not found\n"},
		{"POST", "/", "", 405, "method not allowed\n"},
	} {
		request, err := http.NewRequest(c.method, url+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil || r.StatusCode != c.status || (c.answer != "" && string(answer) != c.answer) {
			t.Errorf("%s %s: %s %q, %v", c.method, c.path, r.Status, answer, err)
		}
	}
}
