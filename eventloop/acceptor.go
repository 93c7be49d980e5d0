package eventloop

import (
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2/pkg/netpoll"
	"golang.org/x/sys/unix"
)

const (
	// acceptsPerTurn is how many connections one listener gives before the
	// others have had their turn.
	acceptsPerTurn = 64
	// When descriptors run out, accepting is tried again as soon as a conn
	// closes, and after a pause that grows between these.
	shortestPause = 50 * time.Millisecond
	longestPause  = time.Second
	// complainEvery bounds how often the log hears of it.
	complainEvery = 10 * time.Second
)

// acceptor takes connections off the listening sockets, on a goroutine and a
// poller of its own, so that accepting does not wait for a handler.
//
// Safe for concurrent use, but for what is marked as the goroutine's own.
type acceptor struct {
	group  *Group
	kernel *pollerKernel
	done   chan struct{} // closed when the goroutine has returned
	once   sync.Once     // stop
	pauses atomic.Uint64

	mu        sync.Mutex
	listeners []*listener
	started   bool
	stopped   bool

	starved    atomic.Bool   // the last accept failed for want of something
	pause      time.Duration // the goroutine's own: how long to wait next
	complained time.Time     // the goroutine's own
}

func newAcceptor(g *Group, k *pollerKernel) *acceptor {
	return &acceptor{group: g, kernel: k, done: make(chan struct{})}
}

// add listens on l from now on.
func (a *acceptor) add(l *listener) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopped {
		return fmt.Errorf("eventloop: listen: %w", net.ErrClosed)
	}
	if err := a.kernel.watch(l.fd); err != nil {
		return fmt.Errorf("eventloop: listen: %w", err)
	}
	a.listeners = append(a.listeners, l)
	return nil
}

// all is a snapshot of the listeners.
func (a *acceptor) all() []*listener {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.listeners[:len(a.listeners):len(a.listeners)]
}

func (a *acceptor) files() ([]*os.File, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var files []*os.File
	if a.stopped {
		return nil, nil
	}
	for _, l := range a.listeners {
		fd, err := unix.FcntlInt(uintptr(l.fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			for _, f := range files {
				_ = f.Close()
			}
			return nil, fmt.Errorf("eventloop: duplicate a listener: %w", err)
		}
		files = append(files, os.NewFile(uintptr(fd), l.addr.String()))
	}
	return files, nil
}

func (a *acceptor) start() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.started && !a.stopped {
		a.started = true
		go a.run() // stop ends it, and waits for done
	}
}

func (a *acceptor) stop() {
	a.once.Do(func() {
		a.mu.Lock()
		a.stopped = true
		if a.started {
			a.kernel.Wake()
		} else {
			close(a.done)
		}
		a.mu.Unlock()
		<-a.done
		for _, l := range a.all() {
			l.close()
		}
		a.kernel.close()
	})
}

// run is the goroutine.
func (a *acceptor) run() {
	defer close(a.done)
	err := a.kernel.poller.Polling(func(fd int, _ netpoll.IOEvent, _ netpoll.IOFlags) error {
		switch fd {
		case a.kernel.waker.fd():
			a.kernel.waker.drain()
			if a.stopping() {
				return errStop
			}
		case a.kernel.alarm.fd():
			a.kernel.alarm.drain()
		}
		a.accept(fd)
		return nil
	})
	if err != errStop {
		a.group.config.Logger.Error("acceptor died", "error", err)
	}
}

func (a *acceptor) stopping() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.stopped
}

// accept gives every listener its turn; the one of fd has news.
func (a *acceptor) accept(fd int) {
	more := false
	for _, l := range a.all() {
		l.pending = l.pending || l.fd == fd
		if l.pending {
			a.acceptFrom(l)
			more = more || l.pending
		}
	}
	if more && !a.starved.Load() {
		a.kernel.Wake()
	}
}

func (a *acceptor) acceptFrom(l *listener) {
	for range acceptsPerTurn {
		fd, sa, err := acceptConn(l.fd)
		switch err {
		case nil:
			a.starved.Store(false)
			a.pause = 0
			a.group.handOver(fd, l, addrPort(sa))
		case unix.EAGAIN:
			l.pending = false
			return
		case unix.EINTR, unix.ECONNABORTED, unix.EPROTO, unix.EPERM, unix.ENETDOWN, unix.ENETUNREACH,
			unix.EHOSTDOWN, unix.EHOSTUNREACH, unix.ENOPROTOOPT, unix.EOPNOTSUPP:
			// The connection at the head of the queue failed; it is gone.
		default:
			if err == unix.EMFILE {
				a.group.cap.RanOut(a.group.taken(), a.kernel.Now())
			}
			a.rest(err)
			return
		}
	}
}

// rest pauses accepting when the system has no descriptor or no memory left:
// connections wait in the kernel's queue meanwhile.
func (a *acceptor) rest(why error) {
	a.pauses.Add(1)
	a.starved.Store(true)
	a.pause = min(max(2*a.pause, shortestPause), longestPause)
	a.kernel.Arm(a.pause)
	if now := a.kernel.Now(); now.Sub(a.complained) >= complainEvery {
		a.complained = now
		a.group.config.Logger.Warn("accepting pauses", "error", why, "conns", a.group.Conns())
	}
}

// descriptorFreed has a starved acceptor try again.
func (a *acceptor) descriptorFreed() {
	if !a.starved.Load() {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.stopped {
		a.kernel.Wake()
	}
}
