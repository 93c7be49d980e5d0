package eventloop

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestConnsAreBalanced(t *testing.T) {
	opened := make(chan int)
	s := serve(t, Config{Loops: 3, Open: func(c Conn) Protocol {
		opened <- c.Loop().Index()
		return echo(c)
	}})
	var conns []net.Conn
	per := make([]int, 3)
	for range 12 {
		conns = append(conns, s.dial())
		per[receive(t, opened)]++
	}
	if per[0] != 4 || per[1] != 4 || per[2] != 4 {
		t.Fatalf("conns per loop: %v", per)
	}
	// Those that leave make room on their loop.
	for i := range conns {
		if i%3 == 0 {
			_ = conns[i].Close()
		}
	}
	eventually(t, func() bool { return s.Conns() == 8 }, func() string { return "conns did not close" })
	for range 4 {
		s.dial()
		per[receive(t, opened)]++
	}
	for i := range per {
		if n := s.Loop(i).conns.Load(); n != 4 {
			t.Errorf("loop %d has %d conns", i, n)
		}
	}
}

func TestMaxConns(t *testing.T) {
	s := serve(t, Config{Open: echo, MaxConns: 2, Refusal: []byte("503 try later")})
	first, second := s.dial(), s.dial()
	for _, c := range []net.Conn{first, second} {
		write(t, c, "x")
		readN(t, c, 1)
	}
	for range 200 { // more than are refused at the same time
		c := s.dial()
		write(t, c, "GET / HTTP/1.1\r\n\r\n")
		if got := readAll(t, c); got != "503 try later" {
			t.Fatalf("got %q", got)
		}
		_ = c.Close()
	}
	if st := s.Stats(); st.Refused != 200 || st.Conns != 2 {
		t.Errorf("stats: %+v", st)
	}
	_ = first.Close()
	eventually(t, func() bool { return s.Conns() == 1 }, func() string { return "conn did not close" })
	c := s.dial()
	write(t, c, "x")
	readN(t, c, 1)
}

// TestRefusingIsBounded leaves refused conns open on the client's side.
func TestRefusingIsBounded(t *testing.T) {
	s := serve(t, Config{Open: echo, MaxConns: 1, Refusal: []byte("no")})
	write(t, s.dial(), "x")
	for range maxRefusing + 20 {
		c := s.dial()
		if got, err := io.ReadAll(c); err == nil && string(got) != "no" {
			t.Fatalf("got %q", got)
		}
	}
	if n := s.refusing.Load(); n > maxRefusing {
		t.Errorf("%d conns are being refused", n)
	}
}

const childVariable = "EVENTLOOP_TEST_CHILD"

// child runs one test in a process of its own, with further files from
// descriptor 3 on.
func child(t *testing.T, variables []string, files ...*os.File) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=60s")
	cmd.Env = append(append(os.Environ(), childVariable+"=1"), variables...)
	cmd.ExtraFiles = files
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("child: %v\n%s", err, out)
	}
}

func inChild() bool { return os.Getenv(childVariable) != "" }

// TestDescriptorsRunOut lowers the limit of open files below what clients ask
// for: the server must go on, and take the waiting clients as others leave.
func TestDescriptorsRunOut(t *testing.T) {
	if !inChild() {
		child(t, nil)
		return
	}
	s := serve(t, Config{Open: echo, Loops: 1, MaxConns: -1})
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	const clients = 20
	// Client sockets are opened first, so that the limit hits only accept.
	var raw []int
	for range clients {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			t.Fatal(err)
		}
		unix.CloseOnExec(fd)
		raw = append(raw, fd)
	}
	limit.Cur = uint64(raw[len(raw)-1] + 1 + clients/2)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	to := &unix.SockaddrInet4{Port: int(s.addr.AddrPort.Port()), Addr: s.addr.AddrPort.Addr().As4()}
	for _, fd := range raw {
		_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: int64(patience / time.Second)})
		if err := unix.Connect(fd, to); err != nil {
			t.Fatal(err)
		}
		if _, err := unix.Write(fd, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, func() bool { return s.Stats().Pauses > 0 }, func() string { return "descriptors did not run out" })
	start := time.Now()
	for i, fd := range raw {
		var p [1]byte
		if n, err := unix.Read(fd, p[:]); n != 1 {
			t.Fatalf("client %d got no echo: %v", i, err)
		}
		_ = unix.Close(fd)
	}
	t.Logf("all served after %v, stats %+v", time.Since(start), s.Stats())
	if n := strings.Count(s.log.String(), "accepting pauses"); n != 1 {
		t.Errorf("logged %d times: %s", n, s.log)
	}
}

