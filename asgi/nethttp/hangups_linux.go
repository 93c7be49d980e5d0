package nethttp

import (
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// hangups tells connections that their peer has left. The kernel knows of it ahead
// of bytes that nobody has read (EPOLLRDHUP). A connection is registered once, for
// nothing else, so that what it sends and receives wakes nobody.
//
// Safe for concurrent use.
type hangups struct {
	mu    sync.Mutex
	epoll *os.File // nil before the first connection
	conns map[uint64]*departure
	last  uint64 // key in conns; never used again, as descriptors are
	shut  bool
	run   sync.WaitGroup
}

// watch begins to watch conn for d, and returns what ends that before conn is
// closed. A connection that cannot be watched is none's loss: net/http still sees
// most departures.
func (h *hangups) watch(conn net.Conn, d *departure) (forget func()) {
	forget = func() {}
	s, ok := conn.(syscall.Conn)
	if !ok {
		return forget
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return forget
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.epoll == nil && h.open() != nil {
		return forget
	}
	h.last++
	key := h.last
	event := unix.EpollEvent{Events: unix.EPOLLRDHUP | unix.EPOLLET, Fd: int32(key), Pad: int32(key >> 32)}
	h.conns[key] = d
	ctlErr := h.control(func(epoll int) error {
		var failed error
		if err := raw.Control(func(fd uintptr) { failed = unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, int(fd), &event) }); err != nil {
			return err
		}
		return failed
	})
	if ctlErr != nil {
		delete(h.conns, key)
		return forget
	}
	return func() { // the kernel forgets a descriptor that is closed
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.conns, key)
	}
}

// open begins to wait. It is called with mu held.
func (h *hangups) open() error {
	if h.shut {
		return os.ErrClosed
	}
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	if err := unix.SetNonblock(fd, true); err != nil { // so that waiting takes no thread
		_ = unix.Close(fd)
		return err
	}
	h.epoll = os.NewFile(uintptr(fd), "hangups")
	h.conns = map[uint64]*departure{}
	h.run.Go(func() { h.wait(h.epoll) }) // ends by close
	return nil
}

// control calls fn with the descriptor of epoll.
func (h *hangups) control(fn func(fd int) error) error {
	raw, err := h.epoll.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = fn(int(fd)) }); err != nil {
		return err
	}
	return failed
}

func (h *hangups) wait(epoll *os.File) {
	raw, err := epoll.SyscallConn()
	if err != nil {
		return
	}
	var events [64]unix.EpollEvent
	for {
		n := 0
		err := raw.Read(func(fd uintptr) bool {
			n, _ = unix.EpollWait(int(fd), events[:], 0)
			return n > 0
		})
		if err != nil {
			return
		}
		for _, event := range events[:n] {
			h.tell(event)
		}
	}
}

func (h *hangups) tell(event unix.EpollEvent) {
	key := uint64(uint32(event.Fd)) | uint64(uint32(event.Pad))<<32
	h.mu.Lock()
	d := h.conns[key]
	h.mu.Unlock()
	switch {
	case d == nil: // it was closed meanwhile
	case event.Events&(unix.EPOLLERR|unix.EPOLLHUP) != 0:
		d.set(broken)
	default:
		d.set(ended)
	}
}

// close ends it, and waits for that.
func (h *hangups) close() {
	h.mu.Lock()
	h.shut = true
	epoll := h.epoll
	h.mu.Unlock()
	if epoll != nil {
		_ = epoll.Close()
		h.run.Wait()
	}
}
