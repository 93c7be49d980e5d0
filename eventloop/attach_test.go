package eventloop

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pair returns the two ends of a connection within this process.
func pair(t testing.TB) (ours *os.File, theirs net.Conn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		unix.CloseOnExec(fd)
	}
	file := os.NewFile(uintptr(fds[1]), "theirs")
	defer file.Close()
	if theirs, err = net.FileConn(file); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = theirs.Close() })
	return os.NewFile(uintptr(fds[0]), "ours"), theirs
}

// A socket of the program's own is served as an accepted one is, and takes no place of a
// client.
func TestAttach(t *testing.T) {
	s := serve(t, Config{Loops: 1, MaxConns: 1, Open: echo})
	ours, theirs := pair(t)
	closed := make(chan error, 1)
	err := s.Loop(0).Attach(ours, func(c Conn) Protocol {
		return &hooks{data: c.Write, eof: c.Close, closed: func(err error) { closed <- err }}
	})
	wantErr(t, err, nil)
	write(t, theirs, "to and fro")
	if got := string(readN(t, theirs, 10)); got != "to and fro" {
		t.Errorf("got %q", got)
	}
	if _, err := ours.Stat(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the file was not taken over: %v", err)
	}
	client := s.dial()
	write(t, client, "there is room")
	readN(t, client, 13)
	if n := s.Conns(); n != 1 {
		t.Errorf("%d conns count", n)
	}
	_ = theirs.Close()
	wantErr(t, receive(t, closed), ErrReset) // who has closed a Unix socket reads no more
	write(t, client, "still")
	readN(t, client, 5)
	if n := s.Conns(); n != 1 {
		t.Errorf("%d conns count after the end of the socket", n)
	}
}

// A process that reads nothing for long may be busy: only clients are given up.
func TestAttachedMayBeBusy(t *testing.T) {
	const much = 8 << 20
	closed := make(chan error, 1)
	fills := func(c Conn) { c.Write(make([]byte, much)) }
	s := serve(t, Config{Loops: 1, WriteTimeout: 20 * time.Millisecond, Open: func(c Conn) Protocol {
		return &hooks{data: func([]byte) { fills(c) }, closed: func(err error) { closed <- err }}
	}})
	ours, theirs := pair(t)
	gone, full := make(chan error, 1), make(chan bool, 1)
	err := s.Loop(0).Attach(ours, func(c Conn) Protocol {
		fills(c)
		full <- c.Congested()
		return &hooks{closed: func(err error) { gone <- err }}
	})
	wantErr(t, err, nil)
	if !receive(t, full) {
		t.Fatal("all of it was taken")
	}
	for range 3 { // one after the other, each for longer than the timeout
		write(t, s.dial(), "x")
		wantErr(t, receive(t, closed), ErrWriteTimeout)
	}
	if n, err := io.Copy(io.Discard, io.LimitReader(theirs, much)); n != much || err != nil {
		t.Errorf("%d bytes arrived: %v", n, err)
	}
	_ = theirs.Close()
	receive(t, gone)
}

func TestAttachRefuses(t *testing.T) {
	s := serve(t, Config{Loops: 1, Open: echo})
	never := func(Conn) Protocol { t.Error("it is served"); return nil }
	file, err := os.Open(os.DevNull)
	wantErr(t, err, nil)
	if err := s.Loop(0).Attach(file, never); !errors.Is(err, unix.ENOTSOCK) {
		t.Errorf("of a file: %v", err)
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	wantErr(t, err, nil)
	for _, fd := range fds {
		if err := s.Loop(0).Attach(os.NewFile(uintptr(fd), "datagrams"), never); err == nil {
			t.Error("a socket of datagrams is taken")
		}
	}
	wantErr(t, s.Shutdown(context.Background()), nil)
	ours, theirs := pair(t)
	wantErr(t, s.Loop(0).Attach(ours, never), net.ErrClosed)
	if _, err := theirs.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the socket is open: %v", err)
	}
}
