package nethttp

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"time"
	"unicode/utf8"

	gorilla "github.com/gorilla/websocket"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/websocket"
)

// frame is a message or control frame to be written. The zero kind ends our
// stream.
type frame struct {
	kind int // gorilla.TextMessage, ...
	data []byte
}

const hangUp = 0

func (f *frame) weight() int { return len(f.data) + pieceOverhead }

func (x *webSocketExchange) put(f frame) {
	if x.out.put(f, f.weight()) {
		go x.write() // ends with the outbox empty
	}
}

// write writes frames until there are none, on a goroutine of its own.
func (x *webSocketExchange) write() {
	for frames := x.out.take(); len(frames) > 0; frames = x.out.take() {
		for i := range frames {
			f := &frames[i]
			if f.kind == hangUp {
				x.sock.closeWrite(x.h.cfg.CloseTimeout)
				x.h.linger(&x.exchange)
				continue
			}
			if err := x.writeFrame(f); err != nil && !errors.Is(err, gorilla.ErrCloseSent) {
				x.post(x.abort)
				return
			}
			if x.out.wrote(f.weight(), x.h.cfg.LowWatermark) {
				x.post(x.drained)
			}
		}
	}
}

func (x *webSocketExchange) writeFrame(f *frame) error {
	deadline := time.Time{}
	if timeout := x.h.cfg.WriteTimeout; timeout > 0 {
		deadline = time.Now().Add(timeout)
	}
	switch f.kind {
	case gorilla.TextMessage, gorilla.BinaryMessage:
		_ = x.ws.SetWriteDeadline(deadline)
		return x.ws.WriteMessage(f.kind, f.data)
	}
	return x.ws.WriteControl(f.kind, f.data, deadline)
}

func (x *webSocketExchange) pong(data string) {
	if !x.closeSent && !x.gone { // after our close none is due
		x.put(frame{kind: gorilla.PongMessage, data: []byte(data)})
	}
}

func (x *webSocketExchange) drained() {
	if x.congested && !x.announced {
		x.congested = false
		x.deliver(&asgi.Writable{})
		x.pump()
	}
}

// inbound is a message that was read, or why there will be none.
type inbound struct {
	kind asgi.MessageKind
	data []byte
	err  error
}

// keepBuffer is the largest buffer of messages that an idle WebSocket keeps, in
// bytes.
const keepBuffer = 4 << 10

// read reads messages, one at a time and only when they are wanted, on the
// goroutine of net/http, until the connection has no more.
func (x *webSocketExchange) read(ws *gorilla.Conn) {
	var buf []byte
	for {
		select {
		case <-x.credit:
		case <-x.closed:
			return
		}
		kind, data, err := x.readMessage(ws, buf[:0])
		in := &inbound{kind: asgi.Text, data: data, err: err}
		if kind == gorilla.BinaryMessage {
			in.kind = asgi.Binary
		}
		if buf = data; cap(buf) > keepBuffer {
			buf = nil
		}
		x.enter(func() {
			x.held = in
			x.pump()
		})
		if err != nil {
			<-x.closed
			return
		}
	}
}

// readMessage appends the next message to buf. The limit counts what comes out
// of the inflation, too, and text is checked as it comes.
func (x *webSocketExchange) readMessage(ws *gorilla.Conn, buf []byte) (kind int, data []byte, err error) {
	kind, r, err := ws.NextReader()
	if err != nil {
		return 0, buf, err
	}
	checked := 0 // bytes known to be valid UTF-8
	for {
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, max(512, len(buf)))
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if int64(len(buf)) > x.h.cfg.WebSocket.MaxMessageBytes {
			return kind, nil, errTooBig
		}
		if kind == gorilla.TextMessage {
			if checked += validPrefix(buf[checked:]); err == io.EOF && checked < len(buf) || badRune(buf[checked:]) {
				return kind, nil, errNotUTF8
			}
		}
		switch {
		case err == io.EOF:
			return kind, buf, nil
		case err != nil:
			return kind, nil, err
		}
	}
}

var (
	errTooBig  = &websocket.Error{Code: websocket.CloseMessageTooBig, Reason: "message is larger than the limit (RFC 6455 §10.4)"}
	errNotUTF8 = &websocket.Error{Code: websocket.CloseInvalidData, Reason: "text message is not valid UTF-8 (RFC 6455 §8.1)"}
	errInvalid = &websocket.Error{Code: websocket.CloseProtocolError, Reason: "frame is not valid (RFC 6455 §5)"}
)

