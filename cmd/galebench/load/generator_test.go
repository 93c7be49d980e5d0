package load

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// serveConns runs serve on every conn of a listener that ends with the test.
func serveConns(t *testing.T, serve func(net.Conn)) netip.AddrPort {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() { // ends with the listener
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() { // ends with the conn, which the generator closes
				defer c.Close()
				serve(c)
			}()
		}
	}()
	return ln.Addr().(*net.TCPAddr).AddrPort()
}

func echoServer(c net.Conn) { _, _ = io.Copy(c, c) }

func open(t *testing.T, cfg Config) *Generator {
	t.Helper()
	g, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

const runTime = 50 * time.Millisecond

func TestRun(t *testing.T) {
	g := open(t, Config{Server: serveConns(t, echoServer), Dialogue: NewEcho(125), Conns: 20, Depth: 4})
	for range 2 { // what is under way goes on in the second
		r, err := g.Run(runTime)
		if err != nil {
			t.Fatal(err)
		}
		if r.Messages < 20 || r.Elapsed < runTime || r.Latency.Quantile(1) <= 0 || r.Latency.Quantile(0.5) > r.Elapsed {
			t.Errorf("%d messages in %v, median latency %v", r.Messages, r.Elapsed, r.Latency.Quantile(0.5))
		}
	}
	if r, err := g.Run(0); err != nil || r.Messages == 0 || r.Messages > 20*4 {
		t.Errorf("%d messages until the first, error %v", r.Messages, err)
	}
}

// Batches beyond what the buffers of a socket hold are sent and received in
// pieces.
func TestRunWithLargeBatches(t *testing.T) {
	g := open(t, Config{Server: serveConns(t, echoServer), Dialogue: NewEcho(1 << 20), Conns: 2, Depth: 16})
	var messages int64
	for deadline := time.Now().Add(Patience); messages < 3*2*16; {
		r, err := g.Run(runTime)
		if err != nil {
			t.Fatal(err)
		}
		messages += r.Messages
		if time.Now().After(deadline) {
			t.Fatalf("%d messages", messages)
		}
	}
}

func TestRunFails(t *testing.T) {
	const size = 10
	for _, c := range []struct {
		name  string
		serve func(net.Conn, []byte) // after the first exchange
		want  error
	}{
		{"hangs up", func(c net.Conn, _ []byte) {}, errHungUp},
		{"lies", func(c net.Conn, p []byte) { p[5]++; _, _ = c.Write(p); _, _ = io.Copy(io.Discard, c) }, errReply},
		{"says too much", func(c net.Conn, p []byte) { _, _ = c.Write(append(p, p...)); _, _ = io.Copy(io.Discard, c) }, errTooMany},
		{"answers half and hangs up", answerHalf, errHungUp},
		{"answers and hangs up", func(c net.Conn, p []byte) { _, _ = c.Write(p) }, errHungUp},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := serveConns(t, func(conn net.Conn) {
				p := make([]byte, size)
				for range 2 {
					if _, err := io.ReadFull(conn, p); err != nil {
						return
					}
					if _, err := conn.Write(p); err != nil {
						return
					}
				}
				if _, err := io.ReadFull(conn, p); err != nil {
					return
				}
				c.serve(conn, p)
			})
			g := open(t, Config{Server: server, Dialogue: NewEcho(size), Conns: 3})
			if err := g.Check(1); err != nil {
				t.Fatal(err)
			}
			if _, err := g.Run(Patience); !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
}

// answerHalf sends half of p and the end of the stream in one segment, so that
// the client hears of both at once and once.
func answerHalf(c net.Conn, p []byte) {
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_CORK, 1) })
	_, _ = c.Write(p[:len(p)/2])
	_ = c.(*net.TCPConn).CloseWrite()
	_, _ = io.Copy(io.Discard, c)
}

func TestOpenFails(t *testing.T) {
	for name, answer := range map[string]string{
		"refused":         "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
		"another key":     "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: AAAA\r\n\r\n",
		"no head":         "HTTP/1.1 101 Sw",
		"not to the echo": "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: " + handshakeAccept + "\r\n\r\n\x88\x00",
	} {
		t.Run(name, func(t *testing.T) {
			server := serveConns(t, func(c net.Conn) {
				p := make([]byte, len(handshake))
				if _, err := io.ReadFull(c, p); err != nil {
					return
				}
				_, _ = io.WriteString(c, answer)
				_ = c.(*net.TCPConn).CloseWrite()
				_, _ = io.Copy(io.Discard, c)
			})
			if _, err := Open(Config{Server: server, Dialogue: NewWebSocketEcho(1)}); err == nil {
				t.Error("it was opened")
			}
		})
	}
	t.Run("nobody listens", func(t *testing.T) {
		if _, err := Open(Config{Server: netip.MustParseAddrPort("127.0.0.1:1"), Dialogue: NewEcho(1)}); err == nil {
			t.Error("it was opened")
		}
	})
}

// A second source address serves as well as the first.
func TestSources(t *testing.T) {
	sources := make(chan string, 1)
	server := serveConns(t, func(c net.Conn) { sources <- c.RemoteAddr().(*net.TCPAddr).IP.String() })
	for source, want := range []string{"127.0.0.1", "127.0.0.2", "127.0.0.3"} {
		c, err := dial(server, source)
		if err != nil {
			t.Fatal(err)
		}
		c.close()
		if got := <-sources; got != want {
			t.Errorf("source %d is %s, want %s", source, got, want)
		}
	}
}

// stalling echoes bytes, and is late by d with the fifth.
func stalling(d time.Duration) func(net.Conn) {
	return func(c net.Conn) {
		p := make([]byte, 1)
		for n := 1; ; n++ {
			if _, err := io.ReadFull(c, p); err != nil {
				return
			}
			if n == 5 {
				<-time.After(d)
			}
			if _, err := c.Write(p); err != nil {
				return
			}
		}
	}
}

// A server that stalls once for many intervals makes every batch late that was
// due meanwhile, not only the one it held.
func TestIntervalCountsWhatWasDue(t *testing.T) {
	const interval, stall = 5 * time.Millisecond, 200 * time.Millisecond
	g := open(t, Config{Server: serveConns(t, stalling(stall)), Dialogue: NewEcho(1), Interval: interval})
	r, err := g.Run(3 * stall)
	if err != nil {
		t.Fatal(err)
	}
	late := 0
	for i, n := range r.Latency.counts {
		if upper(i) > stall/4 {
			late += int(n)
		}
	}
	if want := int(stall*3/4/interval) - 5; late < want {
		t.Errorf("%d batches of %d were late, want %d", late, r.Messages, want)
	}
}

// An interval bounds the rate, over all conns together, and a pause between two
// runs is not the server's fault.
func TestIntervalPaces(t *testing.T) {
	const conns, interval = 10, 50 * time.Millisecond
	g := open(t, Config{Server: serveConns(t, echoServer), Dialogue: NewEcho(125), Conns: conns, Interval: interval})
	for range 2 {
		r, err := g.Run(4 * interval)
		if err != nil {
			t.Fatal(err)
		}
		if most := conns * (int64(r.Elapsed/interval) + 2); r.Messages == 0 || r.Messages > most {
			t.Errorf("%d messages in %v, want at most %d", r.Messages, r.Elapsed, most)
		}
		if lowest := r.Latency.Quantile(0.01); lowest > r.Elapsed {
			t.Errorf("the fastest reply took %v of %v", lowest, r.Elapsed)
		}
		<-time.After(2 * r.Elapsed)
	}
}
