// Package exampletest runs an example in its test.
package exampletest

import (
	"context"
	"net"
	"net/http"
	"testing"

	"github.com/gale-server/gale/asgi/asgitest"
)

// Start runs an example until the test ends, on a free port, and returns its host
// and port. An error that it returns fails the test, and so does a goroutine or
// descriptor that is left.
func Start(t *testing.T, run func(ctx context.Context, addr string, ready func(net.Addr)) error) (host string) {
	t.Helper()
	asgitest.CheckLeaks(t)
	ctx, cancel := context.WithCancel(context.Background())
	addrs, ended := make(chan net.Addr, 1), make(chan error, 1)
	go func() { ended <- run(ctx, "127.0.0.1:0", func(addr net.Addr) { addrs <- addr }) }() // ends with ctx
	select {
	case addr := <-addrs:
		t.Cleanup(func() {
			http.DefaultClient.CloseIdleConnections()
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
		return addr.String()
	case err := <-ended:
		cancel()
		t.Fatal(err)
		return ""
	}
}