// TestDescriptorsComeBack frees descriptors that the server knows nothing of.
func TestDescriptorsComeBack(t *testing.T) {
	if !inChild() {
		child(t, nil)
		return
	}
	s := serve(t, Config{Open: echo, Loops: 1, MaxConns: -1})
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	limit.Cur = min(limit.Cur, 200)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	var held []int
	for {
		extra, err := unix.Dup(fd)
		if err != nil {
			break
		}
		held = append(held, extra)
	}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(s.addr.AddrPort.Port()), Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return s.Stats().Pauses >= 3 }, func() string { return "accepting is not tried again" })
	for _, extra := range held {
		_ = unix.Close(extra)
	}
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: int64(patience / time.Second)})
	if _, err := unix.Write(fd, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if n, err := unix.Read(fd, make([]byte, 1)); n != 1 {
		t.Fatalf("no echo: %v", err)
	}
	_ = unix.Close(fd)
	if n := strings.Count(s.log.String(), "accepting pauses"); n != 1 {
		t.Errorf("logged %d times: %s", n, s.log)
	}
}

// TestCapRises has descriptors run out for a while: the cap that follows the limit of
// open files is lower then, and as high as before afterwards.
func TestCapRises(t *testing.T) {
	if !inChild() {
		child(t, nil)
		return
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	limit.Cur = 200
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	s := serve(t, Config{Open: echo, Loops: 1})
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	var held []int
	for {
		extra, err := unix.Dup(fd)
		if err != nil {
			break
		}
		held = append(held, extra)
	}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(s.addr.AddrPort.Port()), Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return s.Stats().Pauses > 0 }, func() string { return "descriptors did not run out" })
	for _, extra := range held {
		_ = unix.Close(extra)
	}
	defer unix.Close(fd)
	kept := 0
	eventually(t, func() bool {
		c := s.dial()
		_, _ = io.WriteString(c, "x") // a refused one may be closed
		if n, _ := c.Read(make([]byte, 1)); n == 1 {
			kept++
		} else {
			_ = c.Close()
		}
		return kept == 30
	}, func() string { return fmt.Sprintf("%d conns, then they are refused", kept) })
}

// TestLongQueue lets more clients wait than are accepted at a time.
func TestLongQueue(t *testing.T) {
	checkLeaks(t)
	s := newServer(t, Config{Open: echo})
	s.listen("tcp", "127.0.0.1:0")
	var clients []net.Conn
	for range 2*acceptsPerTurn + 1 {
		c := s.dial()
		write(t, c, "x")
		clients = append(clients, c)
	}
	s.Start()
	for _, c := range clients {
		readN(t, c, 1)
	}
}

func TestStopAccepting(t *testing.T) {
	s := serve(t, Config{Open: echo})
	c := s.dial()
	write(t, c, "x")
	readN(t, c, 1)
	s.StopAccepting()
	s.StopAccepting()
	if c, err := net.Dial("tcp", s.addr.String()); err == nil {
		_ = c.Close()
		t.Error("the listener is still open")
	}
	write(t, c, "y")
	if got := readN(t, c, 1); got != "y" {
		t.Errorf("an open conn got %q", got)
	}
	if _, err := s.Listen("tcp", "127.0.0.1:0"); err == nil {
		t.Error("a stopped group listens")
	}
}

// TestNothingIsAcceptedBeforeStart lets a client wait in the queue.
func TestNothingIsAcceptedBeforeStart(t *testing.T) {
	checkLeaks(t)
	s := newServer(t, Config{Open: echo})
	s.listen("tcp", "127.0.0.1:0")
	c := s.dial()
	write(t, c, "x")
	if n := s.Stats().Accepted; n != 0 {
		t.Fatalf("%d accepted", n)
	}
	s.Start()
	s.Start()
	readN(t, c, 1)
}

func TestNeverStarted(t *testing.T) {
	checkLeaks(t)
	s := newServer(t, Config{Open: echo})
	s.listen("tcp", "127.0.0.1:0")
}
