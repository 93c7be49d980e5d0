package server

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"
	"unique"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/internal/engine"
	"github.com/gale-server/gale/asgi/websocket"
)

// wsConn is a conn in its WebSocket phase, and its one exchange.
//
// While it connects, the opening handshake is a request of the HTTP phase that
// waits for the application's word; afterwards nothing of HTTP is kept.
//
// Loop-owned: call only from its event loop, except Post, PostOwed and Owned.
type wsConn struct {
	exchange
	announced bool // websocket.disconnect is delivered
	pinged    bool // a ping waits for any byte
	leaving   bool // the peer has ended its stream; the deadline is the application's
	closing   bool
	bulk      bool          // the last message was large, and the next one may be
	last      func()        // ends the exchange once the application has done with what came before; nil else
	opening   *opening      // until the handshake is answered
	lastRead  time.Duration // since the loop began; any byte counts as life
	m         websocket.Machine
	log       *accessRecord         // nil without an access log
	path      unique.Handle[string] // of the handshake, for the log: one copy for all that have it
}

// opening is what is needed only until the handshake is answered.
type opening struct {
	h       *httpConn
	upgrade websocket.Upgrade
	status  int           // of a denial response
	headers []asgi.Header // of a denial response
	respond bool          // the denial response's start is written
}

// upgrade answers a request for a WebSocket: with a refusal, or by opening the
// application's exchange.
func (h *httpConn) upgrade(scope *asgi.Scope) {
	cfg := &h.c.w.srv.cfg
	r := websocket.Request{Method: scope.Method, Minor: 1, Headers: scope.Headers}
	up, err := websocket.CheckUpgrade(&r)
	if err == nil {
		err = websocket.CheckOrigin(up.Origin, up.Host, cfg.AllowedOrigins)
	}
	if err != nil {
		h.c.w.srv.log.Debug("websocket refused", "client", h.client.Host, "error", err)
		refusal := err.(*websocket.HandshakeError)
		h.c.beginAccess(scope).end(h.c, refusal.Status, 0)
		h.respondStatus(refusal.Status, refusal.Headers)
		return
	}
	ws := &wsConn{
		exchange: exchange{c: h.c, order: asgi.NewOrder(asgi.ScopeWebSocket)},
		m:        *websocket.New(&h.c.w.webSocket),
		opening:  &opening{h: h, upgrade: up},
		path:     unique.Make(logPath(scope.RawPath)),
	}
	s := webSocketScope(scope, up.Subprotocols)
	ws.log = h.c.beginAccess(s)
	h.expect(waitNothing)
	h.c.phase = ws
	ws.receiver = open(cfg.Handler, s, ws)
	ws.deliver(connect)
	if d := h.c.w.drain; d != nil {
		ws.deliver(d)
	}
}

var connect = &asgi.WebSocketConnect{}

// ready reports whether messages may be delivered. Once the application has
// nothing more to say they are dropped, and only the peer's close is awaited.
func (x *wsConn) ready() bool {
	return x.ended || x.order.Complete() || x.exchange.ready()
}

func (x *wsConn) deliver(ev asgi.ReceiveEvent) {
	if !x.ended {
		deliver(x, x.receiver, ev)
	}
}

func (x *wsConn) Post(fn func()) bool     { return post(x.c.w.loop, x, fn) }
func (x *wsConn) PostOwed(fn func()) bool { return postOwed(x.c.w.loop, x, fn) }

func (x *wsConn) AfterFunc(d time.Duration, fn func()) asgi.Timer { return x.after(x, d, fn) }

func (x *wsConn) Send(ev asgi.SendEvent) error {
	if m, ok := ev.(*asgi.WebSocketSend); ok && m != nil && x.open() {
		return x.message(m)
	}
	proceed, err := x.check(ev)
	if !proceed {
		return err
	}
	before := x.order
	if err := x.order.Send(ev); err != nil {
		return err
	}
	if x.m.CloseSent() { // by the drain; the peer's answer is all that is awaited
		x.order = before
		return asgi.ErrDisconnected
	}
	if err := x.apply(ev); err != nil {
		x.order = before
		return err
	}
	x.wrote()
	return nil
}

// open reports whether a message may be sent: one that may leaves the order as it
// is, and needs none of what other events do.
func (x *wsConn) open() bool {
	return x.order.SendState() == asgi.WebSocketOpen && !x.ended && !x.gone && !x.m.CloseSent() && x.Owned()
}

func (x *wsConn) apply(ev asgi.SendEvent) error {
	switch e := ev.(type) {
	case *asgi.WebSocketAccept:
		return x.accept(e)
	case *asgi.WebSocketClose:
		return x.close(e.Code, e.Reason)
	case *asgi.WebSocketDenialStart:
		return x.deny(e)
	case *asgi.WebSocketDenialBody:
		return x.denyBody(e)
	}
	return nil
}

