package eventloop

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// unchecked turns the ownership check off for a benchmark.
func unchecked(b *testing.B) {
	checkOwner = false
	b.Cleanup(func() { checkOwner = true })
}

// BenchmarkEcho is one request and its answer on one conn.
func BenchmarkEcho(b *testing.B) {
	unchecked(b)
	s := serve(b, Config{Open: echo, Loops: 1})
	c := s.dial()
	p := make([]byte, 125)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Write(p); err != nil {
			b.Fatal(err)
		}
		if _, err := c.Read(p); err != nil {
			b.Fatal(err)
		}
	}
}

// rawClient connects without the runtime's poller, so that a client costs
// nothing but its descriptor.
func rawClient(b *testing.B, s *server) int {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		b.Fatal(err)
	}
	unix.CloseOnExec(fd)
	to := &unix.SockaddrInet4{Port: int(s.addr.AddrPort.Port()), Addr: [4]byte{127, 0, 0, 1}}
	if err := unix.Connect(fd, to); err != nil {
		b.Fatal(err)
	}
	return fd
}

// BenchmarkEchoBatch has 64 conns with a request each under way.
func BenchmarkEchoBatch(b *testing.B) {
	unchecked(b)
	s := serve(b, Config{Open: echo, Loops: 1})
	var clients []int
	for range 64 {
		clients = append(clients, rawClient(b, s))
	}
	p := make([]byte, 125)
	b.ReportAllocs()
	for b.Loop() {
		for _, fd := range clients {
			if _, err := unix.Write(fd, p); err != nil {
				b.Fatal(err)
			}
		}
		for _, fd := range clients {
			if _, err := unix.Read(fd, p); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(clients)), "ns/echo")
	for _, fd := range clients {
		_ = unix.Close(fd)
	}
}

// BenchmarkFanOut publishes 16 messages in one turn to 200 conns.
func BenchmarkFanOut(b *testing.B) {
	unchecked(b)
	const subscribers, publishes = 200, 16
	var conns []Conn // owned by the loop
	var opened atomic.Int64
	s := serve(b, Config{Loops: 1, Open: func(c Conn) Protocol {
		conns = append(conns, c)
		opened.Add(1)
		return &hooks{eof: c.Close}
	}})
	var clients []int
	for range subscribers {
		clients = append(clients, rawClient(b, s))
	}
	eventually(b, func() bool { return opened.Load() == subscribers }, func() string { return "conns did not open" })
	message := make([]byte, 200)
	p := make([]byte, publishes*len(message))
	var sent sync.WaitGroup
	b.ReportAllocs()
	for b.Loop() {
		sent.Add(1)
		s.Loop(0).Post(func() {
			for range publishes {
				for _, c := range conns {
					c.Write(message)
				}
			}
			sent.Done()
		})
		sent.Wait()
		for _, fd := range clients {
			if n, err := unix.Read(fd, p); n != len(p) {
				b.Fatal(n, err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*subscribers*publishes), "ns/delivery")
	for _, fd := range clients {
		_ = unix.Close(fd)
	}
}

// BenchmarkIdle measures what an idle conn holds, after it echoed a message,
// beside the kernel's part and that of its protocol.
func BenchmarkIdle(b *testing.B) {
	unchecked(b)
	const conns = 4000
	shared := &hooks{}
	s := serve(b, Config{Loops: 2, Open: func(c Conn) Protocol {
		c.Write([]byte("hello"))
		return shared
	}})
	for b.Loop() {
		before := heap()
		var clients []int
		p := make([]byte, 5)
		for range conns {
			fd := rawClient(b, s)
			if n, err := unix.Read(fd, p); n != 5 {
				b.Fatal(n, err)
			}
			clients = append(clients, fd)
		}
		b.ReportMetric(float64(heap()-before-uint64(8*cap(clients)))/conns, "B/conn")
		for _, fd := range clients {
			_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
			_ = unix.Close(fd)
		}
		eventually(b, func() bool { return s.Conns() == 0 }, func() string { return "conns did not close" })
	}
}

// heap is what is in use after a collection.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
