package eventloop

import (
	"bytes"
	"crypto/sha256"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/gale-server/gale/eventloop/internal/kernel"
)

func TestSizes(t *testing.T) {
	if n := unsafe.Sizeof(socket{}); n > 208 {
		t.Errorf("an idle conn takes %d bytes", n)
	}
}

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

func TestUrgentDataDoesNotHideWhatFollows(t *testing.T) {
	got := make(chan string, 10)
	s := serve(t, Config{Open: func(Conn) Protocol {
		text := ""
		return &hooks{data: func(p []byte) {
			if text += string(p); strings.HasSuffix(text, "after") {
				got <- text
			}
		}}
	}})
	// Stalling the loop makes all of it arrive before it reads.
	stall, stalled := make(chan bool), make(chan bool)
	for i := range s.Loops() {
		s.Loop(i).Post(func() { stalled <- true; <-stall })
		receive(t, stalled)
	}
	c := s.dial().(*net.TCPConn)
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	write(t, c, "before")
	var sendErr error
	_ = raw.Control(func(fd uintptr) { sendErr = unix.Sendto(int(fd), []byte("!"), unix.MSG_OOB, nil) })
	if sendErr != nil {
		t.Skip("no urgent data here: ", sendErr)
	}
	write(t, c, "after")
	close(stall)
	if text := receive(t, got); text != "beforeafter" {
		t.Errorf("got %q", text)
	}
}

func TestOptionsOfAcceptedSockets(t *testing.T) {
	type options struct{ nodelay, keepalive, nonblock, cloexec int }
	got := make(chan options, 1)
	s := serve(t, Config{Open: func(c Conn) Protocol {
		fd := int(c.(*socket).fd)
		var o options
		o.nodelay, _ = unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY)
		o.keepalive, _ = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE)
		flags, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		o.nonblock = flags & unix.O_NONBLOCK
		o.cloexec, _ = unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		got <- o
		return echo(c)
	}})
	s.dial()
	if o := receive(t, got); o.nodelay != 1 || o.keepalive != 1 || o.nonblock == 0 || o.cloexec != unix.FD_CLOEXEC {
		t.Errorf("options: %+v", o)
	}
}

func TestAddresses(t *testing.T) {
	for _, at := range []string{"127.0.0.1:0", "[::1]:0", ":0"} {
		type ends struct{ local, remote Addr }
		got := make(chan ends, 1)
		s := newServer(t, Config{Open: func(c Conn) Protocol {
			got <- ends{c.LocalAddr(), c.RemoteAddr()}
			return echo(c)
		}})
		if addr, err := s.Listen("tcp", at); err != nil {
			t.Skip(err)
		} else {
			s.addr = addr
		}
		s.Start()
		_, port, _ := net.SplitHostPort(s.addr.String())
		host := map[bool]string{true: "127.0.0.1", false: "::1"}[at != "[::1]:0"]
		c, err := net.Dial("tcp", net.JoinHostPort(host, port))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		e := receive(t, got)
		if e.local.String() != c.RemoteAddr().String() || e.remote.String() != c.LocalAddr().String() {
			t.Errorf("%s: the server says %v and %v, the client %v and %v", at, e.local, e.remote, c.RemoteAddr(), c.LocalAddr())
		}
	}
}

