package server

import (
	"net/http"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/http1"
	"github.com/gale-server/gale/asgi/internal/engine"
	"github.com/gale-server/gale/asgi/websocket"
	"github.com/gale-server/gale/eventloop"
)

// httpConn is a conn in its HTTP phase. It serves one request at a time; the
// bytes of pipelined ones wait in conn.held.
//
// Loop-owned: call only from its event loop.
type httpConn struct {
	c      *conn
	m      http1.Machine
	x      *httpExchange // of the request under way; nil between requests
	client asgi.Address
	server asgi.Address

	waiting  waiting   // what the deadline is for
	began    time.Time // when waiting began
	bodySeen int64     // bytes of the body, framing included, since began
	served   int       // requests so far
	halfOpen bool      // the peer has ended its stream
	behind   bool      // the last read took all it may: there is more
	closing  bool
}

// fullRead is what a read of the usual size takes, in bytes.
const fullRead = 64 << 10

// waiting is what a conn expects of its peer, and so which timeout applies.
type waiting uint8

const (
	waitNothing waiting = iota // the application has the turn
	waitRequest                // idle between requests
	waitHead
	waitBody
	waitApplication // to take what a peer sent that has ended its stream
)

func newHTTPConn(c *conn) *httpConn {
	h := &httpConn{
		c:      c,
		client: address(c.sock.RemoteAddr()),
		server: c.w.localAddress(c.sock.LocalAddr()),
	}
	h.m.Reset(&c.w.srv.cfg.HTTP)
	h.expect(waitHead) // a first request is due at once
	return h
}

func address(a eventloop.Addr) asgi.Address {
	if a.Path != "" || !a.AddrPort.IsValid() {
		return asgi.Address{Host: a.Path}
	}
	return asgi.Address{Host: a.AddrPort.Addr().Unmap().String(), Port: int(a.AddrPort.Port())}
}

func (h *httpConn) pump(p []byte) int {
	if h.closing {
		return len(p)
	}
	n := 0
	h.behind = len(p) >= fullRead
	for h.c.phase == h && h.ready() && (n == len(p) || h.c.budget > 0) {
		h.c.budget--
		ev, err := h.m.Next(p[n:], &h.c.w.head)
		if err != nil {
			h.refuse(err)
			return len(p)
		}
		n += ev.N
		h.bodySeen += int64(ev.N)
		h.handle(ev)
		h.settle()
		if h.closing {
			return len(p)
		}
		if ev.Kind == http1.NeedData || ev.Kind == http1.Paused && h.m.InRequest() {
			break
		}
	}
	if h.c.phase == h {
		h.expect(h.expectation())
	}
	return n
}

// ready reports whether the peer is to be read from. Responses that wait in the
// outbox hold back the next request too: pipelined ones would overrun it.
func (h *httpConn) ready() bool {
	if h.x != nil {
		return h.x.ready()
	}
	return !h.c.sock.Congested()
}

// handle acts on one event of the machine.
func (h *httpConn) handle(ev http1.Event) {
	switch ev.Kind {
	case http1.Request:
		h.begin()
	case http1.Body:
		if h.x != nil {
			h.x.deliverBody(ev.Data, !h.m.BodyDone())
		}
	case http1.End:
		if h.x != nil {
			h.x.deliverEnd()
		}
	case http1.Closed:
		if !h.closing {
			h.close()
		}
	}
}

// begin opens the exchange of the request in the worker's head.
func (h *httpConn) begin() {
	h.served++
	h.waiting, h.bodySeen = waitNothing, 0 // what comes next is timed afresh
	head := &h.c.w.head
	scope := &httpScope{}
	h.fillScope(&scope.Scope, head, scope.fields[:0])
	// https://www.rfc-editor.org/rfc/rfc9110#section-7.8: not in HTTP/1.0, and
	// what has a body is an ordinary request.
	if head.Upgrade() != nil && websocket.IsUpgrade(scope.Headers) {
		h.upgrade(&scope.Scope)
		return
	}
	x := &httpExchange{
		exchange:       exchange{c: h.c, order: asgi.NewOrder(asgi.ScopeHTTP)},
		h:              h,
		closeDelimited: head.Minor() == 0,
		log:            h.c.beginAccess(&scope.Scope),
		head:           scope.Method == "HEAD",
		path:           scope.RawPath,
	}
	h.x = x
	x.receiver = open(h.c.w.srv.cfg.Handler, &scope.Scope, x)
	if d := h.c.w.drain; d != nil && !x.ended {
		deliver(x, x.receiver, d)
	}
	x.proceed()
}

