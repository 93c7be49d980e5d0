// Package kernel is the seam between an event loop and its operating system.
//
// There are two implementations: the real one in package eventloop, on
// sockets and a poller, and the scripted one in package looptest. Because the
// loop and its conns know nothing else of the system, a protocol tested
// against the fake is served by the very code that serves real sockets.
package kernel

import (
	"net/netip"
	"time"
)

// Readiness is what a poller reports of a descriptor: a set of the bits below.
type Readiness uint8

const (
	// Readable: bytes, or the end of the stream, wait to be read.
	Readable Readiness = 1 << iota
	// Writable: the kernel takes bytes again.
	Writable
	// ReadToEnd: a read shorter than its buffer does not mean that nothing is
	// left, because an end of stream, an error or urgent data may follow.
	ReadToEnd
	// Hangup: both directions may be over. It is a hint, since it may belong
	// to a former owner of the descriptor; [Kernel.Hangup] tells.
	Hangup
)

// Kernel is what a loop needs of its operating system. Reads and writes never
// block: they return unix.EAGAIN. They never return unix.EINTR, and never a
// count below zero.
//
// Loop-owned: call only from its event loop, except Wake.
type Kernel interface {
	// Now reads the clock.
	Now() time.Time
	// Register asks for the edges of fd, both directions, until fd is closed.
	Register(fd int) error
	// Read reads into p; zero and no error is the end of the stream.
	Read(fd int, p []byte) (int, error)
	// Write writes a prefix of p.
	Write(fd int, p []byte) (int, error)
	// Writev writes a prefix of the concatenation of bufs.
	Writev(fd int, bufs [][]byte) (int, error)
	// WriteMore is Writev ahead of more that follows at once: the kernel may keep
	// the end of it back until then.
	WriteMore(fd int, bufs [][]byte) (int, error)
	// SendFile writes up to n bytes of file, from offset on; zero and no error is
	// the end of the file. It waits for the disk if it has to.
	SendFile(fd, file int, offset int64, n int) (int, error)
	// Cached reports whether that would not wait.
	Cached(file int, offset int64, n int) bool
	// ReadCached reads a prefix of what p has room for from offset on, as far as
	// that does not wait.
	ReadCached(file int, p []byte, offset int64) int
	// CloseWrite sends the end of the stream.
	CloseWrite(fd int) error
	// Hangup reports whether both directions of fd are over, and whether an
	// error (a reset) is pending.
	Hangup(fd int) (hup, reset bool)
	// PeerEnded reports whether the peer has ended its stream, which may be
	// behind bytes that were not read. False if the system cannot tell.
	PeerEnded(fd int) bool
	// Close closes fd.
	Close(fd int)
	// Abort closes fd so that the peer sees a reset.
	Abort(fd int)
	// LocalAddr is the address of the near end; the zero value if unknown.
	LocalAddr(fd int) netip.AddrPort
	// Wake has the loop run a wake turn. Safe for concurrent use.
	Wake()
	// Arm has the loop run a timer turn after d, replacing what was armed.
	Arm(d time.Duration)
}
