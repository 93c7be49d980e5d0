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
