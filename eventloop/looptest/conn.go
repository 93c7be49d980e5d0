package looptest

import (
	"testing"
	"time"

	"github.com/gale-server/gale/eventloop"
	"github.com/gale-server/gale/eventloop/internal/kernel"
)

// Conn is a conn and the peer at its other end. The embedded Conn is what the
// protocol was given.
//
// Not safe for concurrent use: the goroutine that calls it is the loop.
type Conn struct {
	eventloop.Conn
	// Host is the loop that the conn runs on.
	Host *Loop

	socket *fakeSocket
	over   bool
	err    error
}

// NewConn opens a conn on a loop of its own with a zero Config.
func NewConn(t testing.TB, open func(eventloop.Conn) eventloop.Protocol) *Conn {
	t.Helper()
	return NewLoop(t, eventloop.Config{}).Open(open)
}

// resetEdge is what a poller reports of a reset.
const resetEdge = kernel.Readable | kernel.Writable | kernel.ReadToEnd | kernel.Hangup

// watched is the Protocol that the conn really has.
type watched struct {
	eventloop.Protocol
	conn *Conn
}

func (w *watched) Data(p []byte) {
	if w.conn.Host.sim.OwnsInput(p) { // else it lies in a place of the protocol's
		defer func() {
			for i := range p {
				p[i] = 0xDB
			}
		}()
	}
	w.Protocol.Data(p)
}

func (w *watched) Closed(err error) {
	w.conn.over, w.conn.err = true, err
	w.Protocol.Closed(err)
}

// ready reports an edge and runs the loop.
func (c *Conn) ready(r kernel.Readiness) {
	c.Host.t.Helper()
	if c.socket.added && !c.socket.closed {
		c.Host.sim.Ready(c.socket.fd, r)
	}
	c.Host.Run()
}

// Feed has the peer send p.
func (c *Conn) Feed(p string) {
	c.Host.t.Helper()
	if c.PeerDone() {
		c.Host.t.Fatal("looptest: Feed after the peer's end of stream")
	}
	c.socket.input = append(c.socket.input, p...)
	c.ready(kernel.Readable | kernel.Writable&c.writable())
}

// writable is the bit that a poller reports along with other edges while the
// kernel takes bytes.
func (c *Conn) writable() kernel.Readiness {
	if c.socket.space != 0 {
		return kernel.Writable
	}
	return 0
}

// Output returns what the conn has sent since the last call.
func (c *Conn) Output() string {
	c.Host.t.Helper()
	c.Host.Run()
	p := string(c.socket.output)
	c.socket.output = nil
	return p
}

// Stall has the kernel take no more bytes: the peer does not read.
func (c *Conn) Stall() { c.socket.space = 0 }

// Accept has the kernel take n more bytes and then none; a negative n ends all
// limits.
func (c *Conn) Accept(n int) {
	c.Host.t.Helper()
	c.socket.space = n
	if c.socket.starving && n != 0 {
		c.ready(kernel.Writable)
		return
	}
	c.Host.Run()
}

// HalfClose has the peer end its stream; it still reads.
func (c *Conn) HalfClose() {
	c.Host.t.Helper()
	c.socket.fin = true
	r := kernel.Readable | kernel.ReadToEnd
	if c.socket.finSent {
		r |= kernel.Hangup
	}
	c.ready(r)
}

// PeerClose has the peer close its socket: its stream ends, and what is sent
// to it from now on is answered with a reset.
func (c *Conn) PeerClose() {
	c.Host.t.Helper()
	c.socket.deaf = true
	c.HalfClose()
}

// Reset has the peer reset the conn. What it sent before can still be read.
func (c *Conn) Reset() {
	c.Host.t.Helper()
	c.socket.reset = true
	c.ready(resetEdge)
}

// ResetUnseen is Reset, of which the poller has no report yet: the next write finds
// out.
func (c *Conn) ResetUnseen() { c.socket.reset = true }

// Run runs the loop until it has nothing left to do.
func (c *Conn) Run() {
	c.Host.t.Helper()
	c.Host.Run()
}

// Advance moves the clock by d and runs the timers on the way.
func (c *Conn) Advance(d time.Duration) {
	c.Host.t.Helper()
	c.Host.Advance(d)
}

// Await runs what other goroutines post until cond is true.
func (c *Conn) Await(cond func() bool) {
	c.Host.t.Helper()
	c.Host.Await(cond)
}

// ReadPaused reports whether the conn has paused reading.
func (c *Conn) ReadPaused() bool { return c.Host.sim.ReadPaused(c.socket.fd) }

// Unread is the number of bytes that the peer sent and the conn has not read.
func (c *Conn) Unread() int { return len(c.socket.input) }

// Writes is the number of system calls so far that wrote, or tried to.
func (c *Conn) Writes() int { return c.socket.writes }

// FileBytes is the number of bytes so far that went by [eventloop.Conn.SendFile].
func (c *Conn) FileBytes() int { return c.socket.ofFiles }

// WriteClosed reports whether the peer has seen our end of stream.
func (c *Conn) WriteClosed() bool {
	return c.socket.finSent || c.socket.closed && !c.socket.aborted
}

// Aborted reports whether the peer has seen a reset.
func (c *Conn) Aborted() bool { return c.socket.aborted }

// Closed reports whether the protocol got its last call, and the reason in it.
func (c *Conn) Closed() (over bool, reason error) { return c.over, c.err }

// PeerDone reports whether the peer has ended its stream or reset the conn, so
// that it can Feed no more.
func (c *Conn) PeerDone() bool { return c.socket.fin || c.socket.reset }