func (x *wsConn) accept(e *asgi.WebSocketAccept) error {
	o := x.opening
	headers, err := o.upgrade.ResponseHeaders(nil, e.Subprotocol, e.Headers)
	if err != nil {
		return err
	}
	out, err := o.h.m.AppendUpgrade(x.c.sock.Reserve(512), headers)
	if err != nil {
		return err
	}
	x.c.sock.Commit(out)
	x.opening = nil
	x.lastRead = x.c.w.loop.Elapsed()
	x.armPing()
	x.c.wake() // what followed the handshake belongs to frames
	if d := x.c.w.drain; d != nil {
		x.closeWithin(d)
	}
	return nil
}

func (x *wsConn) message(e *asgi.WebSocketSend) error {
	kind := websocket.Text
	if e.Kind == asgi.Binary {
		kind = websocket.Binary
	}
	copied := e.Data
	if len(copied) >= copyBelow {
		copied = nil
	}
	out := x.c.sock.Reserve(len(copied) + 16)
	if out == nil { // a write of this turn found the conn broken
		return asgi.ErrDisconnected
	}
	if copied == nil && len(e.Data) > 0 {
		if kind == websocket.Text && !utf8.Valid(e.Data) {
			return &websocket.MessageError{Reason: "text message is not valid UTF-8 (RFC 6455 §5.6)"}
		}
		x.c.sock.Commit(websocket.AppendHeader(out, websocket.Opcode(kind), len(e.Data)))
		x.write(e.Data, e.Lifetime)
	} else {
		out, err := x.m.AppendMessage(out, kind, copied)
		if err != nil {
			return err
		}
		x.c.sock.Commit(out)
	}
	x.wrote()
	return nil
}

// close refuses the handshake with 403, or starts the closing handshake.
func (x *wsConn) close(code int, reason string) error {
	if o := x.opening; o != nil {
		x.refuse(http.StatusForbidden, nil, http.StatusText(http.StatusForbidden)+"\n")
		return nil
	}
	if code == 0 {
		code = websocket.CloseNormal
	}
	return x.sendClose(code, reason)
}

func (x *wsConn) sendClose(code int, reason string) error {
	out, err := x.m.AppendClose(x.c.sock.Reserve(160), code, strings.ToValidUTF8(reason, "\uFFFD"))
	if err != nil {
		return err
	}
	x.c.sock.Commit(out)
	x.setDeadline(x.c.w.srv.cfg.CloseTimeout)
	x.c.wake() // the peer's close may wait behind what was held
	return nil
}

// refuse answers the handshake with a plain response and ends the connection.
func (x *wsConn) refuse(status int, headers []asgi.Header, text string) {
	o := x.opening
	if !o.respond { // else a truncated denial is all there is to say
		o.status = status
		o.h.respondText(status, append([]asgi.Header{closeHeader}, headers...), text)
	}
	x.answered()
}

var closeHeader = asgi.Header{Name: "connection", Value: "close"}

// answered ends a conn whose handshake was refused, once the application's call
// is over: turn does.
func (x *wsConn) answered() {
	x.closing = true
	x.c.wake()
}

func (x *wsConn) deny(e *asgi.WebSocketDenialStart) error {
	o := x.opening
	headers := append(append([]asgi.Header(nil), e.Headers...), closeHeader)
	r := o.h.response(e.Status, headers, -1)
	if err := o.h.m.CheckStart(&r); err != nil {
		return err
	}
	o.status, o.headers = e.Status, headers
	return nil
}

func (x *wsConn) denyBody(e *asgi.WebSocketDenialBody) error {
	o := x.opening
	m, before := &o.h.m, o.h.m
	out, err := x.c.sock.Reserve(len(e.Body)+512), error(nil)
	if !o.respond {
		known := int64(-1)
		if !e.MoreBody {
			known = int64(len(e.Body))
		}
		r := o.h.response(o.status, o.headers, known)
		out, err = m.AppendStart(out, &r)
	}
	if err == nil && e.MoreBody {
		out, err = m.AppendBody(out, e.Body)
	} else if err == nil {
		out, err = m.AppendLastBody(out, e.Body)
	}
	if err != nil {
		*m = before
		return err
	}
	x.c.sock.Commit(out)
	o.respond = true
	if !e.MoreBody {
		x.answered()
	}
	return nil
}

func (x *wsConn) turn() {
	if x.closing {
		x.announce(websocket.CloseAbnormal, "")
		x.c.sock.Close()
	}
}

