package eventloop

import (
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
	eventually(t, func() bool { return s.Stats().Accepted == 2000 && s.Conns() == 0 }, func() string { return "conns are left" })
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

// A timer does not fire early. How late it fires depends on what else the machine does.
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
