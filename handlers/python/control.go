package python

import (
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/gale-server/gale/handlers/python/internal/wire"
)

// control is gale's end of a worker's control socket. What is sent waits in a queue for
// a goroutine that writes, for a worker may not read. The queue is bounded by what is
// sent: answers to at most Config.MaxCalls calls and at most Config.MaxJobs jobs, of one
// message each; links, as many as there are loops; and little besides.
//
// Safe for concurrent use.
type control struct {
	conn *net.UnixConn

	mu     sync.Mutex
	queue  []outgoing
	pings  int64
	closed bool
	wake   chan struct{} // has a value when there may be something in the queue
	ended  chan struct{} // closed by close
}

// outgoing is a message, and a file that goes with it.
type outgoing struct {
	message []byte
	file    *os.File // closed once it is sent; or nil
}

func newControl(conn *net.UnixConn) *control {
	return &control{conn: conn, wake: make(chan struct{}, 1), ended: make(chan struct{})}
}

// send puts a message into the queue. After close it is dropped.
func (c *control) send(message []byte, file *os.File) {
	c.mu.Lock()
	closed := c.closed
	if !closed {
		c.queue = append(c.queue, outgoing{message, file})
	}
	c.mu.Unlock()
	if closed {
		if file != nil {
			_ = file.Close()
		}
		return
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// write writes what is in the queue, until close. A worker that cannot be written to is
// dying, which is noticed elsewhere.
func (c *control) write() {
	for {
		select {
		case <-c.ended:
			return
		case <-c.wake:
		}
		for _, out := range c.take() {
			if out.file == nil {
				_, _ = c.conn.Write(out.message)
				continue
			}
			_ = sendWith(c.conn, out.message, out.file)
			_ = out.file.Close()
		}
	}
}

func (c *control) take() []outgoing {
	c.mu.Lock()
	defer c.mu.Unlock()
	queue := c.queue
	c.queue = nil
	return queue
}

// close closes the socket and drops what is in the queue.
func (c *control) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	close(c.ended)
	_ = c.conn.Close()
	for _, out := range c.take() {
		if out.file != nil {
			_ = out.file.Close()
		}
	}
}

// ping asks for a pong, unless something still waits to be written.
func (c *control) ping() {
	c.mu.Lock()
	waiting := len(c.queue) > 0
	c.pings++
	n := c.pings
	c.mu.Unlock()
	if !waiting {
		c.send(wire.AppendControl(nil, wire.Ping, n), nil)
	}
}

// link sends the worker its end of a link, which is closed then.
func (c *control) link(number int, theirs *os.File) {
	c.send(wire.AppendControl(nil, wire.Link, int64(number)), theirs)
}

// stop tells the worker to end, within some time for what it does.
func (c *control) stop(within time.Duration) {
	c.send(wire.AppendControl(nil, wire.Stop, seconds(within)), nil)
}

// drain tells the worker that it will have to stop.
func (c *control) drain(within time.Duration) {
	c.send(wire.AppendControl(nil, wire.Drain, seconds(within)), nil)
}

// seconds is a time as the worker takes it: without a limit, it is 30 years.
func seconds(d time.Duration) float64 { return min(d.Seconds(), 1e9) }

// hello greets the worker.
func (c *control) hello(config map[string]any, sources map[string]string) {
	c.send(wire.AppendControl(nil, wire.Hello, protocolVersion, config, sources), nil)
}

// job gives the worker a job; cancel says that nobody waits for it any more.
func (c *control) job(id int64, name string, payload []byte) {
	c.send(wire.AppendControl(nil, wire.Job, id, name, payload), nil)
}

func (c *control) cancel(id int64) { c.send(wire.AppendControl(nil, wire.Cancel, id), nil) }

// reply answers a call: with a value, or with the kind of an error and its text.
func (c *control) reply(id int64, value any) {
	message := wire.AppendControl(nil, wire.Reply, id, true, value)
	if len(message) > 4+wire.MaxMessageBytes {
		c.refuse(id, "failed", fmt.Sprintf("the answer does not fit into a message: it has %d bytes", len(message)))
		return
	}
	c.send(message, nil)
}

func (c *control) refuse(id int64, kind, message string) {
	c.send(wire.AppendControl(nil, wire.Reply, id, false, wire.Tuple{kind, message}), nil)
}
