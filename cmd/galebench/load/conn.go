package load

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Patience bounds every wait for a server.
const Patience = 10 * time.Second

// maxHead is far above what any contender answers.
const maxHead = 8 << 10

// conn is one connection. It blocks until it is handed to epoll.
type conn struct {
	fd      int
	replies reader
	unsent  []byte        // of the batch under way
	due     int           // replies of the batch under way still to come
	began   time.Duration // when the batch was begun, or due, since the generator's epoch
	next    time.Duration // when the next one is due, with an Interval
}

var errPorts = errors.New("load: out of ports")

// dial connects from 127.0.0.0/8's address number source; 0 leaves the choice
// to the kernel.
func dial(to netip.AddrPort, source int) (*conn, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	return connected(fd, to, connect(fd, to, source))
}

// connected makes a conn of what was connected, or failed to be.
func connected(fd int, to netip.AddrPort, err error) (*conn, error) {
	switch err {
	case nil, unix.EINPROGRESS:
		return &conn{fd: fd}, nil
	case unix.EADDRNOTAVAIL:
		_ = unix.Close(fd)
		return nil, errPorts
	default:
		_ = unix.Close(fd)
		return nil, fmt.Errorf("load: connect to %s: %w", to, err)
	}
}

// dialAtOnce is dial for a conn that does not block, and that is perhaps not
// connected yet when it returns.
func dialAtOnce(to netip.AddrPort, source int) (*conn, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	return connected(fd, to, connect(fd, to, source))
}

// dialNarrow is dial for a conn for which both ends keep little: some ten KiB, and
// not the megabytes that the loopback begins with.
func dialNarrow(to netip.AddrPort) (*conn, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<10)
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_MAXSEG, 536)
	}
	if err == nil {
		err = connect(fd, to, 0)
	}
	return connected(fd, to, err)
}

func connect(fd int, to netip.AddrPort, source int) error {
	patience := unix.NsecToTimeval(int64(Patience))
	for _, option := range []int{unix.SO_RCVTIMEO, unix.SO_SNDTIMEO} {
		if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, option, &patience); err != nil {
			return err
		}
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return err
	}
	if source > 0 {
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
			return err
		}
		if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, byte(1 + source)}}); err != nil {
			return err
		}
	}
	for {
		err := unix.Connect(fd, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())})
		switch err {
		case unix.EINTR, unix.EALREADY:
		case unix.EISCONN:
			return nil
		default:
			return err
		}
	}
}

// send writes all of p, on a conn that blocks.
func (c *conn) send(p []byte) error {
	for len(p) > 0 {
		n, err := unix.Write(c.fd, p)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("load: the server does not read: %w", err)
		}
		p = p[n:]
	}
	return nil
}

// readSome reads what there is into p, on a conn that blocks.
func (c *conn) readSome(p []byte) (int, error) {
	for {
		n, err := unix.Read(c.fd, p)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return 0, fmt.Errorf("load: the server does not answer: %w", err)
		case n == 0:
			return 0, errHungUp
		default:
			return n, nil
		}
	}
}

var errHungUp = errors.New("load: the server hung up")

// receive reads n bytes, on a conn that blocks.
func (c *conn) receive(n int) ([]byte, error) {
	p := make([]byte, n)
	for got := 0; got < n; {
		k, err := c.readSome(p[got:])
		if err != nil {
			return nil, err
		}
		got += k
	}
	return p, nil
}

// receiveHead reads up to the end of an HTTP head and not beyond, on a conn
// that blocks. It looks at the bytes before it takes them.
func (c *conn) receiveHead() ([]byte, error) {
	var head []byte
	peeked := make([]byte, maxHead)
	for len(head) < maxHead {
		n, _, err := unix.Recvfrom(c.fd, peeked, unix.MSG_PEEK)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("load: the server does not answer: %w", err)
		}
		if n == 0 {
			return nil, errHungUp
		}
		before := len(head)
		head = append(head, peeked[:n]...)
		end := bytes.Index(head, []byte("\r\n\r\n"))
		if end >= 0 {
			head = head[:end+4]
		}
		if _, err := c.receive(len(head) - before); err != nil {
			return nil, err
		}
		if end >= 0 {
			return head, nil
		}
	}
	return nil, errors.New("load: the head of the response is too long")
}

// exchange sends one message and waits for its reply, on a conn that blocks.
func (c *conn) exchange(message []byte) error {
	if err := c.send(message); err != nil {
		return err
	}
	p := make([]byte, 16<<10)
	for messages := 0; messages == 0; {
		n, err := c.readSome(p)
		if err != nil {
			return err
		}
		if messages, err = c.replies.read(p[:n]); err != nil {
			return err
		}
	}
	return nil
}

// writeBytes bounds a system call: while the server reads as fast, one that writes
// 100 MiB goes on for as long as that takes, and nobody else has the core.
const writeBytes = 256 << 10

// flush writes what the kernel takes, on a conn that does not block; EPOLLOUT says
// when it takes more.
func (c *conn) flush() error {
	for len(c.unsent) > 0 {
		n, err := unix.Write(c.fd, c.unsent[:min(len(c.unsent), writeBytes)])
		switch err {
		case nil:
			c.unsent = c.unsent[n:]
		case unix.EINTR:
		case unix.EAGAIN:
			return nil
		default:
			return fmt.Errorf("%w: %w", errHungUp, err)
		}
	}
	return nil
}

// converse follows events of a conn that does not block: it reads into buf until a
// read comes back short, gives hear what has come, and sends what it says. Once the
// server has ended its stream, only the end of the stream says that this was all.
func (c *conn) converse(buf []byte, events uint32, hear func(p []byte) (say []byte, err error)) error {
	full := len(buf)
	if events&unix.EPOLLRDHUP != 0 {
		full = 1
	}
	if err := c.flush(); err != nil {
		return err
	}
	for {
		n, err := unix.Read(c.fd, buf)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return nil
		case err != nil:
			return fmt.Errorf("%w: %w", errHungUp, err)
		case n == 0:
			return errHungUp
		}
		say, err := hear(buf[:n])
		if err != nil {
			return err
		}
		if len(say) > 0 {
			if err := c.say(say); err != nil {
				return err
			}
		}
		if n < full {
			return nil
		}
	}
}

// say sends p after all that is not sent yet, on a conn that does not block.
func (c *conn) say(p []byte) error {
	c.unsent = append(c.unsent[:len(c.unsent):len(c.unsent)], p...)
	return c.flush()
}

// close resets the connection, so that its port is free at once.
func (c *conn) close() {
	_ = unix.SetsockoptLinger(c.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	_ = unix.Close(c.fd)
}

// watch hands the conn to an epoll, edge-triggered, that reports it by its id. From
// here on it does not block.
func (c *conn) watch(epoll, id int) error {
	if err := unix.SetNonblock(c.fd, true); err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET, Fd: int32(id)}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, c.fd, &ev))
}
