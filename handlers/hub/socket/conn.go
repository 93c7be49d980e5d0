package socket

import (
	"bytes"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/internal/rate"
)

// conn is one connection: the receiver of its events, and what the hub's client
// goes out by.
//
// Loop-owned: call only from its event loop.
type conn struct {
	h       *Handler
	x       asgi.Exchange
	scope   *asgi.Scope
	client  *hub.Client // nil before the connect
	session sessionKey
	timer   asgi.Timer // of the connect, then of the identity; nil for none
	send    asgi.WebSocketSend
	rate    rate.Bucket // of commands
	own     rate.Bucket // the same, without what connections before it have spent
	hasty   bool        // the last command was above that
	faults  rate.Bucket
	rest    []byte // commands that are not carried out yet
	asked   int32  // of the broker, that it has not answered
	working bool   // commands are being carried out
	closed  bool
}

// maxAsked bounds what the broker is asked for one connection at a time. What it
// answers has to fit the outbox.
const maxAsked = 8

// Receive handles an event of the connection.
func (c *conn) Receive(ev asgi.ReceiveEvent) {
	finished := false
	defer func() {
		if !finished {
			c.depart() // a panic ends the exchange without a disconnect
		}
	}()
	switch ev := ev.(type) {
	case *asgi.WebSocketConnect:
		c.accept()
	case *asgi.WebSocketReceive:
		if !c.closed {
			c.receive(ev)
		}
	case *asgi.Writable:
		c.goOn() // commands first: what a client wants no more it can say
		if c.client != nil && !c.closed && !c.x.Congested() {
			c.client.Writable()
		}
	case *asgi.Drain:
		c.reply(&push{Drain: &nothing{}}) // out of order before the handshake, and then of no use
	case *asgi.WebSocketDisconnect:
		c.depart()
	}
	finished = true
}

func (c *conn) accept() {
	var e asgi.WebSocketAccept
	if len(c.scope.Subprotocols) > 0 {
		e.Subprotocol = Subprotocol
	}
	if c.x.Send(&e) == nil {
		c.timer = c.x.AfterFunc(c.h.config.ConnectTimeout, func() { c.close(malformed("no connect in time")) })
	}
}

// receive takes a message of the client.
func (c *conn) receive(ev *asgi.WebSocketReceive) {
	switch {
	case ev.Kind != asgi.Text:
		c.closeWith(closeBinary, hub.BadRequest)
		return
	case len(ev.Data) > c.h.config.MaxMessageBytes:
		c.closeWith(closeTooLarge, hub.TooLarge)
		return
	}
	if err := check(ev.Data); err != nil {
		c.refuse(0, err)
		return
	}
	c.rest = list(ev.Data)
	if first, _ := nextValue(c.rest); first == nil {
		c.refuse(0, errJSON)
	}
	c.work()
	if c.rest != nil {
		c.rest = bytes.Clone(c.rest) // until then it is the event's
	}
}

// The close codes that are no errors' own: RFC 6455, section 7.4.1.
const (
	closeBinary   = 1003
	closeTooLarge = 1009
)

// work carries out commands, until there are none or it must wait; then no more
// come.
func (c *conn) work() {
	c.working = true
	for !c.closed && !c.busy() {
		value, rest := nextValue(c.rest)
		c.rest = rest
		if value == nil {
			break
		}
		c.do(value)
	}
	c.working = false
	switch {
	case c.closed:
		c.rest = nil
	case c.busy():
		c.x.Pause()
	}
}

// busy reports whether commands have to wait.
func (c *conn) busy() bool { return c.asked >= maxAsked || c.x.Congested() }

// goOn follows the end of what commands wait for.
func (c *conn) goOn() {
	if c.closed || c.working || c.busy() {
		return
	}
	if c.work(); !c.closed && !c.busy() {
		c.x.Resume()
	}
}

// do carries out one command.
func (c *conn) do(value []byte) {
	q, err := parseCommand(value)
	switch {
	case err != nil:
	case c.client == nil && !q.does.first:
		err = errFirst
	case c.client != nil && q.does.first:
		err = errAgain
	case !q.does.free:
		err = c.allowed()
	}
	var a args
	if err == nil {
		a, err = parseArgs(q.body, q.does.keys)
	}
	if err != nil {
		c.refuse(q.id, err)
		return
	}
	q.does.run(c, q.id, &a)
}

var (
	errFirst = malformed(`the first command is "connect"`)
	errAgain = malformed("you have connected already")
)

// allowed takes a command off the client's rate.
func (c *conn) allowed() *hub.Error {
	now, limit := c.h.now(), c.h.config.commands()
	_, own := c.own.Take(now, limit)
	c.hasty = !own
	if wait, ok := c.rate.Take(now, limit); !ok {
		return &hub.Error{Code: hub.TooFast, Text: "you ask for too much", RetryAfter: wait}
	}
	return nil
}

// refuse answers a command that is not carried out. What only a broken or hostile
// program does counts as a fault: so not what is too fast because of the connections
// before this one.
func (c *conn) refuse(id uint64, err error) {
	e := hub.AsError(err)
	c.reply(&reply{ID: id, Error: failureOf(e)})
	if e.Code == hub.BadRequest || e.Code == hub.TooFast && c.hasty {
		c.fault()
	}
}

func (c *conn) fault() {
	config := &c.h.config
	if _, ok := c.faults.Take(c.h.now(), rate.Limit{Interval: config.FaultPeriod, Burst: config.MaxFaults}); !ok {
		c.close(malformed("too many mistakes"))
	}
}

// reply sends a message of the server's own.
func (c *conn) reply(v any) { c.write(encode(v), asgi.Immutable) }

// write sends a frame that stays as it is for that long, and reports whether it could.
func (c *conn) write(frame []byte, l asgi.Lifetime) bool {
	if c.closed {
		return false
	}
	c.send.Data, c.send.Lifetime = frame, l
	err := c.x.Send(&c.send)
	c.send.Data = nil
	return err == nil // else the peer is gone, and the disconnect on its way
}

// close ends the connection for a reason, once.
func (c *conn) close(reason *hub.Error) { c.closeWith(reason.CloseCode(), reason.Code) }

func (c *conn) closeWith(code int, word hub.ErrorCode) {
	if c.closed {
		return
	}
	c.depart()
	_ = c.x.Send(&asgi.WebSocketClose{Code: code, Reason: string(word)})
}

func (c *conn) replaced() { c.close(errReplaced) }

// depart ends all that the connection is part of. Idempotent.
func (c *conn) depart() {
	c.closed = true
	if c.timer != nil {
		c.timer.Stop()
	}
	c.h.forget(c)
	if c.client != nil {
		c.client.Close()
		if user := c.client.Identity().User; user != "" {
			c.h.spent.Merge(user, c.rate, c.h.now())
		}
	}
}
