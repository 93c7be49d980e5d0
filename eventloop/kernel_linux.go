package eventloop

import (
	"encoding/binary"
	"time"
	"unsafe"

	"github.com/panjf2000/gnet/v2/pkg/netpoll"
	"golang.org/x/sys/unix"

	"github.com/gale-server/gale/eventloop/internal/kernel"
)

// readiness translates a report of epoll.
func readiness(event netpoll.IOEvent, _ netpoll.IOFlags) kernel.Readiness {
	var r kernel.Readiness
	if event&(unix.EPOLLIN|unix.EPOLLPRI|unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		r |= kernel.Readable
	}
	// A read stops short at urgent data, too.
	if event&(unix.EPOLLPRI|unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		r |= kernel.ReadToEnd
	}
	if event&(unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		r |= kernel.Hangup
	}
	if event&unix.EPOLLOUT != 0 {
		r |= kernel.Writable
	}
	return r
}

// PeerEnded is of what arrived in order: an end of stream that is behind a full
// receive buffer is not known yet.
func (k *pollerKernel) PeerEnded(fd int) bool {
	return poll(fd, unix.POLLRDHUP)&unix.POLLRDHUP != 0
}

func (k *pollerKernel) Read(fd int, p []byte) (int, error) {
	return transfer(unix.SYS_RECVFROM, fd, p, unix.MSG_DONTWAIT)
}

func (k *pollerKernel) Write(fd int, p []byte) (int, error) {
	return transfer(unix.SYS_SENDTO, fd, p, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
}

// transfer receives or sends. Unlike read and write these calls are for sockets
// alone and leave out what the kernel does for files (locks, quotas, who watches
// them), which is memory of each connection that would have to be fetched. They do
// not wait, so that Go's scheduler need not know of them.
func transfer(call uintptr, fd int, p []byte, flags uintptr) (int, error) {
	for {
		n, _, err := unix.RawSyscall6(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), flags, 0, 0)
		switch err {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, err
		}
	}
}

func (k *pollerKernel) Writev(fd int, bufs [][]byte) (int, error) { return sendMessage(fd, bufs, 0) }

func (k *pollerKernel) WriteMore(fd int, bufs [][]byte) (int, error) {
	return sendMessage(fd, bufs, unix.MSG_MORE)
}

func sendMessage(fd int, bufs [][]byte, flags uintptr) (int, error) {
	var iov [piecesPerWrite]unix.Iovec
	for i, p := range bufs {
		iov[i].Base = unsafe.SliceData(p)
		iov[i].SetLen(len(p))
	}
	msg := unix.Msghdr{Iov: &iov[0]}
	msg.SetIovlen(len(bufs))
	for {
		n, _, err := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&msg)), flags|unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		switch err {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, err
		}
	}
}

// acceptConn takes a connection off a listening socket.
func acceptConn(fd int) (int, unix.Sockaddr, error) {
	return unix.Accept4(fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
}

// setKeepAlive has the kernel probe a silent peer after a minute and give it
// up after another.
func setKeepAlive(fd int) {
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 60)
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 15)
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 4)
}

// waker is an eventfd. Each write is an edge, so it is never read: the counter
// overflows after 2^64 wake-ups.
//
// Safe for concurrent use, but for close.
type waker struct{ event int }

func openWaker() (*waker, error) {
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	return &waker{fd}, nil
}

func (w *waker) fd() int { return w.event }
func (w *waker) drain()  {}
func (w *waker) close()  { _ = unix.Close(w.event) }

var oneEvent = binary.NativeEndian.AppendUint64(nil, 1)

func (w *waker) wake() {
	for {
		if _, err := unix.Write(w.event, oneEvent); err != unix.EINTR {
			return
		}
	}
}

// alarm is a timerfd. Arming it anew clears what has expired, so it is never
// read either.
//
// Loop-owned: call only from its event loop.
type alarm struct{ timer int }

func openAlarm() (*alarm, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	return &alarm{fd}, nil
}

func (a *alarm) fd() int { return a.timer }
func (a *alarm) drain()  {}
func (a *alarm) close()  { _ = unix.Close(a.timer) }

func (a *alarm) arm(d time.Duration) {
	_ = unix.TimerfdSettime(a.timer, 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(int64(d))}, nil)
}
