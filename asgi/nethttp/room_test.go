package nethttp

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
)

// noContent answers with 204.
func noContent(ctx context.Context, s *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
	if s.Type == asgi.ScopeLifespan {
		return asgi.ErrUnsupportedScope
	}
	if err := send(ctx, &asgi.HTTPResponseStart{Status: 204}); err != nil {
		return err
	}
	return send(ctx, &asgi.HTTPResponseBody{})
}

// ask makes a request on a connection of its own, and returns the beginning of the answer.
func ask(t *testing.T, addr net.Addr) (net.Conn, string) {
	t.Helper()
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	line := make([]byte, 12)
	if _, err := io.ReadFull(c, line); err != nil {
		t.Fatal(err)
	}
	return c, string(line)
}

// TestMaxConns has more clients than there is room for: they get 503 and an end, and
// who leaves makes room.
func TestMaxConns(t *testing.T) {
	srv, err := NewServer(Config{Handler: asgi.Coroutine(noContent), MaxConns: 2, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	addr, err := srv.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx) }() // ends below
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	ask := func() (net.Conn, string) { return ask(t, addr) }
	first, got := ask()
	_, more := ask()
	if got != "HTTP/1.1 204" || more != got {
		t.Fatalf("got %q and %q", got, more)
	}
	for range 20 {
		c, got := ask()
		rest, err := io.ReadAll(c)
		if got != "HTTP/1.1 503" || err != nil || !strings.HasSuffix(string(rest), "Connection: close\r\n\r\nService Unavailable\n") ||
			!strings.Contains(string(rest), "Server: gale\r\n") {
			t.Fatalf("got %q%q, %v", got, rest, err)
		}
		_ = c.Close()
	}
	_ = first.Close()
	for until := time.Now().Add(time.Minute); ; {
		if _, got := ask(); got == "HTTP/1.1 204" {
			break
		} else if time.Now().After(until) {
			t.Fatal("who leaves makes no room: " + fmt.Sprint(srv.room.open.Load()))
		}
	}
}
