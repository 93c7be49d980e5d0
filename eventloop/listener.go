package eventloop

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/gale-server/gale/eventloop/unixsocket"
)

// ListenConfig says where to listen, and what serves the conns.
//
// Not safe for concurrent use.
type ListenConfig struct {
	// Network is "tcp", "tcp4", "tcp6" or "unix". Default: "tcp".
	Network string
	// Address is host:port, with an empty host for all addresses, or the path
	// of a Unix socket; a leading @ means the abstract namespace of Linux.
	Address string
	// Listener is one that exists already, such as an inherited one; Network
	// and Address are ignored. The group takes it over and closes it.
	Listener net.Listener
	// Open makes the protocols. Default: Config.Open.
	Open func(Conn) Protocol
}

// listener is one listening socket. The acceptor owns it once it was added.
type listener struct {
	fd      int
	addr    Addr
	open    func(Conn) Protocol
	file    unixsocket.File // that we made
	pending bool            // connections may wait

	attached bool // there is no listening socket: the conn came by Attach
}

// listen opens the socket that c describes.
func (c ListenConfig) listen() (*listener, error) {
	if c.Listener != nil {
		return takeOver(c.Listener, c.Open, unixsocket.File{})
	}
	network := c.Network
	if network == "" {
		network = "tcp"
	}
	if unixsocket.HasFile(network, c.Address) {
		ln, file, err := unixsocket.Listen(c.Address)
		if err != nil {
			return nil, fmt.Errorf("eventloop: %w", err)
		}
		return takeOver(ln, c.Open, file)
	}
	var config net.ListenConfig
	config.SetMultipathTCP(false) // its sockets are slower, and nobody here asks for paths
	ln, err := config.Listen(context.Background(), network, c.Address)
	if err != nil {
		return nil, fmt.Errorf("eventloop: %w", err)
	}
	return takeOver(ln, c.Open, unixsocket.File{})
}

// takeOver takes the socket out of ln, so that the runtime's poller lets go of it.
func takeOver(ln net.Listener, open func(Conn) Protocol, file unixsocket.File) (*listener, error) {
	addr, err := listenAddr(ln.Addr())
	if u, ok := ln.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	fd := -1
	if err == nil {
		fd, err = duplicate(ln)
	}
	if closeErr := ln.Close(); err == nil && closeErr != nil {
		_ = unix.Close(fd)
		err = closeErr
	}
	if err != nil {
		return nil, fmt.Errorf("eventloop: take over %T: %w", ln, err)
	}
	_ = unix.SetNonblock(fd, true)
	if addr.Path == "" {
		// Accepted sockets inherit these.
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		setKeepAlive(fd)
	}
	return &listener{fd: fd, addr: addr, open: open, file: file, pending: true}, nil
}

// duplicate returns a second descriptor for the socket of a listener or a file.
func duplicate(socket any) (int, error) {
	holder, ok := socket.(syscall.Conn)
	if !ok {
		return -1, errors.ErrUnsupported
	}
	raw, err := holder.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd, dupErr := -1, error(nil)
	err = raw.Control(func(original uintptr) {
		fd, dupErr = unix.FcntlInt(original, unix.F_DUPFD_CLOEXEC, 0)
	})
	return fd, errors.Join(err, dupErr)
}

func listenAddr(a net.Addr) (Addr, error) {
	switch a := a.(type) {
	case *net.TCPAddr:
		at := a.AddrPort()
		return Addr{AddrPort: netip.AddrPortFrom(at.Addr().Unmap(), at.Port())}, nil
	case *net.UnixAddr:
		if a.Net == "unix" {
			return Addr{Path: a.Name}, nil
		}
	}
	return Addr{}, errors.ErrUnsupported
}

// close stops listening and removes the socket file, if it is still ours.
func (l *listener) close() {
	l.file.Remove()
	_ = unix.Close(l.fd)
}