func (x *wsConn) pump(p []byte) int {
	switch {
	case x.closing:
		x.turn()
		return len(p)
	case x.last != nil:
		return len(p)
	case x.opening != nil:
		return 0
	case len(p) > 0:
		x.lastRead, x.pinged = x.c.w.loop.Elapsed(), false
	}
	n := 0
	for n < len(p) && x.ready() && !x.deaf() && x.c.budget > 0 {
		x.handleAll(p, &n)
	}
	if x.deaf() {
		return len(p)
	}
	return n
}

// deaf reports whether what the peer sends means nothing any more.
func (x *wsConn) deaf() bool { return x.closing || x.last != nil }

// afterAnswers has end end the exchange for what the peer did, once the
// application has done with what the peer sent before; left says that it may be
// gone.
func (x *wsConn) afterAnswers(left bool, end func()) {
	if x.deaf() {
		return
	}
	x.last = end
	if asgi.Behind(x.receiver, left, x.endLast) {
		x.setDeadline(x.c.w.srv.cfg.CloseTimeout)
	} else {
		x.endLast()
	}
}

func (x *wsConn) endLast() {
	if end := x.last; end != nil {
		x.last = nil
		end()
	}
}

// handleAll handles the events in p from n on, as far as pump does. A panic of the
// application ends it early: one recover guards the messages of a whole read.
func (x *wsConn) handleAll(p []byte, n *int) {
	calling := false
	defer func() {
		if !calling {
			return // a panic of our own costs the connection
		}
		x.c.w.endReceived()
		x.End(asgi.Recovered(recover()))
	}()
	ev := &x.c.w.frame
	for *n < len(p) && x.ready() && !x.deaf() && x.c.budget > 0 {
		x.c.budget--
		if err := x.m.Next(p[*n:], ev); err != nil {
			x.afterAnswers(false, func() { x.fail(err) })
			return
		}
		*n += ev.N
		if ev.Kind != websocket.Message {
			x.handleControl(ev)
			continue
		}
		if x.order.Complete() || x.ended || x.receiver == nil {
			if ev.Owned {
				x.c.w.loop.Give(ev.Data)
			}
			continue // what was under way when the application closed is dropped
		}
		x.bulk = len(ev.Data) >= bulkBytes
		w := x.c.w
		m := &w.message
		m.Kind, m.Data = asgi.Text, ev.Data
		if ev.Message == websocket.Binary {
			m.Kind = asgi.Binary
		}
		if ev.Owned {
			w.received = w.loop.Share(ev.Data)
		}
		calling = true
		x.receiver.Receive(m)
		calling = false
		m.Data, ev.Data = nil, nil // a large one must not stay
		if ev.Owned {
			w.endReceived()
		}
	}
}

// bulkBytes is what is a large message: one that a read of the usual size may not
// have whole.
const bulkBytes = 32 << 10

// place is where the rest of a large message is needed.
func (x *wsConn) place() []byte {
	if x.closing || x.opening != nil {
		return nil
	}
	rest := x.m.Rest()
	if rest == nil && x.bulk && x.ready() {
		return x.c.w.loop.Input()
	}
	return rest
}

func (x *wsConn) handleControl(ev *websocket.Event) {
	switch ev.Kind {
	case websocket.Ping:
		// After our close no pong is due, and the error says so.
		if out, err := x.m.AppendPong(x.c.sock.Reserve(len(ev.Data)+2), ev.Data); err == nil {
			x.c.sock.Commit(out)
			x.wrote()
		}
	case websocket.Close:
		code, reason := ev.Code, string(ev.Data)
		x.afterAnswers(false, func() { x.peerClosed(code, reason) })
	}
}

// peerClosed answers the peer's close and ends the connection
// (https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1).
func (x *wsConn) peerClosed(code int, reason string) {
	if out, err := x.m.AppendClose(x.c.sock.Reserve(8), code, ""); err == nil {
		x.c.sock.Commit(out)
	}
	x.gone = true
	x.announce(code, reason)
	x.hangUp()
}

// hangUp closes the TCP connection, the server first
// (https://www.rfc-editor.org/rfc/rfc6455#section-7.1.1).
func (x *wsConn) hangUp() {
	x.closing = true
	x.c.sock.Close()
}

// fail ends the connection because the peer broke a rule, or is silent.
func (x *wsConn) fail(err error) {
	x.c.w.srv.log.Debug("websocket failed", "client", x.c.sock.RemoteAddr().String(), "error", err)
	if out, e := x.m.AppendClose(x.c.sock.Reserve(160), engine.CloseCodeOf(err), engine.ReasonOf(err)); e == nil {
		x.c.sock.Commit(out)
	}
	x.gone = true
	x.announce(websocket.CloseAbnormal, err.Error())
	x.hangUp()
}

