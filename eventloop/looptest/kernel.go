package looptest

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gale-server/gale/eventloop/internal/kernel"
)

// firstFD is the descriptor of the first conn.
const firstFD = 10

// fakeKernel is a kernel.Kernel without an operating system.
//
// Not safe for concurrent use, but for Wake.
type fakeKernel struct {
	now     time.Time
	alarm   time.Time     // zero: not set
	wakes   chan struct{} // holds one token when a wake turn is due
	sockets map[int]*fakeSocket
	next    int
	cold    bool // no file is in the page cache
}

// fakeSocket is the kernel's end of a conn, and the peer behind it.
//
// Not safe for concurrent use.
type fakeSocket struct {
	fd       int
	input    []byte // sent by the peer, not yet read
	fin      bool   // the peer ended its stream
	reset    bool   // the peer reset the conn
	deaf     bool   // the peer closed its socket and will answer bytes with a reset
	answer   bool   // it has got such bytes
	output   []byte // taken from the conn, not yet given to the test
	space    int    // bytes that will still be taken; negative: any number
	writes   int    // system calls so far
	ofFiles  int    // bytes of output that came by SendFile
	starving bool   // a write was refused, so more space is an edge
	finSent  bool   // the conn ended its stream
	closed   bool
	aborted  bool
	added    bool
}

func newKernel() *fakeKernel {
	return &fakeKernel{now: Start, wakes: make(chan struct{}, 1), sockets: make(map[int]*fakeSocket), next: firstFD}
}

func (k *fakeKernel) socket() *fakeSocket {
	s := &fakeSocket{fd: k.next, space: -1}
	k.sockets[s.fd] = s
	k.next++
	return s
}

// woken takes the token.
func (k *fakeKernel) woken() bool {
	select {
	case <-k.wakes:
		return true
	default:
		return false
	}
}

// ring moves the clock to the alarm if that is set to at most target.
func (k *fakeKernel) ring(target time.Time) bool {
	if k.alarm.IsZero() || k.alarm.After(target) {
		return false
	}
	if k.alarm.After(k.now) {
		k.now = k.alarm
	}
	k.alarm = time.Time{}
	return true
}

// rejected takes a socket whose peer answers with a reset; nil if there is none.
func (k *fakeKernel) rejected() *fakeSocket {
	for _, s := range k.sockets {
		if s.answer && !s.closed {
			s.answer, s.reset = false, true
			return s
		}
	}
	return nil
}

func (k *fakeKernel) Now() time.Time { return k.now }

func (k *fakeKernel) Register(fd int) error {
	k.sockets[fd].added = true
	return nil
}

func (k *fakeKernel) Read(fd int, p []byte) (int, error) {
	s := k.sockets[fd]
	switch {
	case s.closed:
		return 0, unix.EBADF
	case len(s.input) > 0:
		n := copy(p, s.input)
		s.input = s.input[n:]
		return n, nil
	case s.reset:
		return 0, unix.ECONNRESET
	case s.fin:
		return 0, nil
	}
	return 0, unix.EAGAIN
}

func (k *fakeKernel) Write(fd int, p []byte) (int, error) {
	s := k.sockets[fd]
	s.writes++
	switch {
	case s.closed:
		return 0, unix.EBADF
	case s.reset || s.finSent:
		return 0, unix.EPIPE
	}
	n := len(p)
	if s.space >= 0 {
		n = min(n, s.space)
		s.space -= n
	}
	s.output = append(s.output, p[:n]...)
	s.answer = s.deaf && n > 0
	s.starving = n < len(p)
	if n == 0 {
		return 0, unix.EAGAIN
	}
	return n, nil
}

func (k *fakeKernel) Writev(fd int, bufs [][]byte) (int, error) {
	var p []byte
	for _, b := range bufs {
		p = append(p, b...)
	}
	return k.Write(fd, p)
}

func (k *fakeKernel) WriteMore(fd int, bufs [][]byte) (int, error) { return k.Writev(fd, bufs) }

func (k *fakeKernel) SendFile(fd, file int, offset int64, n int) (int, error) {
	s := k.sockets[fd]
	if s.space >= 0 {
		n = min(n, s.space+1) // one more than fits, so that it shows
	}
	p := make([]byte, n)
	m, err := unix.Pread(file, p, offset)
	if m <= 0 || err != nil {
		return 0, err
	}
	m, err = k.Write(fd, p[:m])
	s.ofFiles += m
	return m, err
}

func (k *fakeKernel) Cached(int, int64, int) bool { return !k.cold }

func (k *fakeKernel) ReadCached(file int, p []byte, offset int64) int {
	if k.cold {
		return 0
	}
	n, _ := unix.Pread(file, p, offset)
	return max(n, 0)
}

func (k *fakeKernel) CloseWrite(fd int) error {
	s := k.sockets[fd]
	if s.closed {
		return unix.EBADF
	}
	if s.reset {
		return unix.ENOTCONN
	}
	s.finSent = true
	return nil
}

func (k *fakeKernel) Hangup(fd int) (hup, reset bool) {
	s := k.sockets[fd]
	return s.reset || s.fin && s.finSent, s.reset
}

func (k *fakeKernel) PeerEnded(fd int) bool { return k.sockets[fd].fin }

func (k *fakeKernel) Close(fd int) {
	k.sockets[fd].closed = true
}

func (k *fakeKernel) Abort(fd int) {
	s := k.sockets[fd]
	s.closed, s.aborted = true, true
}

func (k *fakeKernel) LocalAddr(int) netip.AddrPort { return netip.AddrPort{} }

func (k *fakeKernel) Wake() {
	select {
	case k.wakes <- struct{}{}:
	default:
	}
}

func (k *fakeKernel) Arm(d time.Duration) { k.alarm = k.now.Add(max(d, 0)) }

var _ kernel.Kernel = (*fakeKernel)(nil)
