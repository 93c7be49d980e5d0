package handlers

import (
	"errors"

	"github.com/gale-server/gale/asgi"
)

const plainText = "text/plain; charset=utf-8"

// Text answers an HTTP exchange with a line or page of plain text.
func Text(x asgi.Exchange, status int, body string) error {
	return Respond(x, status, []byte(body), asgi.Header{Name: "content-type", Value: plainText})
}

// Respond answers an HTTP exchange with a whole body; the server adds its
// length. body and headers are not retained. A response that the server refuses,
// for a malformed header or a 2xx to CONNECT, ends the exchange with the error:
// nobody would answer it otherwise. One that comes behind another does not.
func Respond(x asgi.Exchange, status int, body []byte, headers ...asgi.Header) error {
	err := x.Send(&asgi.HTTPResponseStart{Status: status, Headers: headers})
	if err == nil {
		err = x.Send(&asgi.HTTPResponseBody{Body: body})
	}
	var order *asgi.OrderError
	if err != nil && !errors.Is(err, asgi.ErrDisconnected) && !errors.As(err, &order) {
		x.End(err)
	}
	return err
}

// Fixed is a Handler that gives every HTTP request the same answer, without an
// allocation of its own.
//
// Safe for concurrent use: immutable.
type Fixed struct {
	start asgi.HTTPResponseStart
	body  asgi.HTTPResponseBody
}

// NewFixed returns the Handler that answers with status, body and headers, as
// plain text unless there is a content-type among the headers. It retains
// headers.
func NewFixed(status int, body string, headers ...asgi.Header) *Fixed {
	typed := false
	for _, h := range headers {
		typed = typed || h.Name == "content-type"
	}
	if !typed {
		headers = append([]asgi.Header{{Name: "content-type", Value: plainText}}, headers...)
	}
	return &Fixed{
		start: asgi.HTTPResponseStart{Status: status, Headers: headers},
		body:  asgi.HTTPResponseBody{Body: []byte(body)},
	}
}

// Open answers the request.
func (f *Fixed) Open(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
	if scope.Type != asgi.ScopeHTTP {
		x.End(asgi.ErrUnsupportedScope)
		return nil
	}
	f.send(x)
	return nil
}

// send gives the answer. An error means that the peer is gone, or that somebody
// has answered before: both are for the server to see to.
func (f *Fixed) send(x asgi.Exchange) {
	if x.Send(&f.start) == nil {
		_ = x.Send(&f.body)
	}
}

// Refuse turns a WebSocket down with an HTTP status and a line of text, or with
// a bare 403 where the server has no denial responses. It returns the receiver
// that does so once the handshake asks.
//
// See https://asgi.readthedocs.io/en/latest/extensions.html#websocket-denial-response.
func Refuse(scope *asgi.Scope, x asgi.Exchange, status int, body string) asgi.Receiver {
	denial := scope.Supports(asgi.ExtDenialResponse)
	return asgi.ReceiverFunc(func(ev asgi.ReceiveEvent) {
		if _, ok := ev.(*asgi.WebSocketConnect); !ok {
			return
		}
		if !denial {
			_ = x.Send(&asgi.WebSocketClose{})
			return
		}
		start := asgi.WebSocketDenialStart{
			Status:  status,
			Headers: []asgi.Header{{Name: "content-type", Value: plainText}},
		}
		if x.Send(&start) == nil {
			_ = x.Send(&asgi.WebSocketDenialBody{Body: []byte(body)})
		}
	})
}
