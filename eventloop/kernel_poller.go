package eventloop

import (
	"errors"
	"net/netip"
	"time"

	gneterrors "github.com/panjf2000/gnet/v2/pkg/errors"
	"github.com/panjf2000/gnet/v2/pkg/netpoll"
	"golang.org/x/sys/unix"
)

// pollerKernel is the real kernel.Kernel: a poller, and two descriptors of our
// own in it. The poller's own task queue is not used: a task that triggers
// itself runs again before the poller is asked for events, so that it would
// starve them.
//
// Loop-owned: call only from its event loop, except Wake.
type pollerKernel struct {
	poller *netpoll.Poller
	waker  *waker
	alarm  *alarm
	copied []byte // memory of sendCopy
}

func openKernel() (*pollerKernel, error) {
	k := new(pollerKernel)
	var err error
	if k.poller, err = netpoll.OpenPoller(); err != nil {
		return nil, err
	}
	if k.waker, err = openWaker(); err == nil {
		if k.alarm, err = openAlarm(); err == nil {
			err = errors.Join(k.watch(k.waker.fd()), k.watch(k.alarm.fd()))
		}
	}
	if err != nil {
		k.close()
		return nil, err
	}
	return k, nil
}

// watch asks for the edges of input on fd.
func (k *pollerKernel) watch(fd int) error {
	return k.poller.AddRead(&netpoll.PollAttachment{FD: fd}, true)
}

func (k *pollerKernel) close() {
	if k.alarm != nil {
		k.alarm.close()
	}
	if k.waker != nil {
		k.waker.close()
	}
	_ = k.poller.Close()
}

// errStop makes the poller return.
var errStop = gneterrors.ErrEngineShutdown

// run serves l until it is told to stop.
func (k *pollerKernel) run(l *Loop) error {
	err := k.poller.Polling(func(fd int, event netpoll.IOEvent, flags netpoll.IOFlags) error {
		switch fd {
		case k.waker.fd():
			k.waker.drain()
			l.onWake()
		case k.alarm.fd():
			k.alarm.drain()
			l.onTimer()
		default:
			l.onReady(fd, readiness(event, flags))
		}
		if l.stopping {
			return errStop
		}
		return nil
	})
	if errors.Is(err, errStop) {
		return nil
	}
	return err
}

// sendCopy is SendFile where the system has no such call: what the socket does not
// take is read again.
func (k *pollerKernel) sendCopy(fd, file int, offset int64, n int) (int, error) {
	if k.copied == nil {
		k.copied = make([]byte, pieceBytes)
	}
	p := k.copied[:min(n, len(k.copied))]
	for {
		n, err := unix.Pread(file, p, offset)
		switch {
		case err == unix.EINTR:
		case n <= 0:
			return 0, err
		default:
			return k.Write(fd, p[:n])
		}
	}
}

func (k *pollerKernel) Now() time.Time { return time.Now() }

func (k *pollerKernel) Register(fd int) error {
	return k.poller.AddReadWrite(&netpoll.PollAttachment{FD: fd}, true)
}

func (k *pollerKernel) CloseWrite(fd int) error { return unix.Shutdown(fd, unix.SHUT_WR) }

func (k *pollerKernel) Hangup(fd int) (hup, reset bool) {
	state := poll(fd, 0)
	return state&unix.POLLHUP != 0, state&unix.POLLERR != 0
}

// poll asks for the state of fd: for events, a hang-up and an error.
func poll(fd int, events int16) int16 {
	p := []unix.PollFd{{Fd: int32(fd), Events: events}}
	for {
		if _, err := unix.Poll(p, 0); err != unix.EINTR {
			return p[0].Revents
		}
	}
}

// Close also takes fd out of the poller.
func (k *pollerKernel) Close(fd int) { _ = unix.Close(fd) }

func (k *pollerKernel) Abort(fd int) {
	_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	_ = unix.Close(fd)
}

func (k *pollerKernel) LocalAddr(fd int) netip.AddrPort {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return netip.AddrPort{}
	}
	return addrPort(sa)
}

func (k *pollerKernel) Wake() { k.waker.wake() }

func (k *pollerKernel) Arm(d time.Duration) { k.alarm.arm(max(d, 1)) }

// addrPort is the address in sa; the zero value if it is none of IP. An IPv4
// peer of a socket for both families gets its plain address.
func addrPort(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port))
	}
	return netip.AddrPort{}
}