// validPrefix is the length of the whole characters that p begins with.
func validPrefix(p []byte) int {
	if utf8.Valid(p) {
		return len(p)
	}
	n := 0
	for n < len(p) {
		r, size := utf8.DecodeRune(p[n:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		n += size
	}
	return n
}

// badRune reports whether p, which does not begin with a whole character, can
// never become one.
func badRune(p []byte) bool { return len(p) > 0 && utf8.FullRune(p) }

// closePayload is that of a close frame; no code is 1005
// (https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1).
func closePayload(code int, reason string) ([]byte, error) {
	var m websocket.Machine
	frame, err := m.AppendClose(nil, code, reason)
	if err != nil {
		return nil, err
	}
	const header = 2 // a control frame's, without a mask
	return frame[header:], nil
}

// pump delivers the message that was read, when it is wanted, and has the next
// one read.
func (x *webSocketExchange) pump() {
	for {
		in := x.held
		dropping := x.ended || x.closeSent
		if in == nil || x.announced || !dropping && !x.ready() {
			return
		}
		x.held = nil
		switch {
		case in.err != nil:
			x.readFailed(in.err)
			return
		case !dropping:
			x.deliver(&asgi.WebSocketReceive{Kind: in.kind, Data: in.data})
		}
		x.want()
	}
}

// want has the next message read. Data that the application is not ready for is
// read once, and then waits.
func (x *webSocketExchange) want() {
	select {
	case x.credit <- struct{}{}:
	default:
	}
}

// readFailed follows the end of what the peer sends.
func (x *webSocketExchange) readFailed(err error) {
	var closed *gorilla.CloseError
	var broken *websocket.Error
	var network net.Error
	switch {
	case errors.As(err, &closed) && closed.Code != websocket.CloseAbnormal:
		x.peerClosed(closed.Code, closed.Text)
	case errors.As(err, &broken):
		x.fail(broken)
	case errors.Is(err, gorilla.ErrReadLimit):
		x.fail(errTooBig)
	case errors.As(err, &closed), errors.As(err, &network), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		x.lost()
	default: // gorilla has sent 1002
		x.fail(errInvalid)
	}
}

// peerClosed answers the peer's close and ends the connection, the server first
// (https://www.rfc-editor.org/rfc/rfc6455#section-7.1.1).
func (x *webSocketExchange) peerClosed(code int, reason string) {
	_ = x.sendClose(code, "") // a code that the peer may use, so may we
	x.gone = true
	x.announce(code, reason)
	x.hangUp()
}

// fail ends the connection because the peer broke a rule, or is silent.
func (x *webSocketExchange) fail(err error) {
	x.h.cfg.Logger.Debug("websocket failed", "client", x.log.client, "error", err)
	_ = x.sendClose(closeCodeOf(err), reasonOf(err))
	x.gone = true
	x.announce(websocket.CloseAbnormal, err.Error())
	x.hangUp()
}

// hangUp ends our stream behind what was sent.
func (x *webSocketExchange) hangUp() {
	x.put(frame{kind: hangUp})
	x.arm(x.h.cfg.CloseTimeout)
}

// abort drops the connection.
func (x *webSocketExchange) abort() {
	if x.sock != nil {
		_ = x.sock.Close()
	}
	x.lost()
}

// lost follows the loss of the connection, or its end.
func (x *webSocketExchange) lost() {
	if x.over {
		return
	}
	x.gone = true
	x.out.close()
	x.deny.drop()
	x.announce(websocket.CloseAbnormal, "")
	if x.silence != nil {
		x.silence.Stop()
	}
	if !x.isOpen && !x.denied {
		close(x.decided)
	}
	x.finish()
	if x.sock != nil {
		_ = x.sock.Close()
	}
}

func (x *webSocketExchange) announceDrain(d *asgi.Drain) {
	if x.announced {
		return
	}
	x.deliver(d)
	if x.isOpen {
		x.closeWithin(d)
	}
}

// closeWithin closes with 1012 at a moment of the first half of the time there
// is: clients that come back do not come all at once.
func (x *webSocketExchange) closeWithin(d *asgi.Drain) {
	spread := max(time.Until(d.Deadline)/2, 1)
	time.AfterFunc(rand.N(spread), func() {
		x.post(func() {
			if !x.over {
				_ = x.sendClose(websocket.CloseServiceRestart, "server is restarting")
			}
		})
	})
}

// arm sets the time of the next look at what the peer does; 0 is never.
func (x *webSocketExchange) arm(d time.Duration) {
	switch {
	case x.silence != nil && d > 0:
		x.silence.Reset(d)
	case x.silence != nil:
		x.silence.Stop()
	case d > 0:
		x.silence = time.AfterFunc(d, func() { x.post(x.look) })
	}
}

// overdue follows a peer that does not close in time. What was sent before our
// close is still written, as long as the peer takes it.
func (x *webSocketExchange) overdue() {
	switch {
	case !x.announced:
		x.gone = true
		x.announce(websocket.CloseAbnormal, "")
		x.hangUp()
	case x.out.buffered() > 0:
		x.arm(x.h.cfg.CloseTimeout)
	default:
		x.abort()
	}
}

// look follows a silence, a wait for life after a ping, or the wait for the
// peer's close.
func (x *webSocketExchange) look() {
	if x.over {
		return
	}
	if x.closeSent {
		x.overdue()
		return
	}
	if x.sock == nil { // the handshake is under way
		x.arm(x.h.cfg.PingInterval)
		return
	}
	cfg := &x.h.cfg
	last := x.sock.lastRead.Load()
	quiet := time.Since(time.Unix(0, last))
	switch {
	case x.held != nil: // it is we who do not read
		x.pingedAt = 0
		x.arm(cfg.PingInterval)
	case x.pingedAt > last:
		x.fail(errSilent)
	case quiet < cfg.PingInterval:
		x.arm(cfg.PingInterval - quiet)
	default:
		x.put(frame{kind: gorilla.PingMessage})
		if cfg.PongTimeout == 0 {
			x.arm(cfg.PingInterval)
			return
		}
		x.pingedAt = time.Now().UnixNano()
		x.arm(cfg.PongTimeout)
	}
}
