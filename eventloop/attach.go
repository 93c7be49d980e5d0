package eventloop

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// Attach has the loop serve a connected stream socket of the program's own, such as
// one end of a pair whose other end a process holds that the program has started. It
// takes file over, and closes it also upon an error. open makes the protocol, on the
// loop and in a later turn; if the loop stops before, it may never be called.
//
// Such a conn differs from an accepted one in two things: it counts neither in
// [Group.Conns] nor against Config.MaxConns, and it has no Config.WriteTimeout, as who
// has started the process knows how long it may be busy.
//
// The error is net.ErrClosed if the loop has stopped, or says that file is no such
// socket. Safe for concurrent use.
func (l *Loop) Attach(file *os.File, open func(Conn) Protocol) error {
	defer file.Close()
	fd, err := duplicate(file)
	if err != nil {
		return fmt.Errorf("eventloop: attach: %w", err)
	}
	if err := checkStream(fd); err != nil {
		_ = unix.Close(fd)
		return fmt.Errorf("eventloop: attach: %w", err)
	}
	s := newSocket(l, fd, &listener{fd: -1, open: open, attached: true}, netip.AddrPort{})
	l.conns.Add(1)
	if !l.mailbox.force(task{conn: s}) {
		_ = unix.Close(fd)
		l.conns.Add(-1)
		return fmt.Errorf("eventloop: attach: %w", net.ErrClosed)
	}
	return nil
}

// checkStream checks that fd is a stream socket, and prepares it.
func checkStream(fd int) error {
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return err
	}
	if kind != unix.SOCK_STREAM {
		return errors.New("it is no stream socket")
	}
	return unix.SetNonblock(fd, true)
}
