package eventloop

import (
	"net/netip"
	"os"
	"time"
)

// Conn is what a [Protocol] sees of its connection. A layer such as TLS is a
// Protocol towards the socket and a Conn towards the protocol inside it.
//
// No method blocks and none calls back into a Protocol. After Close, Abort or
// Closed every method is a no-op, except that the addresses, Now, Loop, Ended
// and Buffered stay readable.
//
// Loop-owned: call only from its event loop, except Post, Loop and RemoteAddr.
type Conn interface {
	// Write copies p into the outbox, which leaves in one system call at the
	// end of the loop turn, or earlier when more than 64 KiB wait. A p of 16 KiB
	// or more is handed to the kernel at once, together with what waits, and
	// only what the kernel does not take is copied. p is not retained.
	//
	// When more than Config.OutboxBytes wait already, p is dropped and the conn
	// ends with [ErrOutboxFull] at the end of the turn. One write of 16 KiB or
	// more does not count against small writes after it, so that a frame may
	// always be finished: an outbox holds at most Config.OutboxBytes, one
	// large write and one small one.
	Write(p []byte)

	// WriteImmutable is Write for a p that does not change any more: of one of
	// 16 KiB or more nothing is copied, and the outbox refers to what waits. (What
	// lies in the loop's own memory for input is copied all the same.)
	WriteImmutable(p []byte)

	// WriteLent is WriteImmutable for a p that is used again later: it does not
	// change while the conn is congested, which it is at least as long as any of p
	// waits. See Reclaim.
	WriteLent(p []byte)

	// WriteBuffer is WriteImmutable for a p that lies in b. The outbox has a
	// reference to b as long as it needs one; the caller keeps its own.
	WriteBuffer(p []byte, b *Buffer)

	// SendFile hands what waits to the kernel, and then up to n bytes of file from
	// offset on, which the kernel takes from the file itself: nothing of them is
	// copied, and none is kept in the outbox. It returns how many bytes were taken, at
	// most the conn's share of this turn. After less than n the conn is congested
	// until the kernel has room and its next turn has come, which Drained tells: go on
	// there. A file that ends before n bytes is io.ErrUnexpectedEOF; this and all other
	// errors are about the file, and leave the conn as it is. What is wrong with the
	// conn is told by Closed.
	//
	// What is not in the system's memory is waited for; see [Loop.Cached]. file may be
	// closed when SendFile has returned.
	SendFile(file *os.File, offset int64, n int) (sent int, err error)

	// Reclaim copies what waits of writes of lent memory, so that it may change.
	Reclaim()

	// Reserve returns an empty slice with room for at least n bytes that lies
	// in the outbox itself: append to it and hand the result to Commit. The
	// room may be overrun, at the price of a copy. It is valid until the next
	// call of any other method of the conn; without a Commit nothing happens.
	//
	//	c.Commit(machine.AppendFrame(c.Reserve(len(p)+16), p))
	Reserve(n int) []byte

	// Commit writes p as Write does, without a copy if p is what Reserve
	// returned, appended to within its room.
	Commit(p []byte)

	// Buffered is the number of bytes accepted and not yet taken by the
	// kernel.
	Buffered() int

	// Congested reports whether the sender should stop until Drained, which
	// follows: the outbox has risen above its high watermark, or the conn has
	// written its share of this turn (Config.WriteBytesPerTurn) and more waits, or a
	// file does.
	Congested() bool

	// ReadInto has the next read go to p, of which Data is then given the part
	// that was filled, instead of the loop's own memory: a place where what is
	// expected will be needed. It holds for one read; an empty p takes it back.
	// p must stay as it is until then.
	ReadInto(p []byte)

	// PauseRead stops the delivery of Data and EOF from the next call on,
	// until ResumeRead. A reset or a full hang-up is reported all the same, and
	// the end of the peer's stream by PeerEnded. Idempotent.
	PauseRead()

	// ResumeRead ends a pause; what has arrived is delivered in the next turn.
	// Idempotent.
	ResumeRead()

	// Schedule has [Protocol.Turn] called once at the end of this turn, before
	// the outbox is flushed, or in a later one if there is no time left; what
	// happens to the conn afterwards is told after it. Idempotent; from within
	// Turn it means the next turn.
	Schedule()

	// SetDeadline has [Protocol.Deadline] called once, at t or up to 9 ms
	// after it. There is one deadline per conn: a new one replaces it, the zero
	// time clears it. Moving a deadline later is a store, so it may be done for
	// every message.
	SetDeadline(t time.Time)

	// Now is the time at which this turn began.
	Now() time.Time

	// AfterFunc calls fn on the loop, once, after d or up to 9 ms later. The
	// timer is stopped when the conn ends: fn never runs after Closed.
	AfterFunc(d time.Duration, fn func()) *Timer

	// CloseWrite sends the end of the stream after what the outbox holds;
	// reading goes on. Once the peer has ended its stream too, the conn ends
	// with Closed(nil).
	CloseWrite()

	// Close ends the conn in good order: the outbox is flushed (at most
	// Config.CloseTimeout), the end of the stream is sent, input is read and
	// thrown away until the peer ends its stream too (at most
	// Config.LingerTimeout and Config.LingerBytes), so that no reset destroys
	// what the peer has not read yet, and the socket is closed. The Protocol is
	// told nothing more but Closed.
	// https://www.rfc-editor.org/rfc/rfc9112.html#section-9.6
	Close()

	// Abort drops the conn after this turn. What waits is thrown away
	// and the peer sees a reset, so that it cannot take a truncated stream for
	// a whole one. (A Unix socket knows no reset, only the end of the stream.)
	Abort()

	// Ended reports whether the conn is beyond saving: aborted, or found to be
	// broken by a write. Nothing that is written now leaves, and Closed follows;
	// who writes until Congested looks here too.
	Ended() bool

	// Post runs fn on the conn's loop, in a later turn and after everything
	// posted to that loop before it. It reports false, and drops fn, if the loop
	// has stopped or Config.MailboxTasks wait. fn is dropped too if the conn has
	// ended by then. Safe for concurrent use.
	Post(fn func()) bool

	// Loop is the loop that owns the conn. Safe for concurrent use.
	Loop() *Loop

	// LocalAddr is the near end. It may cost a system call.
	LocalAddr() Addr

	// RemoteAddr is the far end as it was when the conn was accepted; the zero
	// Addr for a Unix socket. Safe for concurrent use.
	RemoteAddr() Addr
}

