package longpoll_test

import (
	"fmt"
	"net/netip"
	"runtime"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/server"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/longpoll"
)

// BenchmarkParkedPoll measures what a parked poll costs, with its connection, in
// bytes of heap and stacks after a collection, and what any request costs the
// engine that is not answered. The clients are bare descriptors, so that all the
// memory is the server's.
func BenchmarkParkedPoll(b *testing.B) {
	for _, bench := range []struct{ name, path, query, fields string }{
		{"engine", "/park", "", ""},
		{"program", "/hub/poll", "", ""},
		{"sid", "/hub/poll", "&sid=0123456789abcdef", ""},
		{"browser", "/hub/poll", "&sid=0123456789abcdef", "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n" +
			"Accept: */*\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\nReferer: http://chat.example/\r\n" +
			"Sec-Fetch-Dest: empty\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Site: same-origin\r\nConnection: keep-alive\r\n"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			const polls = 5000
			for b.Loop() {
				e, mux := newEngine(b, longpoll.Config{PollRate: -1})
				var unanswered atomic.Int64
				mux.HTTP("/park", asgi.HandlerFunc(func(*asgi.Scope, asgi.Exchange) asgi.Receiver {
					unanswered.Add(1)
					return asgi.ReceiverFunc(func(asgi.ReceiveEvent) {})
				}))
				waiting := func(n int) {
					e.until("parked", func(s longpoll.Stats) bool { return s.Parked+int(unanswered.Load()) == n })
				}
				srv, err := server.New(server.Config{Handler: mux, Logger: quiet, HalfClose: server.HalfCloseDisconnects})
				if err != nil {
					b.Fatal(err)
				}
				e.run(srv)
				at := e.poll("ch=a&wait=0").Cursor
				open := func(i int) int {
					query := with("a", at)
					if bench.query != "" {
						query += fmt.Sprint(bench.query, i)
					}
					return barePoll(b, e.Addr, bench.path, query, bench.fields)
				}
				clients := []int{open(0)} // with it comes what is made once
				waiting(1)
				before := memory()
				for i := range polls {
					clients = append(clients, open(i+1))
				}
				waiting(polls + 1)
				b.ReportMetric(float64(memory()-before)/polls, "B/poll")
				for _, fd := range clients {
					unix.Close(fd)
				}
				if err := e.Stop(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkWake measures what it takes to answer parked polls of one channel when
// something comes, with the clients' side left out: they do not read.
func BenchmarkWake(b *testing.B) {
	const polls = 2000
	e, mux := newEngine(b, longpoll.Config{PollRate: -1})
	srv, err := server.New(server.Config{Handler: mux, Logger: quiet})
	if err != nil {
		b.Fatal(err)
	}
	e.run(srv)
	at := e.poll("ch=a&wait=0").Cursor
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		var clients []int
		for range polls {
			clients = append(clients, barePoll(b, e.Addr, "/hub/poll", with("a", at), ""))
		}
		e.parked(polls)
		b.StartTimer()
		r, err := e.hub.PublishOne(hub.Publication{Channel: "a", Data: []byte("hello")})
		if err != nil {
			b.Fatal(err)
		}
		e.parked(0)
		b.StopTimer()
		at = e.poll(fmt.Sprintf("ch=a&wait=0&after=%s:%d", r.Epoch, r.Offset)).Cursor
		for _, fd := range clients {
			unix.Close(fd)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/polls, "ns/wake")
}

// memory is the bytes of heap and stacks in use.
func memory() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// barePoll sends a poll and returns the descriptor of its connection.
func barePoll(b *testing.B, addr, path, query, fields string) int {
	b.Helper()
	to := netip.MustParseAddrPort(addr)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		b.Fatal(err)
	}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}); err != nil {
		b.Fatal(err)
	}
	if _, err := unix.Write(fd, fmt.Appendf(nil, "GET %s?%s HTTP/1.1\r\nHost: h\r\n%s\r\n", path, query, fields)); err != nil {
		b.Fatal(err)
	}
	return fd
}
