package eventloop

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// SendFile hands the kernel what waits and then the file, of which the outbox holds
// nothing: who sends it keeps its place.
func (s *socket) SendFile(file *os.File, offset int64, n int) (sent int, err error) {
	s.loop.assertOwner()
	if n <= 0 || !s.mayWrite() {
		return 0, nil
	}
	begins := s.out.len() > 0 // with a head, when mostly nothing is under way
	s.sendAhead()
	for sent < n && s.mayOffer() { // else something waits still
		part := s.portion(n - sent)
		if begins && sent == 0 && part >= ledBytes {
			part = leadBytes // as of a write, and for its reason
		}
		taken, err := s.sendFrom(file, offset+int64(sent), part)
		if sent += taken; err != nil {
			return sent, err
		}
	}
	if sent < n {
		s.waitForRoom()
	}
	return sent, nil
}

// sendAhead writes what waits, as far as possible, ahead of more.
func (s *socket) sendAhead() {
	for s.out.len() > 0 && s.mayOffer() {
		iov := s.out.offer(s.loop.iov[:0], s.portion(s.out.len()))
		n, err := s.loop.kernel.WriteMore(int(s.fd), iov)
		s.out.sent(&s.loop.buffers, s.transferred(n, total(iov), err))
		clear(iov)
	}
}

// sendFrom hands a part of a file to the kernel and returns how much it took. Only
// when it takes nothing at all is it full: it may have come to the end of the file.
func (s *socket) sendFrom(file *os.File, offset int64, n int) (int, error) {
	taken, err := s.loop.kernel.SendFile(int(s.fd), int(file.Fd()), offset, n)
	switch {
	case taken > 0:
		s.took(taken, taken)
	case err == nil:
		return 0, fmt.Errorf("eventloop: sending %s: %w", file.Name(), io.ErrUnexpectedEOF)
	case err == unix.EAGAIN:
		s.set(blocked)
	case ofSocket(err):
		s.end(ioError(err))
	default:
		return 0, fmt.Errorf("eventloop: sending %s: %w", file.Name(), err)
	}
	return taken, nil
}

// ofSocket reports whether an error of sendfile is one of the conn.
func ofSocket(err error) bool {
	switch err {
	case unix.EPIPE, unix.ECONNRESET, unix.ECONNABORTED, unix.ENOTCONN, unix.ETIMEDOUT,
		unix.EHOSTUNREACH, unix.EHOSTDOWN, unix.ENETUNREACH, unix.ENETDOWN:
		return true
	}
	return false
}

// waitForRoom has Drained called when the kernel takes bytes again and it is the
// conn's turn. The peer's time runs until then.
func (s *socket) waitForRoom() {
	if s.phase == ended {
		return
	}
	s.set(above | drainedDue)
	s.touch()
}

// wantsRoom reports whether a file waits for that.
func (s *socket) wantsRoom() bool { return s.flags&(above|drainedDue) == above|drainedDue }

// Cached reports whether the system has a part of a file in its memory, so that
// [Conn.SendFile] of it does not wait for a disk. It may be mistaken: the system
// drops what it likes, and some file systems do not tell, or not exactly (of files
// that overlayfs shows, it is never true). It costs two system calls.
func (l *Loop) Cached(file *os.File, offset int64, n int) bool {
	return n <= 0 || l.kernel.Cached(int(file.Fd()), offset, n)
}

// ReadCached reads into p from offset on, as much as that does not wait for a disk.
// For a few KiB it is cheaper than SendFile. Zero also if the system cannot tell.
func (l *Loop) ReadCached(file *os.File, p []byte, offset int64) int {
	if len(p) == 0 {
		return 0
	}
	return l.kernel.ReadCached(int(file.Fd()), p, offset)
}