// Protocol is what a conn delivers to. Every method runs on the conn's loop,
// never within another call to the same Protocol and never within a call of a
// [Conn] method. A method that panics costs its own conn only.
//
// Loop-owned: called only from its event loop.
type Protocol interface {
	// Data delivers bytes that were read. p belongs to the loop, unless they were
	// read into a place of the protocol's ([Conn.ReadInto]): it may be written to,
	// and is valid only during the call.
	Data(p []byte)

	// EOF tells, at most once and after all data, that the peer has ended its
	// stream. Writing goes on; whoever has nothing more to write calls Close.
	EOF()

	// PeerEnded tells, at most once, that the peer has ended its stream while
	// reading is paused: what it sent before has still to be read. Data and EOF
	// follow upon ResumeRead; whoever works for this peer only need not wait for
	// that.
	PeerEnded()

	// Turn follows [Conn.Schedule].
	Turn()

	// Drained tells that the outbox fell to the low watermark after the conn was
	// congested, or that there is room for more of a file.
	Drained()

	// Deadline tells that the deadline set last has passed; it is cleared.
	Deadline()

	// Closed is the last call, exactly once. err is nil after an orderly close
	// of ours, and otherwise says why: [ErrAborted], [ErrReset],
	// [ErrWriteTimeout], [ErrOutboxFull], [ErrShutdown] or a [*PanicError].
	Closed(err error)
}

// Addr is one end of a conn or a listener: an IP address with a port, or the
// path of a Unix socket (a leading @ means the abstract namespace). The zero
// Addr is an unnamed end. It is a net.Addr.
//
// Safe for concurrent use: immutable.
type Addr struct {
	AddrPort netip.AddrPort
	Path     string
}

// Network is "unix" for a path and "tcp" otherwise.
func (a Addr) Network() string {
	if a.Path != "" {
		return "unix"
	}
	return "tcp"
}

// String is the path, or host:port; empty for the zero Addr.
func (a Addr) String() string {
	switch {
	case a.Path != "":
		return a.Path
	case a.AddrPort.IsValid():
		return a.AddrPort.String()
	}
	return ""
}
