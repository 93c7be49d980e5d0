package eventloop

import (
	"bytes"
	"crypto/sha256"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestEcho(t *testing.T) {
	s := serve(t, Config{Open: echo})
	c := s.dial()
	for range 3 {
		write(t, c, "hello")
		if got := readN(t, c, 5); got != "hello" {
			t.Fatalf("got %q", got)
		}
	}
	write(t, c, "and out")
	_ = c.(*net.TCPConn).CloseWrite()
	if got := readAll(t, c); got != "and out" {
		t.Fatalf("got %q", got)
	}
}

// TestEchoMuch sends more than every buffer in between holds, in both
// directions at once, and stops reading while the outbox is full.
func TestEchoMuch(t *testing.T) {
	const total = 32 << 20
	s := serve(t, Config{Open: func(c Conn) Protocol {
		return &hooks{
			data: func(p []byte) {
				c.Write(p)
				if c.Buffered() > 256<<10 {
					c.PauseRead()
				}
			},
			drained: c.ResumeRead,
			eof:     c.Close,
		}
	}})
	c := s.dial().(*net.TCPConn)
	sum := sha256.New()
	go func() { // ends with the stream, or when the test closes c
		block := make([]byte, 100_000)
		for sent := 0; sent < total; {
			for i := range block {
				block[i] = byte(sent >> (i % 24))
			}
			n, err := c.Write(block[:min(len(block), total-sent)])
			sum.Write(block[:n])
			if sent += n; err != nil {
				return
			}
		}
		_ = c.CloseWrite()
	}()
	got := sha256.New()
	n, err := io.Copy(got, c)
	if err != nil || n != total {
		t.Fatalf("%d bytes came back: %v", n, err)
	}
	if !bytes.Equal(got.Sum(nil), sum.Sum(nil)) {
		t.Error("other bytes came back")
	}
}

// TestPauseStopsTheSender pauses, sees the sender blocked by flow control, and
// gets every byte after that.
func TestPauseStopsTheSender(t *testing.T) {
	const total = 64 << 20
	conns := make(chan Conn, 1)
	got, calls := 0, 0
	s := serve(t, Config{Open: func(c Conn) Protocol {
		conns <- c
		return &hooks{data: func(p []byte) {
			calls++
			if got += len(p); got == len(p) {
				c.PauseRead()
			}
		}, eof: c.Close}
	}})
	c := s.dial().(*net.TCPConn)
	block := make([]byte, 1<<20)
	sent := 0
	_ = c.SetWriteDeadline(time.Now().Add(200 * time.Millisecond)) // the time flow control has to bite
	for sent < total {
		n, err := c.Write(block)
		sent += n
		if err != nil {
			break
		}
	}
	if sent >= total {
		t.Fatal("the pause did not stop the sender")
	}
	conn := receive(t, conns)
	during := make(chan int, 1)
	conn.Post(func() {
		during <- calls
		conn.ResumeRead()
	})
	if n := receive(t, during); n != 1 {
		t.Fatalf("%d deliveries during the pause", n)
	}
	_ = c.SetWriteDeadline(time.Now().Add(patience))
	for sent < total {
		n, err := c.Write(block[:min(len(block), total-sent)])
		if err != nil {
			t.Fatal(err)
		}
		sent += n
	}
	_ = c.CloseWrite()
	readAll(t, c)
	done := make(chan int, 1)
	s.Loop(conn.Loop().Index()).Post(func() { done <- got })
	if n := receive(t, done); n != total {
		t.Fatalf("%d bytes arrived of %d", n, total)
	}
}

// TestCloseFlushesToASlowReader closes with 8 MiB in the outbox.
func TestCloseFlushesToASlowReader(t *testing.T) {
	const total = 8 << 20
	closed := make(chan error, 1)
	s := serve(t, Config{Open: func(c Conn) Protocol {
		return &hooks{data: func([]byte) {
			c.Write(bytes.Repeat([]byte("8"), total))
			c.Close()
		}, closed: func(err error) { closed <- err }}
	}})
	c := s.dial()
	_ = c.(*net.TCPConn).SetReadBuffer(16 << 10)
	write(t, c, "go")
	n := 0
	for p := make([]byte, 50_000); ; {
		m, err := c.Read(p)
		n += m
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("after %d bytes: %v", n, err)
		}
	}
	if n != total {
		t.Errorf("%d bytes arrived", n)
	}
	_ = c.Close()
	wantErr(t, receive(t, closed), nil)
}

// TestCloseWithUnreadInput answers a large upload without reading it: the answer
// must arrive in spite of it.
func TestCloseWithUnreadInput(t *testing.T) {
	s := serve(t, Config{LingerBytes: -1, Open: func(c Conn) Protocol {
		return &hooks{data: func([]byte) {
			c.Write([]byte("413"))
			c.Close()
		}}
	}})
	for range 20 {
		c := s.dial().(*net.TCPConn)
		if _, err := c.Write(make([]byte, 4<<20)); err != nil {
			t.Fatal(err)
		}
		_ = c.CloseWrite()
		if got := readAll(t, c); got != "413" {
			t.Fatalf("got %q", got)
		}
	}
}

func TestWriteTimeoutOnASocket(t *testing.T) {
	closed := make(chan error, 1)
	s := serve(t, Config{WriteTimeout: 50 * time.Millisecond, Open: func(c Conn) Protocol {
		return &hooks{
			data:   func([]byte) { c.Write(make([]byte, 16<<20)) },
			closed: func(err error) { closed <- err },
		}
	}})
	c := s.dial()
	write(t, c, "go")
	wantErr(t, receive(t, closed), ErrWriteTimeout)
	if _, err := io.Copy(io.Discard, c); err == nil {
		t.Error("the truncated stream ended as if it were whole")
	}
}

func TestEchoAllocatesNothing(t *testing.T) {
	s := serve(t, Config{Open: echo, Loops: 1})
	c := s.dial()
	p := make([]byte, 125)
	turn := func() {
		if _, err := c.Write(p); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, p); err != nil {
			t.Fatal(err)
		}
	}
	turn()
	if n := testing.AllocsPerRun(200, turn); n >= 1 {
		t.Errorf("%v allocations per echo", n)
	}
}

// TestUrgentDataIsNoEnd sends urgent data, which is reported as an end of stream
// is: as something that may follow a short read.
func TestUrgentDataIsNoEnd(t *testing.T) {
	conns, urgent, ended := make(chan Conn, 1), make(chan struct{}, 1), make(chan struct{}, 1)
	s := serve(t, Config{Loops: 1, Open: func(c Conn) Protocol {
		return &hooks{
			data:      func([]byte) { c.PauseRead(); conns <- c },
			peerEnded: func() { ended <- struct{}{} },
			eof:       c.Close,
		}
	}})
	c := s.dial().(*net.TCPConn)
	write(t, c, "pause")
	conn := receive(t, conns)
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if failed := raw.Control(func(fd uintptr) { err = unix.Sendto(int(fd), []byte("!"), unix.MSG_OOB, nil) }); failed != nil || err != nil {
		t.Fatal(failed, err)
	}
	// What another conn of the loop sends is reported behind it.
	write(t, s.dial(), "pause")
	receive(t, conns).Post(func() { urgent <- struct{}{} })
	receive(t, urgent)
	if len(ended) > 0 {
		t.Error("urgent data was taken for the end of the stream")
	} else {
		_ = c.CloseWrite()
		receive(t, ended)
	}
	_ = c.CloseWrite()
	conn.Post(conn.ResumeRead)
	readAll(t, c)
}
