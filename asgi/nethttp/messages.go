package nethttp

import (
	"errors"
	"io"
	"net"
	"slices"
	"unicode/utf8"

	gorilla "github.com/gorilla/websocket"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/websocket"
)

// inbound is a message or a ping that was read, or why there will be none.
type inbound struct {
	kind int // gorilla.TextMessage, ...
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
	for in := (&inbound{}); in.err == nil; {
		kind, data, err := x.readMessage(ws, buf[:0])
		in = &inbound{kind: kind, data: data, err: err}
		if buf = data; cap(buf) > keepBuffer {
			buf = nil
		}
		if !x.hand(in) {
			return
		}
	}
}

// readPing gives the loop a ping. It is due its turn as a message is: nothing is
// read behind it until the loop wants more.
func (x *webSocketExchange) readPing(data string) error {
	if !x.hand(&inbound{kind: gorilla.PingMessage, data: []byte(data)}) {
		return net.ErrClosed
	}
	return nil
}

// hand gives the loop what was read and blocks until it wants more; false says
// that it never will.
func (x *webSocketExchange) hand(in *inbound) (more bool) {
	x.enter(func() {
		x.held = in
		x.pump()
	})
	select {
	case <-x.credit:
		return true
	case <-x.closed:
		return false
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

// pump delivers the message that was read or answers the ping, when it is wanted,
// and has the next one read.
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
		case dropping:
		case in.kind == gorilla.PingMessage:
			x.put(frame{kind: gorilla.PongMessage, data: in.data})
		case in.kind == gorilla.BinaryMessage:
			x.deliver(&asgi.WebSocketReceive{Kind: asgi.Binary, Data: in.data})
		default:
			x.deliver(&asgi.WebSocketReceive{Kind: asgi.Text, Data: in.data})
		}
		x.credit <- struct{}{} // room for it: hand takes one for each
	}
}

// readFailed follows the end of what the peer sends.
func (x *webSocketExchange) readFailed(err error) {
	var closed *gorilla.CloseError
	var broken *websocket.Error
	var network net.Error
	switch {
	case errors.As(err, &closed) && closed.Code != websocket.CloseAbnormal:
		x.afterAnswers(false, func() { x.peerClosed(closed.Code, closed.Text) })
	case errors.As(err, &broken):
		x.afterAnswers(false, func() { x.fail(broken) })
	case errors.Is(err, gorilla.ErrReadLimit):
		x.afterAnswers(false, func() { x.fail(errTooBig) })
	case errors.As(err, &closed), errors.Is(err, io.ErrUnexpectedEOF): // the end of the stream
		x.afterAnswers(true, x.left)
	case errors.As(err, &network), errors.Is(err, net.ErrClosed):
		x.lost()
	default:
		x.afterAnswers(false, func() { x.fail(errInvalid) })
	}
}
