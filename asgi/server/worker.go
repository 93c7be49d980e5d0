package server

import (
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/http1"
	"github.com/gale-server/gale/asgi/websocket"
	"github.com/gale-server/gale/eventloop"
)

// worker is what the conns of one loop share: scratch space, and the list of
// them.
//
// Loop-owned: call only from its event loop.
type worker struct {
	srv   *Server
	loop  *eventloop.Loop
	conns conn // head of a ring
	count int
	drain *asgi.Drain   // not nil once the server is about to stop
	late  survivors     // applications that go on after their exchange
	empty chan struct{} // closed when draining is done
	held  int           // bytes that conns hold

	head    http1.Head            // the head being parsed
	request asgi.HTTPRequest      // the event being delivered
	frame   websocket.Event       // the event being handled
	message asgi.WebSocketReceive // the event being delivered
	// received is the memory of a message being delivered that was gathered: nil if
	// there is none, or it was kept.
	received  *eventloop.Buffer
	webSocket websocket.Config // the server's, with the loop's buffers
	spare     [][]asgi.Header  // for the headers of held responses
	date      string           // of second
	second    int64

	local   eventloop.Addr // of the conn before
	address asgi.Address   // the same
}

// Post implements asgi.Loop. A panic of fn costs nobody a connection: it is nobody's
// in particular.
func (w *worker) Post(fn func()) bool { return w.loop.PostOwed(fn) }

func newWorker(s *Server, loop *eventloop.Loop) *worker {
	w := &worker{srv: s, loop: loop, empty: make(chan struct{}), webSocket: s.cfg.WebSocket}
	w.webSocket.Buffers = loop
	w.conns.prev, w.conns.next = &w.conns, &w.conns
	return w
}

// open is the eventloop's Config.Open for this worker's loop.
func (w *worker) open(sock eventloop.Conn) eventloop.Protocol {
	c := &conn{sock: sock, w: w}
	c.prev, c.next = w.conns.prev, &w.conns
	c.prev.next, c.next.prev = c, c
	w.count++
	c.phase = newHTTPConn(c)
	if w.drain != nil {
		c.phase.drain(w.drain)
	}
	return c
}

// localAddress is address of the server's end of a conn, which is mostly that of
// the conn before: they share its text.
func (w *worker) localAddress(a eventloop.Addr) asgi.Address {
	if a != w.local {
		w.local, w.address = a, address(a)
	}
	return w.address
}

// endReceived gives the memory of the message back that was delivered.
func (w *worker) endReceived() {
	if w.received != nil {
		w.received.Release()
		w.received = nil
	}
}

func (w *worker) remove(c *conn) {
	c.prev.next, c.next.prev = c.next, c.prev
	c.prev, c.next = nil, nil
	w.count--
	w.checkEmpty()
}

// smallRead is what is read of a conn at a time while conns hold too much, in bytes:
// a head and a small body, as most requests are.
const smallRead = 4 << 10

// hold notes that conns hold n bytes more, or less. What is over the bound is not
// dropped, as it may be anybody's: each conn can add a small read only.
func (w *worker) hold(n int) {
	if n == 0 {
		return
	}
	w.held += n
	most := 0
	if bound := w.srv.cfg.HeldBytes / max(1, len(w.srv.workers)); bound > 0 && w.held > bound {
		most = smallRead
	}
	w.loop.LimitReads(most)
}

// startDrain announces the end to every conn.
func (w *worker) startDrain(d *asgi.Drain) {
	w.drain = d
	w.each(func(c *conn) { c.phase.drain(d) })
	w.checkEmpty()
}

// drop drops every conn and returns with how many something is lost: an exchange
// that has not come to its end, or bytes that the client did not take.
func (w *worker) drop() (unfinished int) {
	w.each(func(c *conn) {
		if !c.phase.ending() || c.sock.Buffered() > 0 {
			unfinished++
		}
		c.sock.Abort()
	})
	return unfinished
}

func (w *worker) checkEmpty() {
	if w.drain != nil && w.count == 0 {
		select {
		case <-w.empty:
		default:
			close(w.empty)
		}
	}
}

// each calls fn for every conn; fn may close them.
func (w *worker) each(fn func(*conn)) {
	for c := w.conns.next; c != &w.conns; {
		next := c.next
		fn(c)
		c = next
	}
}

// dateAt is the Date header's value, made once a second
// (https://www.rfc-editor.org/rfc/rfc9110#section-6.6.1).
func (w *worker) dateAt(now time.Time) string {
	if s := now.Unix(); s != w.second || w.date == "" {
		w.second = s
		w.date = now.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")
	}
	return w.date
}

const maxSpareHeaders = 64 // slices

// copyHeaders copies headers into a slice that giveBack takes again.
func (w *worker) copyHeaders(headers []asgi.Header) []asgi.Header {
	if len(headers) == 0 {
		return nil
	}
	var dst []asgi.Header
	if n := len(w.spare); n > 0 {
		dst, w.spare = w.spare[n-1], w.spare[:n-1]
	}
	return append(dst, headers...)
}

func (w *worker) giveBack(headers []asgi.Header) {
	if cap(headers) > 0 && len(w.spare) < maxSpareHeaders {
		clear(headers)
		w.spare = append(w.spare, headers[:0])
	}
}
