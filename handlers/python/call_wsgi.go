package python

import (
	"fmt"
	"strconv"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/python/internal/wire"
)

// invocation is a request that a WSGI application answers. A thread sees it when all of
// it is there, and what the thread answers is kept until the client takes it: a slow
// client holds no thread.
//
// Loop-owned: call only from the loop of its exchange.
type invocation struct {
	spoken
	scope   *asgi.Scope // until the worker has it
	waiter  *waiter     // while there is no worker, or no thread
	begun   bool        // the worker has it
	started bool        // the head of the response is there
	ended   bool        // so is the end of it
	file    bool        // the worker waits for a file to be taken
	in, out spool

	// What announce says.
	size int64
	body []byte
	path string // of the body's file, or empty
}

func (h *Handler) openWSGI(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
	c := &invocation{scope: scope}
	c.h, c.x, c.threaded = h, x, true
	c.in.init(h, x)
	c.out.init(h, x)
	if value, ok := scope.Header("content-length"); ok {
		if n, err := strconv.ParseInt(value, 10, 64); err == nil && n > h.config.MaxBodyBytes {
			tooLarge(x)
			return nil
		}
	}
	return c
}

func tooLarge(x asgi.Exchange) { _ = handlers.Respond(x, 413, []byte("the request is too large\n")) }

func (c *invocation) Receive(ev asgi.ReceiveEvent) {
	switch ev := ev.(type) {
	case *asgi.HTTPRequest:
		if !c.finished {
			c.receive(ev.Body, ev.MoreBody)
		}
	case *asgi.HTTPDisconnect:
		c.h.waiting.leave(c.waiter)
		if c.begun {
			c.gone(0, "")
		}
		c.finished = true
		c.in.close()
		c.out.close()
	case *asgi.Writable:
		c.writable()
	case *asgi.Drain:
		c.h.drain(ev)
	}
}

// receive keeps a piece of the body.
func (c *invocation) receive(p []byte, more bool) {
	if c.in.size+int64(len(p)) > c.h.config.MaxBodyBytes {
		c.give(413, "the request is too large\n")
		return
	}
	if !c.in.put(p) {
		c.give(503, "too many requests are kept\n")
		return
	}
	whole := len(c.in.memory) <= wire.PieceBytes && c.in.file == nil
	switch {
	case whole && more:
	case whole:
		c.submit()
	case more && len(c.in.memory) < spillBytes:
	default:
		c.x.Pause()
		c.in.spill(func(err error) {
			switch {
			case c.finished:
			case err != nil:
				c.h.config.Logger.Error("python: a request cannot be kept", "error", err)
				c.give(503, "the request cannot be kept\n")
			case more:
				c.x.Resume()
			default:
				c.submit()
			}
		})
	}
}

// give answers a request that no worker gets.
func (c *invocation) give(status int, text string) {
	c.finished = true
	c.in.close()
	_ = handlers.Respond(c.x, status, []byte(text))
}

// submit gives the request to a worker with a free thread, or has it wait.
func (c *invocation) submit() {
	if c.h.waiting.empty() && c.try() {
		return
	}
	c.waiter = c.h.wait(c.x, c.try, func(error) {
		c.finished = true
		c.in.close()
		unavailable(c.x, nil)
	})
}

// try gives the request to a worker that has room for it.
func (c *invocation) try() bool {
	if !c.h.assign(&c.spoken) {
		return false
	}
	c.begun = true
	c.size, c.body, c.path = c.in.size, c.in.memory, c.in.path()
	c.begin(c)
	return true
}

func (c *invocation) announce(out *wire.Batch, sid uint32) bool {
	l := c.link
	l.environ = appendEnviron(l.environ[:0], c.scope, c.size)
	ok := out.WSGI(sid, l.environ, c.body, c.path)
	clear(l.environ)
	c.scope, c.body = nil, nil
	return ok
}

func (c *invocation) tooLarge() {
	if !c.finished {
		c.finish()
		c.give(431, "the fields of the request are too large\n")
	}
}