// announce delivers websocket.disconnect, once.
func (x *wsConn) announce(code int, reason string) {
	if x.announced {
		return
	}
	x.announced = true
	x.finish()
	x.deliver(&asgi.WebSocketDisconnect{Code: code, Reason: reason})
	if x.opening != nil {
		code = x.opening.status
	}
	x.log.end(x.c, code, 0)
}

func (x *wsConn) eof() {
	x.afterAnswers(true, x.departed)
}

func (x *wsConn) departed() {
	x.gone = true
	x.announce(websocket.CloseAbnormal, "")
	x.hangUp()
}

// stuck gives the application some time to take what the peer has sent. There is
// no half of a WebSocket: whoever ends its stream has left.
func (x *wsConn) stuck() {
	if t := x.c.w.srv.cfg.DepartTimeout; t > 0 && !x.leaving && !x.closing {
		x.setDeadline(t)
		x.leaving = true
	}
}

func (x *wsConn) drained() {
	if x.congested {
		x.congested, x.lending = false, false
		x.deliver(writable)
	}
}

func (x *wsConn) closed(error) {
	x.gone, x.closing, x.last = true, true, nil
	x.announce(websocket.CloseAbnormal, "")
	x.receiver = nil
	x.m.Release()
}

// End closes in the application's name: 1000 if it is done, 1011 if it failed;
// before the handshake is answered, with an HTTP status.
func (x *wsConn) End(err error) {
	if x.ended {
		return
	}
	x.end()
	if err == nil && x.opening != nil && !x.order.Complete() && !x.gone {
		err = asgi.ErrIncomplete
	}
	if err != nil && !(engine.OfPeer(err) && (x.gone || x.last != nil || x.order.Complete() || x.m.CloseSent())) {
		x.c.w.srv.logFailure("websocket", address(x.c.sock.RemoteAddr()), x.path.Value(), err)
	}
	switch {
	case x.closing || x.gone || x.order.Complete():
	case x.opening != nil:
		x.refuse(engine.StatusOf(err), engine.HeadersOf(err), engine.TextOf(err))
	default:
		// A close that was sent already is all there is to say.
		if e := x.sendClose(engine.CloseCodeOf(err), ""); e != nil && !x.m.CloseSent() {
			_ = x.sendClose(websocket.CloseInternalError, "")
		}
	}
}

func (x *wsConn) drain(d *asgi.Drain) {
	if x.closing {
		return
	}
	x.deliver(d)
	if x.opening == nil && !x.closing {
		x.closeWithin(d)
	}
}

// After our close frame it is the peer that does not end.
func (x *wsConn) ending() bool { return x.closing || x.m.CloseSent() }

// closeWithin closes with 1012 at a moment of the first half of the time there
// is: clients that come back do not come all at once.
func (x *wsConn) closeWithin(d *asgi.Drain) {
	spread := d.Deadline.Sub(x.c.sock.Now()) / 2
	x.c.sock.AfterFunc(time.Duration(rand.Int64N(int64(max(spread, 1)))), func() {
		if !x.closing && !x.m.CloseSent() {
			_ = x.sendClose(websocket.CloseServiceRestart, "server is restarting")
		}
	})
}

// armPing sets the deadline of the next silence.
func (x *wsConn) armPing() { x.setDeadline(x.c.w.srv.cfg.PingInterval) }

func (x *wsConn) setDeadline(d time.Duration) {
	switch {
	case x.leaving: // the end is near already
	case d > 0:
		x.c.sock.SetDeadline(x.c.sock.Now().Add(d))
	default:
		x.c.sock.SetDeadline(time.Time{})
	}
}

// deadline is the end of a silence, of a wait for life after a ping, or of the
// wait for the peer's close.
func (x *wsConn) deadline() {
	cfg := &x.c.w.srv.cfg
	quiet := x.c.w.loop.Elapsed() - x.lastRead
	switch {
	case x.last != nil:
		x.endLast()
	case x.leaving:
		x.departed()
	case x.m.CloseSent():
		x.announce(websocket.CloseAbnormal, "")
		x.hangUp()
	case len(x.c.held) > 0: // it is we who do not read
		x.armPing()
	case x.pinged:
		x.fail(engine.ErrSilent)
	case quiet < cfg.PingInterval:
		x.setDeadline(cfg.PingInterval - quiet)
	default:
		out, err := x.m.AppendPing(x.c.sock.Reserve(2), nil)
		if err != nil {
			return
		}
		x.c.sock.Commit(out)
		if cfg.PongTimeout < 0 { // the pings only keep proxies from dropping the connection
			x.armPing()
			return
		}
		x.pinged = true
		x.setDeadline(cfg.PongTimeout)
	}
}
