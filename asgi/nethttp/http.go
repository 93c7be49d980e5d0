package nethttp

import (
	"errors"
	"net/http"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/internal/engine"
)

// httpExchange is the Exchange of one request. Its loop outlives the request if
// the application goes on.
//
// Loop-owned: call only from its event loop, except Post, PostOwed and Owned.
type httpExchange struct {
	exchange
	res  response
	body requestBody
}

// serveHTTP runs an exchange. The goroutine of net/http, which it is called on,
// takes the first turn of the loop and then writes the response.
func (h *Handler) serveHTTP(w http.ResponseWriter, r *http.Request, scope *asgi.Scope) {
	x := &httpExchange{exchange: exchange{h: h, order: asgi.NewOrder(asgi.ScopeHTTP), log: h.newRecord(scope)}}
	x.self = x
	x.res = response{h: h, r: r, head: r.Method == http.MethodHead, length: -1, wanted: takesTrailers(r)}
	x.body.init(w, r)
	returned := false
	defer func() { // which the application's Goexit cannot prevent
		x.respond(w, r)
		if !returned { // nor that of net/http, which does not come to it
			_ = http.NewResponseController(w).Flush()
		}
	}()
	x.enter(func() {
		x.open(scope)
		x.pump()
	})
	returned = true
}

// respond writes the response.
func (x *httpExchange) respond(w http.ResponseWriter, r *http.Request) {
	// Not earlier: who has left already does so after the application was opened.
	left := onLeave(r, func(how leaving) { x.post(func() { x.departed(how) }) })
	end := x.res.write(w, func() { x.post(x.uncongest) }, func(err error) { x.post(func() { x.failed(err) }) })
	left()
	if end == endWhole {
		x.enter(x.settle)
	}
	x.conclude(w, r, end)
}

func takesTrailers(r *http.Request) bool {
	for _, value := range r.Header["Te"] {
		if lists(value, "trailers") {
			return true
		}
	}
	return false
}

// conclude gives the request back to net/http.
func (x *httpExchange) conclude(w http.ResponseWriter, r *http.Request, end ending) {
	t := x.h.writer(w, r)
	x.body.leave(t.rc)
	if end == endCut {
		if !r.ProtoAtLeast(1, 1) {
			t.reset()
		}
		panic(http.ErrAbortHandler)
	}
	t.restore()
}

func (x *httpExchange) Buffered() int {
	if x.over {
		return 0
	}
	return x.res.out.buffered()
}

// Congested is true of a connection that broke in this turn, too: who sends
// until it is would never stop.
func (x *httpExchange) Congested() bool {
	return !x.gone && !x.over && (x.congested || x.res.out.isClosed())
}

func (x *httpExchange) Pause() { x.paused = true }

func (x *httpExchange) Resume() {
	if x.paused {
		x.paused = false
		x.post(x.pump)
	}
}

// leave ends the connection's part in the exchange, complete or not.
func (x *httpExchange) leave() {
	if x.over {
		return
	}
	status := x.res.status
	if !x.res.started {
		status = 0
	}
	x.h.access(&x.log, status, x.res.bytes) // before the server may end
	x.finish()
	x.body.drop()
}

// settle follows a complete response.
func (x *httpExchange) settle() {
	if x.over {
		return
	}
	x.leave()
	x.deliver(&asgi.HTTPDisconnect{})
}

// vanish tells the application that the peer is gone.
func (x *httpExchange) vanish() {
	if x.over {
		return
	}
	x.gone = true
	x.res.drop()
	x.leave()
	x.deliver(&asgi.HTTPDisconnect{})
}

// departed follows the departure of the peer. An application that has not taken all
// that was sent before gets some time for it.
func (x *httpExchange) departed(how leaving) {
	switch untaken := x.body.r != nil && !x.body.delivered; {
	case how == broken || !untaken:
		x.left()
	case x.h.cfg.DepartTimeout > 0:
		x.AfterFunc(x.h.cfg.DepartTimeout, x.left)
	}
}