// settle finishes the exchange whose response is complete.
func (h *httpConn) settle() {
	x := h.x
	if x == nil || !x.complete() {
		return
	}
	x.leave()
	if !x.ended {
		deliver(x, x.receiver, disconnected)
	}
	// A response that began before the drain has not said "close".
	if !h.m.KeepAlive() || h.c.w.drain != nil {
		h.close()
	}
}

var disconnected = &asgi.HTTPDisconnect{}

func (h *httpConn) close() {
	h.closing = true
	h.c.sock.Close()
}

// turn follows what the application did outside of pump.
func (h *httpConn) turn() {
	if h.x != nil {
		h.x.proceed()
	}
	h.settle()
}

// refuse answers an error of the peer, or a timeout.
func (h *httpConn) refuse(err error) {
	if h.closing {
		return
	}
	h.c.w.srv.log.Debug("bad request", "client", h.client.Host, "error", err)
	status := engine.StatusOf(err)
	known := h.x != nil
	if x := h.x; x != nil {
		started := x.started
		if !started {
			x.status, x.started = status, true // the answer is ours
		}
		x.vanish()
		if started {
			h.cut(x)
			return
		}
	}
	w := h.c.w
	answer := h.m.AppendError(h.c.sock.Reserve(256), status, w.dateAt(h.c.sock.Now()), w.srv.cfg.Name)
	if !known && len(answer) > 0 { // without an answer it is the rest of a request that had its own
		h.logUnknown(status)
	}
	h.c.sock.Commit(answer)
	h.close()
}

// cut ends the connection in the middle of a response, so that the peer sees
// that it is truncated: what is framed misses its end; what is not needs a
// reset.
func (h *httpConn) cut(x *httpExchange) {
	if x.closeDelimited {
		h.closing = true
		h.c.sock.Abort()
		return
	}
	h.close()
}

func (h *httpConn) eof() {
	h.halfOpen = true
	if err := h.m.EOF(); err != nil {
		h.refuse(err)
		return
	}
	switch {
	case h.x == nil:
		h.close()
	case h.departs():
		h.depart()
	}
}

// departs reports whether the end of the peer's stream ends the exchange: if the
// configuration says so, and the application has not said all yet.
func (h *httpConn) departs() bool {
	return h.x != nil && !h.x.order.Complete() && h.c.w.srv.cfg.HalfClose == HalfCloseDisconnects
}

func (h *httpConn) depart() {
	h.x.vanish()
	h.close()
}

// stuck ends an exchange that nothing more belongs to. Of one whose body waits,
// expect gives the application some time.
func (h *httpConn) stuck() {
	switch {
	case h.closing || !h.departs():
	case h.m.BodyDone():
		h.depart()
	default:
		h.expect(waitApplication)
	}
}

// place is larger than usual while a body comes faster than it is read: then the peer's
// end of the connection waits for ours, and each read has the kernel send more on our
// time. One that keeps up reads what is usual, and leaves the peer the time to send on.
func (h *httpConn) place() []byte {
	if h.behind && !h.closing && h.ready() && !h.m.BodyDone() {
		return h.c.w.loop.Input()
	}
	return nil
}

func (h *httpConn) drained() {
	if h.x != nil {
		h.x.lending = false
	}
	switch x := h.x; {
	case x == nil:
	case x.file != nil && x.file.waiting:
		x.file.resume()
	case x.file != nil:
	default:
		x.uncongest()
	}
}

