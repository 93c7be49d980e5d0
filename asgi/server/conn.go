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
	ended      bool // the peer has ended its stream
	pumping    bool
	budget     int32  // events it may still handle in this call
	held       []byte // read, not yet pumped; reading is paused while there is any
	prev, next *conn  // the worker's conns
}

func (c *conn) Data(p []byte) {
	if len(c.held) > 0 {
		c.held = append(c.held, p...)
		return
	}
	c.budget = eventsPerCall
	if rest := c.pump(p); len(rest) > 0 {
		c.held = append([]byte(nil), rest...)
		c.sock.PauseRead()
		c.goOn()
	}
}

// goOn has the next call handle what this one had no time for.
func (c *conn) goOn() {
	if c.budget <= 0 {
		c.sock.Schedule()
	}
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
	if len(c.held) > 0 {
		c.held = c.pump(c.held)
	} else {
		c.pump(nil)
	}
	if len(c.held) > 0 {
		c.goOn()
		return
	}
	c.held = nil
	c.sock.ResumeRead()
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
	c.held = nil
	if errors.Is(err, eventloop.ErrOutboxFull) {
		c.w.srv.log.Warn("connection dropped: the application sends on while congested", "client", c.sock.RemoteAddr().String())
	}
	c.phase.closed(err)
	c.w.remove(c) // last: the drain is over when every application knows
}

func (c *conn) PeerEnded() {}
