package server

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gale-server/gale/asgi"
)

// BenchmarkIdleWebSocket measures what an open WebSocket without traffic costs,
// in bytes of heap and stacks after a collection. The clients are bare
// descriptors, so that all the memory is the server's.
func BenchmarkIdleWebSocket(b *testing.B) {
	for name, echo := range map[string]asgi.Handler{
		"event":     echoHandler,
		"coroutine": asgi.Coroutine(echoApp),
		"serial":    asgi.Serial(echoHandler, nil),
	} {
		b.Run(name, func(b *testing.B) {
			const conns = 5000
			h := asgi.HandlerFunc(func(s *asgi.Scope, x asgi.Exchange) asgi.Receiver {
				if s.Type == asgi.ScopeLifespan {
					x.End(asgi.ErrUnsupportedScope)
					return nil
				}
				return echo.Open(s, x)
			})
			for b.Loop() {
				r := run(b, Config{Handler: h})
				clients := make([]int, 0, conns+1)
				clients = append(clients, bareWebSocket(b, r.addr)) // with it comes what is made once
				before := memory()
				for range conns {
					clients = append(clients, bareWebSocket(b, r.addr))
				}
				b.ReportMetric(float64(memory()-before)/conns, "B/conn")
				for _, fd := range clients {
					unix.Close(fd)
				}
				must(b, r.end())
			}
		})
	}
}

// bareWebSocket opens a WebSocket and returns its descriptor.
func bareWebSocket(b *testing.B, addr string) int {
	b.Helper()
	fd := dialBare(b, addr)
	_, err := unix.Write(fd, []byte(handshake))
	must(b, err)
	var out [512]byte
	n, err := unix.Read(fd, out[:])
	must(b, err)
	wantStatus(b, string(out[:n]), "101")
	return fd
}
