package handlers

import (
	"context"
	"strconv"

	"github.com/gale-server/gale/asgi"
)

var contentTooLarge = NewFixed(413, "request body too large\n")

// ReadBody returns the receiver that collects the request's body and calls then
// with the whole of it, which is valid only during the call. A body of more than
// maxBytes is answered with 413, before it is read if its length is announced.
// A request whose peer goes away calls nothing.
func ReadBody(scope *asgi.Scope, x asgi.Exchange, maxBytes int64, then func(body []byte)) asgi.Receiver {
	if announced(scope) > maxBytes {
		contentTooLarge.send(x)
		return nil
	}
	return &bodyReader{x: x, maxBytes: maxBytes, then: then}
}

// bodyReader is loop-owned.
type bodyReader struct {
	x        asgi.Exchange
	maxBytes int64
	body     []byte
	then     func(body []byte)
	done     bool
}

func (r *bodyReader) Receive(ev asgi.ReceiveEvent) {
	request, ok := ev.(*asgi.HTTPRequest)
	if !ok || r.done {
		return
	}
	if int64(len(r.body)+len(request.Body)) > r.maxBytes {
		r.done, r.body = true, nil
		contentTooLarge.send(r.x)
		return
	}
	whole := request.Body
	if len(r.body) > 0 || request.MoreBody {
		r.body = append(r.body, request.Body...)
		whole = r.body
	}
	if request.MoreBody {
		return
	}
	r.done, r.body = true, nil
	r.then(whole)
}

// ReadAll receives the request's body, up to maxBytes. It fails with
// ErrBodyTooLarge, with asgi.ErrDisconnected when the peer goes away, or with
// what receive fails with.
func ReadAll(ctx context.Context, scope *asgi.Scope, receive asgi.Receive, maxBytes int64) ([]byte, error) {
	if announced(scope) > maxBytes {
		return nil, ErrBodyTooLarge
	}
	var body []byte
	for {
		ev, err := receive(ctx)
		if err != nil {
			return nil, err
		}
		switch ev := ev.(type) {
		case *asgi.HTTPRequest:
			if int64(len(body)+len(ev.Body)) > maxBytes {
				return nil, ErrBodyTooLarge
			}
			if body == nil {
				body = ev.Body // the event is ours
			} else {
				body = append(body, ev.Body...)
			}
			if !ev.MoreBody {
				return body, nil
			}
		case *asgi.HTTPDisconnect:
			return nil, asgi.ErrDisconnected
		}
	}
}

// announced returns the request's Content-Length, or 0 if it has none.
func announced(scope *asgi.Scope) int64 {
	value, ok := scope.Header("content-length")
	if !ok {
		return 0
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return 0 // the server has checked it; the body is counted as it comes
	}
	return n
}
