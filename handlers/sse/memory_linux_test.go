package sse_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gale-server/gale/asgi/server"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/sse"
)

// BenchmarkIdleStream measures what a stream costs on which nothing happens, with
// its connection, in bytes of heap and stacks after a collection. The clients are
// bare descriptors, so that all the memory is the server's.
func BenchmarkIdleStream(b *testing.B) {
	const streams = 2000
	for _, bench := range []struct{ name, user, query, fields string }{
		{"program", "", "ch=a", ""},
		{"user", "ann", "ch=a", ""},
		{"ten channels", "ann", "ch=a,b,c,d,e,f,g,h,i,j", ""},
		{"browser", "ann", "ch=a", "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n" +
			"Accept: text/event-stream\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\n" +
			"Referer: http://chat.example/\r\nCache-Control: no-cache\r\nPragma: no-cache\r\nSec-Fetch-Dest: empty\r\n" +
			"Sec-Fetch-Mode: cors\r\nSec-Fetch-Site: same-origin\r\nConnection: keep-alive\r\n"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			for b.Loop() {
				s := newStation(b, hub.Config{Now: time.Now, MaxClientsPerUser: streams + 1}, sse.Config{Authenticate: as(bench.user)})
				srv, err := server.New(server.Config{Handler: s.handler, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
				if err != nil {
					b.Fatal(err)
				}
				addr, err := srv.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					b.Fatal(err)
				}
				ctx, cancel := context.WithCancel(context.Background())
				ended := make(chan error, 1)
				go func() { ended <- srv.Run(ctx) }()
				clients := []int{bareStream(b, addr.String(), bench.query, bench.fields)} // with it comes what is made once
				before := memory()
				for range streams {
					clients = append(clients, bareStream(b, addr.String(), bench.query, bench.fields))
				}
				if n := s.handler.Stats().Streams; n != streams+1 {
					b.Errorf("%d streams", n)
				}
				b.ReportMetric(float64(memory()-before)/streams, "B/stream")
				for _, fd := range clients {
					unix.Close(fd)
				}
				cancel()
				if err := <-ended; err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// memory is the bytes of heap and stacks in use.
func memory() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// bareStream opens a stream, reads its beginning and returns its descriptor.
func bareStream(b *testing.B, addr, query, fields string) int {
	b.Helper()
	to := netip.MustParseAddrPort(addr)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		b.Fatal(err)
	}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}); err != nil {
		b.Fatal(err)
	}
	if _, err := unix.Write(fd, fmt.Appendf(nil, "GET /hub/sse?%s HTTP/1.1\r\nHost: h\r\n%s\r\n", query, fields)); err != nil {
		b.Fatal(err)
	}
	if n, err := unix.Read(fd, make([]byte, 512)); n < 12 || err != nil {
		b.Fatal(n, err)
	}
	return fd
}
