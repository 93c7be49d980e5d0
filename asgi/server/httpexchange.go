package server

import (
	"strings"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/internal/engine"
)

// scopeFields is the room for header fields in a scope itself: more than a
// program sends; a browser's dozen are allocated apart.
const scopeFields = 8

// httpScope is a scope with room for its fields. It is apart from its exchange,
// which may wait for long when the application needs the request no more.
type httpScope struct {
	asgi.Scope
	fields [scopeFields]asgi.Header
}

// copyBelow is the size from which a body piece is handed to the socket as it
// is, with its framing around it, instead of being copied into the outbox.
const copyBelow = 16 << 10

// httpExchange is the Exchange of one request. It outlives its conn if the
// application keeps it.
//
// Loop-owned: call only from its event loop, except Post, PostOwed and Owned.
type httpExchange struct {
	exchange
	h *httpConn

	// The response's start, held until its first body event: what the
	// application does wrong until then can still be answered with 500.
	status   int
	headers  []asgi.Header // of the worker's spare
	trailers bool

	started        bool          // the head is written
	head           bool          // the method is HEAD
	lastDelivered  bool          // the application has the end of the request body
	closeDelimited bool          // the response may have no other end than the connection's
	file           *fileSender   // being sent; nil else
	bytes          int64         // of the body, as the application sent it
	path           string        // of the request, for the log
	log            *accessRecord // nil without an access log
}

func (x *httpExchange) Post(fn func()) bool     { return post(x.c.w.loop, x, fn) }
func (x *httpExchange) PostOwed(fn func()) bool { return postOwed(x.c.w.loop, x, fn) }

func (x *httpExchange) AfterFunc(d time.Duration, fn func()) asgi.Timer { return x.after(x, d, fn) }

// complete reports whether the response is, and nothing of it is somebody else's
// any more.
func (x *httpExchange) complete() bool {
	return x.order.Complete() && x.file == nil && !x.lending
}

// proceed tells a waiting client to send its body, once the application wants
// it (https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1).
func (x *httpExchange) proceed() {
	if x.ready() && !x.over && x.h.m.NeedContinue() {
		x.c.sock.Commit(x.h.m.AppendContinue(x.c.sock.Reserve(32)))
	}
}

func (x *httpExchange) deliverBody(p []byte, more bool) {
	x.lastDelivered = !more
	w := x.c.w
	w.request = asgi.HTTPRequest{Body: p, MoreBody: more}
	if !x.ended {
		deliver(x, x.receiver, &w.request)
	}
	w.request.Body = nil
	if x.lastDelivered && !x.complete() {
		x.path = strings.Clone(x.path) // it may wait for long, and what is of the request shares memory
	}
}

func (x *httpExchange) deliverEnd() {
	if !x.lastDelivered {
		x.deliverBody(nil, false)
	}
}

// leave ends the conn's part in the exchange, complete or not.
func (x *httpExchange) leave() {
	x.finish()
	x.h.x = nil
	if !x.started {
		x.status = 0
	}
	x.log.end(x.c, x.status, x.bytes)
	if x.file != nil {
		x.file.abandon()
	}
}

// vanish tells the application that the peer is gone.
func (x *httpExchange) vanish() {
	x.gone = true
	x.leave()
	if !x.ended {
		deliver(x, x.receiver, disconnected)
	}
}

func (x *httpExchange) uncongest() {
	if x.congested {
		x.congested = false
		if !x.ended {
			deliver(x, x.receiver, writable)
		}
	}
}

var writable = &asgi.Writable{}

func (x *httpExchange) Send(ev asgi.SendEvent) error {
	proceed, err := x.check(ev)
	if !proceed {
		return err
	}
	before := x.order
	if err := x.order.Send(ev); err != nil {
		return err
	}
	if err := x.apply(ev); err != nil {
		x.order = before
		return err
	}
	x.wrote()
	if x.complete() {
		x.c.wake()
	}
	return nil
}

// apply carries out an event that is in order. After an error nothing has
// happened.
func (x *httpExchange) apply(ev asgi.SendEvent) error {
	if x.file != nil {
		return errFileUnderWay
	}
	switch e := ev.(type) {
	case *asgi.HTTPResponseStart:
		return x.hold(e)
	case *asgi.HTTPResponseBody:
		return x.body(e.Body, e.Lifetime, e.MoreBody)
	case *asgi.HTTPResponseTrailers:
		return x.trailer(e)
	case *asgi.HTTPEarlyHint:
		return x.commit(x.h.m.AppendEarlyHints(x.c.sock.Reserve(256), e.Links))
	case *asgi.HTTPResponsePathSend:
		return x.sendPath(e.Path)
	case *asgi.HTTPResponseZeroCopySend:
		return x.sendFile(e)
	}
	return nil
}

func (x *httpExchange) commit(out []byte, err error) error {
	if err == nil {
		x.c.sock.Commit(out)
	}
	return err
}

