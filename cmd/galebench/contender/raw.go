package contender

import (
	"net"
	"runtime"
	"unsafe"

	"github.com/panjf2000/gnet/v2/pkg/netpoll"
	"golang.org/x/sys/unix"
)

// rawLoop echoes bytes on gnet's poller, with its own accept, read and write:
// what a server on this poller could reach if it understood nothing. Each conn
// is registered once, edge-triggered; a short read means that it is drained.
//
// Owned by the goroutine that polls.
type rawLoop struct {
	poller   *netpoll.Poller
	listener int
	unsent   map[int][]byte // of the conns whose peer does not take what it is sent
	buf      []byte
}

const rawReadBytes = 64 << 10

// startRaw makes loops that share a listener; the kernel wakes one or several
// of them for a new conn.
func startRaw(cfg Config) (net.Addr, error) {
	ln, err := listen()
	if err != nil {
		return nil, err
	}
	file, err := ln.(*net.TCPListener).File()
	if err != nil {
		return nil, err
	}
	fd := int(file.Fd())
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, err
	}
	for range cfg.Loops {
		l := &rawLoop{listener: fd, unsent: make(map[int][]byte), buf: make([]byte, rawReadBytes)}
		if l.poller, err = netpoll.OpenPoller(); err != nil {
			return nil, err
		}
		if err := l.poller.AddRead(&netpoll.PollAttachment{FD: fd}, false); err != nil {
			return nil, err
		}
		go func() { // ends with the process
			_ = l.poller.Polling(l.event)
			runtime.KeepAlive(file) // a collected file closes its descriptor
			runtime.KeepAlive(ln)
		}()
	}
	return ln.Addr(), nil
}

func (l *rawLoop) event(fd int, ev netpoll.IOEvent, _ netpoll.IOFlags) error {
	if fd == l.listener {
		l.accept()
		return nil
	}
	if p, ok := l.unsent[fd]; ok {
		if ev&unix.EPOLLOUT == 0 {
			return nil // what it has sent waits until it reads
		}
		delete(l.unsent, fd)
		if !l.write(fd, p) {
			return nil
		}
	}
	for {
		n, err := transfer(unix.SYS_RECVFROM, fd, l.buf)
		switch {
		case err == unix.EAGAIN:
			return nil
		case err == unix.EINTR:
			continue
		case n <= 0:
			_ = unix.Close(fd)
			return nil
		case !l.write(fd, l.buf[:n]) || n < len(l.buf):
			return nil
		}
	}
}

// transfer is recv or send as gale's loop calls them.
func transfer(call uintptr, fd int, p []byte) (int, error) {
	n, _, err := unix.RawSyscall6(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
	if err != 0 {
		return 0, err
	}
	return int(n), nil
}

// write reports whether everything was written. What was not is kept, and then
// the conn is not read until it was.
func (l *rawLoop) write(fd int, p []byte) bool {
	for len(p) > 0 {
		n, err := transfer(unix.SYS_SENDTO, fd, p)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			l.unsent[fd] = append([]byte(nil), p...)
			return false
		case err != nil:
			_ = unix.Close(fd)
			return false
		default:
			p = p[n:]
		}
	}
	return true
}

func (l *rawLoop) accept() {
	for {
		fd, _, err := unix.Accept4(l.listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err != nil {
			return // none left, or out of descriptors: the poller reports again
		}
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		if err := l.poller.AddReadWrite(&netpoll.PollAttachment{FD: fd}, true); err != nil {
			_ = unix.Close(fd)
		}
	}
}