func (h *httpConn) closed(err error) {
	if h.x != nil {
		h.x.vanish()
	}
}

func (h *httpConn) drain(d *asgi.Drain) {
	if h.x == nil {
		if !h.m.HeadPending() {
			h.close()
		}
		return
	}
	deliver(h.x, h.x.receiver, d)
}

// A conn without an exchange, idle or with a head that is not complete, has
// nothing to lose.
func (h *httpConn) ending() bool { return h.closing || h.x == nil }

// expectation derives what the peer owes us.
func (h *httpConn) expectation() waiting {
	switch {
	case h.closing:
		return waitNothing
	case h.waiting == waitApplication && h.departs():
		return waitApplication
	case h.m.HeadPending(), h.served == 0:
		return waitHead
	case h.x == nil && h.m.InRequest():
		return waitBody // of a request already answered
	case h.x == nil && !h.ready():
		return waitNothing // it is still taking responses
	case h.x == nil:
		return waitRequest
	case !h.m.BodyDone() && h.ready():
		return waitBody
	}
	return waitNothing
}

// expect arms the deadline for w. A wait that goes on keeps its deadline: a
// head's timeout is absolute.
func (h *httpConn) expect(w waiting) {
	if w == h.waiting && w != waitRequest {
		return
	}
	h.waiting = w
	h.began = h.c.sock.Now()
	h.bodySeen = 0
	cfg := &h.c.w.srv.cfg
	var timeout time.Duration
	switch w {
	case waitRequest:
		timeout = cfg.KeepAliveTimeout
	case waitHead:
		timeout = cfg.HeadTimeout
	case waitBody:
		timeout = cfg.BodyRatePeriod
	case waitApplication:
		timeout = cfg.DepartTimeout
	}
	if timeout <= 0 {
		h.c.sock.SetDeadline(time.Time{})
		return
	}
	h.c.sock.SetDeadline(h.began.Add(timeout))
}

func (h *httpConn) deadline() {
	switch h.waiting {
	case waitRequest:
		h.close()
	case waitHead:
		if h.m.HeadPending() {
			h.refuse(errSlowHead)
		} else {
			h.close() // nothing was asked, nothing is answered
		}
	case waitBody:
		cfg := &h.c.w.srv.cfg
		if least := float64(cfg.MinBodyRate) * h.c.sock.Now().Sub(h.began).Seconds(); float64(h.bodySeen) < least {
			h.refuse(errSlowBody)
			return
		}
		h.waiting = waitNothing
		h.expect(waitBody)
	case waitApplication:
		if h.departs() {
			h.depart()
		}
	}
}

// response is the head of a response as the server wants it; bodyBytes is the
// length of the body if it is known, else -1.
func (h *httpConn) response(status int, headers []asgi.Header, bodyBytes int64) http1.Response {
	w := h.c.w
	return http1.Response{
		Status:    status,
		Headers:   headers,
		BodyBytes: bodyBytes,
		Date:      w.dateAt(h.c.sock.Now()),
		Server:    w.srv.cfg.Name,
		Defaults:  w.srv.cfg.Headers,
		Close:     w.drain != nil || h.halfOpen,
	}
}

// respond writes a whole response that the server makes itself.
func (h *httpConn) respond(status int, headers []asgi.Header, body string) {
	r := h.response(status, headers, int64(len(body)))
	out, err := h.m.AppendStart(h.c.sock.Reserve(256), &r)
	if err == nil {
		out, err = h.m.AppendLastBody(out, []byte(body))
	}
	if err != nil { // nothing can be said any more
		h.closing = true
		h.c.sock.Abort()
		return
	}
	h.c.sock.Commit(out)
}

var plainText = asgi.Header{Name: "content-type", Value: "text/plain; charset=utf-8"}

func (h *httpConn) respondStatus(status int, headers []asgi.Header) {
	h.respondText(status, headers, http.StatusText(status)+"\n")
}

func (h *httpConn) respondText(status int, headers []asgi.Header, text string) {
	h.respond(status, append([]asgi.Header{plainText}, headers...), text)
}