// left tells the application that the peer is gone, unless its response is on its
// way: who has ended its stream may still read.
func (x *httpExchange) left() {
	if !x.order.Complete() {
		x.vanish()
	}
}

func (x *httpExchange) abort() { x.vanish() }

// failed follows a write that did not succeed.
func (x *httpExchange) failed(err error) {
	var file *fileError
	if errors.As(err, &file) {
		x.h.failure(&x.log, err)
	}
	x.vanish()
}

func (x *httpExchange) announceDrain(d *asgi.Drain) {
	if !x.over && !x.order.Complete() {
		x.deliver(d)
	}
}

// refuse answers an error of the peer, or cuts a response that has begun.
func (x *httpExchange) refuse(status int) {
	if x.over {
		return
	}
	x.gone = true
	switch {
	case x.order.Complete():
	case x.res.started:
		x.res.cut()
	default:
		x.res.answer(status, nil)
	}
	x.leave()
	x.deliver(&asgi.HTTPDisconnect{})
}

func (x *httpExchange) uncongest() {
	if x.congested && !x.over {
		x.congested = false
		x.deliver(&asgi.Writable{})
		x.pump()
	}
}

func (x *httpExchange) Send(ev asgi.SendEvent) error {
	proceed, err := x.check(ev)
	if !proceed {
		return err
	}
	before := x.order
	if err := x.order.Send(ev); err != nil {
		return err
	}
	if err := x.admit(); err != nil {
		return err
	}
	if err := x.apply(ev); err != nil {
		x.order = before
		return err
	}
	if !x.order.Complete() && !x.congested && x.res.out.above(x.h.cfg.HighWatermark) {
		x.congested = true
	}
	return nil
}

// admit refuses to send on when the connection broke in this turn, or the
// application takes no heed of congestion.
func (x *httpExchange) admit() error {
	if x.res.out.isClosed() {
		return asgi.ErrDisconnected
	}
	if x.res.out.buffered() > x.h.cfg.OutboxBytes {
		x.h.failure(&x.log, errFlood)
		x.res.drop()
		x.post(x.vanish)
		return asgi.ErrDisconnected
	}
	return nil
}

// apply carries out an event that is in order. After an error nothing has
// happened.
func (x *httpExchange) apply(ev asgi.SendEvent) error {
	switch e := ev.(type) {
	case *asgi.HTTPResponseStart:
		return x.res.hold(e.Status, e.Headers, e.Trailers)
	case *asgi.HTTPResponseBody:
		return x.res.body(e.Body, e.Lifetime, e.MoreBody, x.persists())
	case *asgi.HTTPResponseTrailers:
		return x.res.trailer(e.Headers, e.MoreTrailers)
	case *asgi.HTTPEarlyHint:
		return x.res.hint(e.Links)
	case *asgi.HTTPResponsePathSend:
		return x.sendPath(e.Path)
	case *asgi.HTTPResponseZeroCopySend:
		return x.sendFile(e)
	}
	return nil
}

// persists reports whether the connection may serve another request. A body
// that is still to come may be given up in the middle, and net/http then does
// not know where the next request begins. What follows a CONNECT may be meant for
// a tunnel that will not exist.
func (x *httpExchange) persists() bool {
	return x.body.complete() && x.h.draining() == nil && x.res.r.Method != http.MethodConnect
}

// End implements the life-cycle of an application that ends: too early is 500
// before the response is on the wire, and a visible truncation after.
func (x *httpExchange) End(err error) {
	if x.ended {
		return
	}
	x.end()
	if err == nil && !x.order.Complete() && !x.gone {
		err = asgi.ErrIncomplete
	}
	if err == nil || x.gone && engine.OfPeer(err) {
		return
	}
	aborted := errors.Is(err, http.ErrAbortHandler)
	if !aborted {
		x.h.failure(&x.log, err)
	}
	switch {
	case x.order.Complete() || x.over:
	case x.res.started || aborted:
		x.res.cut()
		x.leave()
	default:
		x.res.answerText(engine.StatusOf(err), engine.HeadersOf(err), engine.TextOf(err))
		x.leave()
	}
}
