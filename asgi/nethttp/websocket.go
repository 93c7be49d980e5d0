package nethttp

import (
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	gorilla "github.com/gorilla/websocket"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/internal/engine"
	"github.com/gale-server/gale/asgi/websocket"
)

// webSocketExchange is the Exchange of one WebSocket. Until the handshake is
// answered it is a request whose response the application decides on.
//
// Loop-owned: call only from its event loop, except Post, PostOwed and Owned.
type webSocketExchange struct {
	exchange
	handshake websocket.Upgrade
	accepted  []asgi.Header // of the 101
	decided   chan struct{} // closed when the handshake has its answer
	deny      response      // in place of the handshake

	out    outbox[frame]
	ws     *gorilla.Conn // for writing; set by opened
	sock   *socket
	isOpen bool // accepted
	denied bool // or refused

	held      *inbound      // read, not yet delivered
	credit    chan struct{} // holds a token when more may be read; see hand
	closed    chan struct{} // closed when no message will be delivered any more
	silence   *time.Timer   // of pings, then of the close
	pingedAt  int64         // when a ping began to wait for any byte; 0: none does
	closeSent bool
	last      func() // ends the exchange once the application has done with what came before; nil else
	leaving   bool   // the peer has ended its stream
	announced bool   // websocket.disconnect is delivered
}

// serveWebSocket answers a request for a WebSocket: with a refusal, or by
// opening the application's exchange. The goroutine of net/http, which it is
// called on, then reads.
func (h *Handler) serveWebSocket(w http.ResponseWriter, r *http.Request, scope *asgi.Scope) {
	up, err := websocket.CheckUpgrade(&websocket.Request{Method: r.Method, Minor: 1, Headers: scope.Headers})
	if err == nil {
		err = websocket.CheckOrigin(up.Origin, up.Host, h.cfg.AllowedOrigins)
	}
	if err != nil {
		h.cfg.Logger.Debug("websocket refused", "client", scope.Client.Host, "error", err)
		refusal := err.(*websocket.HandshakeError)
		log := h.newRecord(scope)
		h.refuse(w, r, &log, refusal.Status, refusal.Headers)
		return
	}
	webSocketScope(scope, up.Subprotocols)
	x := &webSocketExchange{
		exchange:  exchange{h: h, order: asgi.NewOrder(asgi.ScopeWebSocket), log: h.newRecord(scope)},
		handshake: up,
		decided:   make(chan struct{}),
		deny:      response{h: h, r: r, length: -1},
		credit:    make(chan struct{}, 1),
		closed:    make(chan struct{}),
	}
	x.self = x
	defer x.serve(w, r) // which the application's Goexit cannot prevent
	x.enter(func() {
		x.open(scope)
		x.deliver(&asgi.WebSocketConnect{})
	})
}

// serve follows the application's decision.
func (x *webSocketExchange) serve(w http.ResponseWriter, r *http.Request) {
	// Not earlier: who has left already does so after the application was opened.
	left := onLeave(r, func(how leaving) { x.post(func() { x.departed(how) }) })
	<-x.decided
	left()
	switch {
	case x.isOpen:
		x.serveOpen(w, r)
	case x.denied:
		x.serveDenial(w, r)
	default: // the client is gone
		panic(http.ErrAbortHandler)
	}
}

func (x *webSocketExchange) serveOpen(w http.ResponseWriter, r *http.Request) {
	out, in, sock, err := x.upgrade(w, r)
	if err != nil {
		x.enter(x.lost)
		return
	}
	returned := false
	defer func() { // which the application's Goexit cannot prevent
		if !returned {
			x.read(in)
		}
		sock.linger()
		x.enter(x.lost)
	}()
	x.enter(func() { x.opened(out, sock) })
	client := departureOf(r)
	client.tell(func(how leaving) { x.post(func() { x.departed(how) }) })
	defer client.tell(nil)
	x.read(in)
	returned = true
}

// opened lets out what the application has sent since it accepted.
func (x *webSocketExchange) opened(ws *gorilla.Conn, sock *socket) {
	x.ws, x.sock = ws, sock
	if x.over {
		_ = sock.Close()
	} else if x.out.start() {
		go x.write() // ends with the outbox empty
	}
}

func (x *webSocketExchange) serveDenial(w http.ResponseWriter, r *http.Request) {
	left := onLeave(r, func(how leaving) { x.post(func() { x.departed(how) }) })
	end := x.deny.write(w, func() { x.post(x.drained) }, func(error) { x.post(x.lost) })
	left()
	if end == endCut {
		panic(http.ErrAbortHandler)
	}
	_ = http.NewResponseController(w).Flush() // net/http does not come to it after a Goexit
	x.h.writer(w, r).restore()
}

func (x *webSocketExchange) Buffered() int {
	if x.over {
		return 0
	}
	return x.out.buffered() + x.deny.out.buffered()
}

func (x *webSocketExchange) Congested() bool {
	return !x.gone && (x.congested || x.out.isClosed() || x.deny.out.isClosed())
}

func (x *webSocketExchange) Pause() { x.paused = true }

func (x *webSocketExchange) Resume() {
	if x.paused {
		x.paused = false
		x.post(x.pump)
	}
}

func (x *webSocketExchange) Send(ev asgi.SendEvent) error {
	proceed, err := x.check(ev)
	if !proceed {
		return err
	}
	before := x.order
	if err := x.order.Send(ev); err != nil {
		return err
	}
	if err = x.admit(); err == nil {
		err = x.apply(ev)
	}
	if err != nil {
		x.order = before
		return err
	}
	if !x.congested && x.deny.out.above(x.h.cfg.HighWatermark) {
		x.congested = true
	}
	return nil
}

