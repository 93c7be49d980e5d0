package nethttp_test

import (
	"context"
	"net"
	"testing"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/nethttp"
)

// An application that waits for ever although its client has gone ends with the
// server, and its timers do not.
func TestWaitingEndsWithTheServer(t *testing.T) {
	for name, ask := range map[string]func(addr string) net.Conn{
		"http": func(addr string) net.Conn {
			conn, _ := dial(t, addr, get)
			return conn
		},
		"websocket": func(addr string) net.Conn { return dialWebSocket(t, addr).NetConn() },
	} {
		t.Run(name, func(t *testing.T) {
			asked, left, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
			addr, stop := start(t, nethttp.Config{Handler: asgi.Coroutine(
				func(ctx context.Context, scope *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
					switch scope.Type {
					case asgi.ScopeLifespan:
						return asgi.ErrUnsupportedScope
					case asgi.ScopeWebSocket:
						_, _ = receive(ctx)
						if err := send(ctx, &asgi.WebSocketAccept{}); err != nil {
							t.Error(err)
						}
					}
					context.AfterFunc(ctx, func() { close(left) })
					close(asked)
					_, err := asgi.Await(context.WithoutCancel(ctx), func(func(int, error)) {})
					ended <- err
					return err
				})})
			conn := ask(addr)
			<-asked
			conn.Close()
			<-left
			if err := stop(); err != nil {
				t.Error(err)
			}
			if err := <-ended; err == nil {
				t.Error("what never came was awaited without an error")
			}
		})
	}
}
