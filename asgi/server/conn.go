package server

import (
	"errors"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/eventloop"
)

// phase is what a conn speaks at the moment.
type phase interface {
	// pump takes bytes of p, which may be written to, until the application or
	// the protocol wants no more for now or the conn's budget is spent, and
	// returns how many. It ends early when the conn has entered another phase.
	pump(p []byte) int

	// turn follows a Resume or the completion of a response outside of pump.
	turn()

	// eof: the peer has ended its stream, and everything before was pumped.
	eof()

	// stuck: the peer has ended its stream, and what it sent before waits for the
	// application. It may be called again and again.
	stuck()

	// place is where what comes next is to be read to, of what is expected soon;
	// nil: where the loop reads.
	place() []byte
	drained()
	deadline()
	closed(err error)

	// drain: the server is about to stop.
	drain(d *asgi.Drain)

	// ending reports whether nothing is lost with the conn but what waits in the
	// outbox.
	ending() bool
}

// eventsPerCall bounds what of one conn is handled in a call of Data or Turn, of
// which a turn of its loop has one each: a read may hold thousands of small
// requests or messages, and other conns wait meanwhile. What is left waits for
// the next turn.
const eventsPerCall = 32

// conn is one connection: an eventloop.Protocol that passes bytes to the phase
// it is in, and holds what the phase does not take yet.
//
// Loop-owned: call only from its event loop.
type conn struct {
	sock       eventloop.Conn
	w          *worker
	phase      phase
	ended      bool // the peer has ended its stream, and everything before was read
	leaving    bool // it has ended its stream, though not everything before was read
	pumping    bool
	budget     int32  // events it may still handle in this call
	size       int32  // bytes of memory of held, and at most twice its length
	held       []byte // read, not yet pumped; reading is paused while there is any
	prev, next *conn  // the worker's conns
}

func (c *conn) Data(p []byte) {
	c.budget = eventsPerCall
	if rest := c.pump(p); len(rest) > 0 {
		c.hold(rest)
		c.sock.PauseRead()
		c.goOn()
	}
	c.expect()
}

// expect has the next read go where its bytes will be needed, after a read that
// took the place named before.
func (c *conn) expect() {
	if len(c.held) > 0 {
		return
	}
	if p := c.phase.place(); p != nil {
		c.sock.ReadInto(p)
	}
}

// hold keeps rest, which is new or the end of what is held. It is copied when it
// is new, and when so much was taken that the memory is worth having back.
func (c *conn) hold(rest []byte) {
	if n := int32(len(rest)); c.size == 0 || n <= c.size/2 {
		rest = append([]byte(nil), rest...)
		c.w.hold(int(n - c.size))
		c.size = n
	}
	c.held = rest
}

// goOn follows a call that leaves something held: what it had no time for is
// handled in the next one, what the application does not take may wait for long.
func (c *conn) goOn() {
	switch {
	case c.budget <= 0:
		c.sock.Schedule()
	case c.leaving:
		c.phase.stuck()
	}
}

// PeerEnded: reading is paused while something is held.
func (c *conn) PeerEnded() {
	c.leaving = true
	c.goOn()
}

// pump hands p to the phase, and on to the next one if it changes, and returns
// what is left of it.
func (c *conn) pump(p []byte) []byte {
	c.pumping = true
	for {
		before := c.phase
		p = p[before.pump(p):]
		if c.phase == before {
			break
		}
	}
	c.pumping = false
	return p
}

// wake has turn called once the application's call is over.
func (c *conn) wake() {
	if !c.pumping {
		c.sock.Schedule()
	}
}

func (c *conn) Turn() {
	c.budget = eventsPerCall
	c.phase.turn()
	if c.hold(c.pump(c.held)); len(c.held) > 0 {
		c.goOn()
		return
	}
	c.sock.ResumeRead()
	c.sock.ReadInto(c.phase.place())
	if c.ended {
		c.phase.eof()
	}
}

func (c *conn) EOF() {
	c.ended = true
	if len(c.held) == 0 {
		c.phase.eof()
	}
}

func (c *conn) Drained() {
	c.phase.drained()
	c.sock.Schedule()
}

func (c *conn) Deadline() { c.phase.deadline() }

func (c *conn) Closed(err error) {
	c.hold(nil)
	if errors.Is(err, eventloop.ErrOutboxFull) {
		c.w.srv.log.Warn("connection dropped: the application sends on while congested", "client", c.sock.RemoteAddr().String())
	}
	c.phase.closed(err)
	c.w.remove(c) // last: the drain is over when every application knows
}