// admit refuses to send after the drain's close, when the connection broke in
// this turn, or when the application takes no heed of congestion.
func (x *webSocketExchange) admit() error {
	switch {
	case x.closeSent, x.out.isClosed(), x.deny.out.isClosed():
		return asgi.ErrDisconnected
	case x.out.buffered()+x.deny.out.buffered() > x.h.cfg.OutboxBytes:
		x.h.failure(&x.log, errFlood)
		x.abort()
		return asgi.ErrDisconnected
	}
	return nil
}

func (x *webSocketExchange) apply(ev asgi.SendEvent) error {
	switch e := ev.(type) {
	case *asgi.WebSocketSend:
		return x.message(e)
	case *asgi.WebSocketAccept:
		return x.accept(e)
	case *asgi.WebSocketClose:
		return x.close(e.Code, e.Reason)
	case *asgi.WebSocketDenialStart:
		return x.deny.hold(e.Status, e.Headers, false)
	case *asgi.WebSocketDenialBody:
		return x.denyBody(e)
	}
	return nil
}

func (x *webSocketExchange) accept(e *asgi.WebSocketAccept) error {
	headers, err := x.handshake.ResponseHeaders(nil, e.Subprotocol, e.Headers)
	if err != nil {
		return err
	}
	x.accepted, x.isOpen = headers, true
	x.out.hold() // until the handshake is complete
	close(x.decided)
	x.arm(x.h.cfg.PingInterval)
	if d := x.h.draining(); d != nil {
		x.closeWithin(d)
	}
	return nil
}

var errTextUTF8 = errors.New("nethttp: text message is not valid UTF-8 (RFC 6455 §5.6)")

func (x *webSocketExchange) message(e *asgi.WebSocketSend) error {
	kind := gorilla.TextMessage
	switch {
	case e.Kind == asgi.Binary:
		kind = gorilla.BinaryMessage
	case !utf8.Valid(e.Data):
		return errTextUTF8
	}
	x.put(frame{kind: kind, data: kept(e.Data, e.Lifetime)})
	return nil
}

// close refuses the handshake with 403, or starts the closing handshake.
func (x *webSocketExchange) close(code int, reason string) error {
	if !x.isOpen {
		x.refuse(http.StatusForbidden, nil, http.StatusText(http.StatusForbidden)+"\n")
		return nil
	}
	if code == 0 {
		code = websocket.CloseNormal
	}
	return x.sendClose(code, reason)
}

// sendClose sends our close frame and gives the peer time for its own.
func (x *webSocketExchange) sendClose(code int, reason string) error {
	payload, err := closePayload(code, strings.ToValidUTF8(reason, "\uFFFD"))
	if err != nil {
		return err
	}
	if !x.closeSent {
		x.closeSent = true
		x.put(frame{kind: gorilla.CloseMessage, data: payload})
		x.arm(x.h.cfg.CloseTimeout)
		x.post(x.pump) // the peer's close may wait behind what was held
	}
	return nil
}

// refuse answers the handshake with a plain response.
func (x *webSocketExchange) refuse(status int, headers []asgi.Header, text string) {
	if x.deny.started {
		x.deny.cut() // a truncated denial is all there is to say
	} else {
		x.deny.answerText(status, append(closeHeader[:len(closeHeader):len(closeHeader)], headers...), text)
	}
	x.answered()
}

func (x *webSocketExchange) denyBody(e *asgi.WebSocketDenialBody) error {
	if err := x.deny.body(e.Body, asgi.DuringSend, e.MoreBody, false); err != nil {
		return err
	}
	if !x.denied {
		x.denied = true
		close(x.decided)
	}
	if !e.MoreBody {
		x.answered()
	}
	return nil
}

// answered ends an exchange whose handshake was refused, once the application's
// call is over.
func (x *webSocketExchange) answered() {
	if !x.denied {
		x.denied = true
		close(x.decided)
	}
	x.post(func() { x.announce(websocket.CloseAbnormal, "") })
}

// announce delivers websocket.disconnect, once.
func (x *webSocketExchange) announce(code int, reason string) {
	if x.announced {
		return
	}
	x.announced = true
	close(x.closed)
	x.deliver(&asgi.WebSocketDisconnect{Code: code, Reason: reason})
	x.stopTimers()
	if x.isOpen {
		x.h.access(&x.log, code, 0)
		return // it is finished when the connection is over
	}
	x.h.access(&x.log, x.deny.status, 0) // before the server may end
	x.finish()
}

// End closes in the application's name: 1000 if it is done, 1011 if it failed;
// before the handshake is answered, with an HTTP status.
func (x *webSocketExchange) End(err error) {
	if x.ended {
		return
	}
	x.end()
	if err == nil && !x.isOpen && !x.order.Complete() && !x.gone {
		err = asgi.ErrIncomplete
	}
	if err != nil && !(engine.OfPeer(err) && (x.gone || x.last != nil || x.order.Complete() || x.closeSent)) {
		x.h.failure(&x.log, err)
	}
	switch {
	case x.gone || x.announced || x.order.Complete():
	case !x.isOpen:
		x.refuse(engine.StatusOf(err), engine.HeadersOf(err), engine.TextOf(err))
	case x.sendClose(engine.CloseCodeOf(err), "") != nil:
		_ = x.sendClose(websocket.CloseInternalError, "")
	}
	x.post(x.pump) // what waits for the application is dropped
}
