//go:build !linux

package eventloop

import (
	"os"
	"syscall"
	"time"

	"github.com/panjf2000/gnet/v2/pkg/netpoll"
	"golang.org/x/sys/unix"

	"github.com/gale-server/gale/eventloop/internal/kernel"
)

// readiness translates a report of kqueue, which reports the two directions
// one at a time.
func readiness(event netpoll.IOEvent, flags netpoll.IOFlags) kernel.Readiness {
	var r kernel.Readiness
	over := flags&unix.EV_EOF != 0
	if netpoll.IsReadEvent(event) {
		r |= kernel.Readable
		if over {
			r |= kernel.ReadToEnd
		}
	}
	if netpoll.IsWriteEvent(event) {
		r |= kernel.Writable
		if over {
			r |= kernel.Hangup
		}
	}
	return r
}

// PeerEnded is false: these systems report the end of a stream to who reads.
func (k *pollerKernel) PeerEnded(int) bool { return false }

func (k *pollerKernel) Read(fd int, p []byte) (int, error) {
	for {
		n, err := unix.Read(fd, p)
		if err != unix.EINTR {
			return max(n, 0), err
		}
	}
}

func (k *pollerKernel) Write(fd int, p []byte) (int, error) {
	for {
		n, err := unix.Write(fd, p)
		if err != unix.EINTR {
			return max(n, 0), err
		}
	}
}

// Writev writes the pieces one by one: only this file's systems pay.
func (k *pollerKernel) Writev(fd int, bufs [][]byte) (int, error) {
	total := 0
	for _, p := range bufs {
		n, err := k.Write(fd, p)
		total += n
		if total > 0 && err != nil {
			return total, nil
		}
		if err != nil || n < len(p) {
			return total, err
		}
	}
	return total, nil
}

func (k *pollerKernel) WriteMore(fd int, bufs [][]byte) (int, error) { return k.Writev(fd, bufs) }

func (k *pollerKernel) SendFile(fd, file int, offset int64, n int) (int, error) {
	return k.sendCopy(fd, file, offset, n)
}

// Cached is false: these systems do not tell.
func (k *pollerKernel) Cached(int, int64, int) bool { return false }

func (k *pollerKernel) ReadCached(int, []byte, int64) int { return 0 }

// ReadAhead does nothing: these systems have a way of their own each.
func ReadAhead(*os.File, int64, int64) {}

// acceptConn takes a connection off a listening socket. A child started
// between the two calls does not inherit it, by the lock.
func acceptConn(fd int) (int, unix.Sockaddr, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	conn, sa, err := unix.Accept(fd)
	if err != nil {
		return -1, nil, err
	}
	unix.CloseOnExec(conn)
	if err := unix.SetNonblock(conn, true); err != nil {
		_ = unix.Close(conn)
		return -1, nil, unix.ECONNABORTED
	}
	return conn, sa, nil
}

// setKeepAlive has the kernel probe a silent peer, at the system's pace.
func setKeepAlive(fd int) {
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
}

// waker is a pipe.
//
// Safe for concurrent use, but for drain and close.
type waker struct{ pipe [2]int }

func openWaker() (*waker, error) {
	w := new(waker)
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := unix.Pipe(w.pipe[:]); err != nil {
		return nil, err
	}
	for _, fd := range w.pipe {
		unix.CloseOnExec(fd)
		_ = unix.SetNonblock(fd, true)
	}
	return w, nil
}

func (w *waker) fd() int { return w.pipe[0] }

func (w *waker) drain() {
	var p [64]byte
	for {
		if n, err := unix.Read(w.pipe[0], p[:]); n < len(p) && err != unix.EINTR {
			return
		}
	}
}

func (w *waker) close() {
	_ = unix.Close(w.pipe[0])
	_ = unix.Close(w.pipe[1])
}

func (w *waker) wake() {
	for {
		if _, err := unix.Write(w.pipe[1], []byte{1}); err != unix.EINTR {
			return
		}
	}
}

// alarm is a pipe that a runtime timer writes to.
//
// Loop-owned: call only from its event loop.
type alarm struct {
	*waker
	lock  chan struct{} // one token: held while the pipe is written to or closed
	timer *time.Timer
}

func openAlarm() (*alarm, error) {
	w, err := openWaker()
	if err != nil {
		return nil, err
	}
	a := &alarm{waker: w, lock: make(chan struct{}, 1)}
	a.lock <- struct{}{}
	a.timer = time.AfterFunc(time.Hour, a.ring)
	a.timer.Stop()
	return a, nil
}

// ring writes unless the pipe is closed, when the token is gone for good.
func (a *alarm) ring() {
	select {
	case <-a.lock:
		a.wake()
		a.lock <- struct{}{}
	default:
	}
}

func (a *alarm) arm(d time.Duration) { a.timer.Reset(d) }

func (a *alarm) close() {
	a.timer.Stop()
	<-a.lock
	a.waker.close()
}