// hold checks a response's start and keeps it until the body comes.
func (x *httpExchange) hold(e *asgi.HTTPResponseStart) error {
	r := x.h.response(e.Status, e.Headers, -1)
	r.Trailers = e.Trailers
	if err := x.h.m.CheckStart(&r); err != nil {
		return err
	}
	x.status, x.trailers = e.Status, e.Trailers
	x.headers = x.c.w.copyHeaders(e.Headers)
	return nil
}

// body sends a piece of the body, and the held start before the first one. If
// either is refused, nothing is written.
func (x *httpExchange) body(p []byte, l asgi.Lifetime, more bool) error {
	known := int64(-1)
	if !more {
		known = int64(len(p))
	}
	err := x.write(known, len(p), func(out []byte) ([]byte, error) {
		switch m := &x.h.m; {
		case len(p) >= copyBelow:
			return x.largeBody(out, p, l, more)
		case more:
			return m.AppendBody(out, p)
		default:
			return m.AppendLastBody(out, p)
		}
	})
	if err == nil && !x.bodiless() {
		x.bytes += int64(len(p))
	}
	return err
}

// bodiless reports whether the body goes nowhere
// (https://www.rfc-editor.org/rfc/rfc9112#section-6.3).
func (x *httpExchange) bodiless() bool {
	return x.head || x.status == 204 || x.status == 304
}

// write commits what piece appends, after the held start if that is still due.
// bodyBytes is the length of the whole body if it is known, else -1; room is
// what piece will append, about.
func (x *httpExchange) write(bodyBytes int64, room int, piece func(out []byte) ([]byte, error)) error {
	if room >= copyBelow {
		room = 0
	}
	before := x.h.m
	if x.started {
		out, err := piece(x.c.sock.Reserve(room + 32))
		if err != nil {
			x.h.m = before
			return err
		}
		x.c.sock.Commit(out)
		return nil
	}
	r := x.h.response(x.status, x.headers, bodyBytes)
	r.Trailers = x.trailers
	out, err := x.h.m.AppendStart(x.c.sock.Reserve(room+512), &r)
	if err == nil {
		out, err = piece(out)
	}
	if err != nil {
		x.h.m = before
		return err
	}
	x.c.sock.Commit(out)
	x.started = true
	x.c.w.giveBack(x.headers)
	x.headers = nil
	return nil
}

// largeBody frames p without copying it, and returns what is still to be
// committed. Nothing is committed before all of it is known to be legal: a last
// piece may be too short.
func (x *httpExchange) largeBody(out, p []byte, l asgi.Lifetime, more bool) ([]byte, error) {
	m := &x.h.m
	out, send, err := m.AppendPiece(out, int64(len(p)))
	if err != nil {
		return out, err
	}
	var room [32]byte
	end := room[:0]
	if send {
		end, err = m.AppendPieceEnd(end)
	}
	if err == nil && !more {
		end, err = m.AppendLastBody(end, nil)
	}
	if err != nil || !send {
		return append(out, end...), err
	}
	x.c.sock.Commit(out)
	x.exchange.write(p, l)
	return append(x.c.sock.Reserve(len(end)), end...), nil
}

func (x *httpExchange) trailer(e *asgi.HTTPResponseTrailers) error {
	if e.MoreTrailers {
		return x.commit(x.h.m.AppendTrailers(x.c.sock.Reserve(256), e.Headers))
	}
	return x.commit(x.h.m.AppendLastTrailers(x.c.sock.Reserve(256), e.Headers))
}

// End implements the life-cycle of an application that ends: too early is 500
// before the response is on the wire, and a visible truncation after.
func (x *httpExchange) End(err error) {
	if x.ended {
		return
	}
	lent := x.lending
	if x.end(); lent && x.complete() {
		x.c.wake()
	}
	if err == nil && !x.order.Complete() && !x.gone {
		err = asgi.ErrIncomplete
	}
	if err == nil || x.gone && engine.OfPeer(err) {
		return
	}
	switch {
	case x.order.Complete() || x.over:
		x.logFailure(err)
	case x.started:
		x.truncate(err)
	default:
		x.logFailure(err)
		x.fail(err)
	}
}

func (x *httpExchange) logFailure(err error) {
	x.c.w.srv.logFailure("http", x.h.client, x.path, err)
}

// truncate ends a response that cannot be completed, so that the peer sees it.
func (x *httpExchange) truncate(err error) {
	x.logFailure(err)
	x.leave()
	x.h.cut(x)
}

// fail answers in place of the application.
func (x *httpExchange) fail(err error) {
	status := engine.StatusOf(err)
	x.c.w.giveBack(x.headers)
	x.headers, x.trailers = nil, false
	x.status, x.started = status, true
	x.order = completeOrder
	x.h.respondText(status, engine.HeadersOf(err), engine.TextOf(err))
	x.c.wake()
}

// completeOrder is the order of a response that is complete.
var completeOrder = func() asgi.Order {
	o := asgi.NewOrder(asgi.ScopeHTTP)
	for _, ev := range []asgi.SendEvent{&asgi.HTTPResponseStart{}, &asgi.HTTPResponseBody{}} {
		if err := o.Send(ev); err != nil {
			panic(err)
		}
	}
	return o
}()
