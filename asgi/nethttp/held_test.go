package nethttp_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/nethttp"
)

// A handler that blocks does not hold up Run beyond the drain: the error names it.
func TestRunEndsBesideWhoBlocks(t *testing.T) {
	entered, free := make(chan struct{}), make(chan struct{})
	app := func(_ context.Context, s *asgi.Scope, _ asgi.Receive, _ asgi.Send) error {
		if s.Type != asgi.ScopeLifespan {
			blockOn(entered, free)
		}
		return nil
	}
	addr, stop := start(t, nethttp.Config{Handler: asgi.Coroutine(app), DrainTimeout: 10 * time.Millisecond})
	dial(t, addr, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	<-entered
	err := stop()
	close(free)
	if err == nil || !strings.Contains(err.Error(), "1 exchanges dropped, one of them is held by") || !strings.Contains(err.Error(), "nethttp_test.blockOn (") {
		t.Error(err)
	}
}

//go:noinline
func blockOn(entered, free chan struct{}) {
	close(entered)
	<-free
}

// A server without a listener would serve nobody, silently.
func TestRunWithoutListen(t *testing.T) {
	srv, err := nethttp.NewServer(nethttp.Config{Handler: answering(t, "")})
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "Run without Listen") {
		t.Error(err)
	}
	if _, err := srv.Listen("tcp", "127.0.0.1:0"); err == nil || !strings.Contains(err.Error(), "Listen after Run") {
		t.Error(err)
	}
}