func (c *invocation) frame(f *wire.Frame) {
	if c.finished {
		return
	}
	var err error
	switch f.Kind {
	case wire.Response:
		if err = c.head(f); err == nil {
			c.in.close()
			err = c.last(f.Data)
		}
	case wire.Start:
		if err = c.head(f); err == nil && len(f.Data) > 0 {
			err = c.piece(f.Data)
		}
	case wire.Chunk:
		switch {
		case !c.started:
			err = &protocolError{"a chunk before the head"}
		case f.More:
			err = c.piece(f.Data)
		default:
			c.in.close()
			err = c.last(f.Data)
		}
	case wire.File:
		err = c.sendFile(f)
	case wire.End:
		c.end(f.Reason)
	case wire.Took:
	default:
		err = &protocolError{fmt.Sprintf("a frame of kind %d for a request by WSGI", f.Kind)}
	}
	if err != nil {
		c.refused(err, c.close)
	}
}

// close gives back what is kept.
func (c *invocation) close() {
	c.in.close()
	c.out.close()
}

func (c *invocation) head(f *wire.Frame) error {
	if c.started {
		return &protocolError{"a second head"}
	}
	c.started = true
	return c.x.Send(&asgi.HTTPResponseStart{Status: f.Status, Headers: f.Headers})
}

// piece sends a piece of the body, or keeps it if the client is slow.
func (c *invocation) piece(p []byte) error {
	if c.out.empty() && !c.x.Congested() {
		if err := c.x.Send(&asgi.HTTPResponseBody{Body: p, MoreBody: true}); err != nil {
			return err
		}
		return c.owe(len(p))
	}
	if c.owed += len(p); c.owed > windowBytes {
		return &protocolError{"more of a body than there is credit for"}
	}
	c.out.force(p)
	c.keep()
	return nil
}

// keep gives the worker credit for what is kept, as long as there is room for it.
func (c *invocation) keep() {
	if len(c.out.memory) >= spillBytes && c.out.mayFile(c.x) {
		c.out.spill(func(err error) {
			switch {
			case c.finished:
			case err != nil:
				c.fail(fmt.Errorf("python: a response cannot be kept: %w", err))
				c.close()
			default:
				c.pump()
			}
		})
	}
	if len(c.out.memory) < spillBytes && c.owed >= windowBytes/4 {
		c.settle()
	}
}

// last sends the end of the body.
func (c *invocation) last(p []byte) error {
	c.ended = true
	if c.out.empty() && !c.x.Congested() {
		c.finish()
		c.out.close()
		return c.x.Send(&asgi.HTTPResponseBody{Body: p})
	}
	c.out.force(p)
	c.pump()
	return nil
}

// pump sends what is kept, as far as the client takes it.
func (c *invocation) pump() {
	for !c.finished && !c.x.Congested() {
		ev := c.out.next()
		if ev == nil {
			if c.ended && c.out.empty() {
				c.finish()
				c.out.close()
				_ = c.x.Send(&asgi.HTTPResponseBody{})
			}
			break
		}
		if err := c.x.Send(ev); err != nil {
			c.refused(err, c.close)
			return
		}
	}
	if !c.finished {
		c.keep()
	}
}

func (c *invocation) writable() {
	if c.finished {
		return
	}
	if c.file {
		c.file = false
		c.taken(true)
	}
	c.out.caughtUp()
	c.pump()
}

// sendFile is that of a request by ASGI. A file comes behind what is kept.
func (c *invocation) sendFile(f *wire.Frame) error {
	switch {
	case !c.started:
		return &protocolError{"a file before the head"}
	case f.Path != "":
		c.finish()
		c.close()
		return c.x.Send(&asgi.HTTPResponsePathSend{Path: f.Path})
	case !c.out.empty() || c.x.Congested():
		c.taken(false)
		return nil
	}
	file, err := c.worker.openFile(f.FD)
	if err != nil {
		c.taken(false)
		return nil
	}
	// A file is worth no thread: it is as good as sent.
	c.taken(true)
	err = c.x.Send(&asgi.HTTPResponseZeroCopySend{File: file, Offset: f.Offset, Count: f.Count, MoreBody: f.More})
	_ = file.Close()
	return err
}

func (c *invocation) end(reason string) {
	c.finish()
	c.close()
	c.x.End(&ApplicationError{reason})
}

func (c *invocation) broken() {
	if c.finished {
		return
	}
	if c.ended { // all of it is here
		return
	}
	c.finish()
	c.close()
	if c.started {
		c.x.End(errWorkerDied)
		return
	}
	_ = handlers.Respond(c.x, 502, []byte("the application has ended unexpectedly\n"))
	c.x.End(nil)
}