// TestManyConnections opens and closes 2,000 in every way; nothing may be left.
func TestManyConnections(t *testing.T) {
	s := serve(t, Config{Open: func(c Conn) Protocol {
		c.AfterFunc(time.Hour, func() {})
		c.SetDeadline(c.Now().Add(time.Hour))
		return echo(c)
	}})
	var clients sync.WaitGroup
	for n := range 20 {
		clients.Add(1)
		go func() {
			defer clients.Done()
			for i := range 100 {
				c, err := net.Dial("tcp", s.addr.String())
				if err != nil {
					t.Error(err)
					return
				}
				switch (n + i) % 4 {
				case 0:
					_ = c.(*net.TCPConn).SetLinger(0)
				case 1:
					_, _ = c.Write([]byte("unread"))
				case 2:
					_, _ = c.Write([]byte("read"))
					_, _ = io.ReadFull(c, make([]byte, 4))
				}
				_ = c.Close()
			}
		}()
	}
	clients.Wait()
	eventually(t, func() bool { return s.Conns() == 0 && s.Stats().Accepted == 2000 }, func() string { return "conns are left" })
	for i := range s.Loops() {
		left := make(chan int)
		l := s.Loop(i)
		l.Post(func() {
			n := len(l.ready) + len(l.touched) + len(l.dying)
			l.table.each(l, func(*socket) { n++ })
			for _, list := range l.wheel.lists {
				for ; list != nil; list = list.next {
					n++
				}
			}
			left <- n
		})
		if n := receive(t, left); n != 0 {
			t.Errorf("loop %d: %d traces of conns are left", i, n)
		}
	}
}

// TestEventForAnotherLoop hands a loop an event of a descriptor that meanwhile
// belongs to a conn of another loop.
func TestEventForAnotherLoop(t *testing.T) {
	conns := make(chan Conn, 1)
	var foreign atomic.Int32
	s := serve(t, Config{Loops: 2, Open: func(c Conn) Protocol {
		conns <- c
		return &hooks{data: func(p []byte) {
			if !c.Loop().Owned() {
				foreign.Add(1)
			}
			c.Write(p)
		}}
	}})
	peer := s.dial()
	c := receive(t, conns).(*socket)
	stall, stalled, done := make(chan bool), make(chan bool), make(chan bool)
	c.Post(func() { stalled <- true; <-stall })
	receive(t, stalled)
	write(t, peer, "x")
	other := s.Loop(1 - c.loop.index)
	other.Post(func() {
		other.onReady(int(c.fd), kernel.Readable)
		close(done)
	})
	receive(t, done)
	close(stall)
	readN(t, peer, 1)
	if foreign.Load() != 0 {
		t.Error("another loop delivered to the conn")
	}
}

// TestFarDeadline sets one that the wheel's arithmetic cannot hold.
func TestFarDeadline(t *testing.T) {
	ticks := make(chan int64, 1)
	s := serve(t, Config{Open: func(c Conn) Protocol {
		c.SetDeadline(c.Now().AddDate(300, 0, 0))
		ticks <- c.(*socket).node.tick
		return echo(c)
	}})
	s.dial()
	if tick := receive(t, ticks); instant(tick) < 50*365*24*time.Hour {
		t.Errorf("filed at tick %d", tick)
	}
}

func TestTimerAccuracy(t *testing.T) {
	s := serve(t, Config{Open: echo, Loops: 1})
	l := s.Loop(0)
	late := make(chan time.Duration)
	worst := time.Duration(0)
	for _, d := range []time.Duration{0, time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond, 120 * time.Millisecond} {
		l.Post(func() {
			start := time.Now()
			l.AfterFunc(d, func() { late <- time.Since(start) - d })
		})
		got := receive(t, late)
		if got < 0 {
			t.Errorf("a timer of %v fired %v early", d, -got)
		}
		worst = max(worst, got)
	}
	t.Logf("at most %v late", worst)
	if worst > time.Second {
		t.Errorf("a timer fired %v late", worst)
	}
}

func TestPanicIsIsolated(t *testing.T) {
	s := serve(t, Config{Loops: 1, Open: func(c Conn) Protocol {
		return &hooks{data: func(p []byte) {
			if string(p) == "boom" {
				panic("boom")
			}
			c.Write(p)
		}, closed: func(err error) {
			if err != nil {
				panic("again")
			}
		}}
	}})
	bystander, victim := s.dial(), s.dial()
	write(t, victim, "boom")
	if _, err := io.ReadAll(victim); err == nil {
		t.Error("the conn ended in good order")
	}
	write(t, bystander, "alive")
	readN(t, bystander, 5)
	if log := s.log.String(); !strings.Contains(log, "panic=boom") || !strings.Contains(log, "panic=again") || !strings.Contains(log, "socket_test.go") {
		t.Errorf("log: %s", log)
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
