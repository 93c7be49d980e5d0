package main

import (
	"context"
	"strings"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers"
)

// conformEvent is the target in event form.
func conformEvent(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
	switch scope.Type {
	case asgi.ScopeHTTP:
		return handlers.ReadBody(scope, x, maxConform, func(body []byte) {
			status, contentType, answer := conformAnswer(scope, body)
			// An error means that the peer is gone, or has ended the exchange.
			_ = handlers.Respond(x, status, answer, asgi.Header{Name: "content-type", Value: contentType})
		})
	case asgi.ScopeWebSocket:
		return asgi.ReceiverFunc(func(ev asgi.ReceiveEvent) {
			switch ev := ev.(type) {
			case *asgi.WebSocketConnect:
				_ = x.Send(&asgi.WebSocketAccept{})
			case *asgi.WebSocketReceive:
				_ = x.Send(&asgi.WebSocketSend{Kind: ev.Kind, Data: ev.Data})
			}
		})
	default:
		x.End(asgi.ErrUnsupportedScope)
		return nil
	}
}

// conformApplication is the target in coroutine form.
func conformApplication(ctx context.Context, scope *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
	switch scope.Type {
	case asgi.ScopeHTTP:
		body, err := handlers.ReadAll(ctx, scope, receive, maxConform)
		if err != nil {
			return err
		}
		status, contentType, answer := conformAnswer(scope, body)
		start := asgi.HTTPResponseStart{
			Status:  status,
			Headers: []asgi.Header{{Name: "content-type", Value: contentType}},
		}
		if err := send(ctx, &start); err != nil {
			return err
		}
		return send(ctx, &asgi.HTTPResponseBody{Body: answer})
	case asgi.ScopeWebSocket:
		return conformEcho(ctx, receive, send)
	default:
		return asgi.ErrUnsupportedScope
	}
}

func conformEcho(ctx context.Context, receive asgi.Receive, send asgi.Send) error {
	for {
		ev, err := receive(ctx)
		if err != nil {
			return err
		}
		switch ev := ev.(type) {
		case *asgi.WebSocketConnect:
			err = send(ctx, &asgi.WebSocketAccept{})
		case *asgi.WebSocketReceive:
			err = send(ctx, &asgi.WebSocketSend{Kind: ev.Kind, Data: ev.Data})
		case *asgi.WebSocketDisconnect:
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// conformAnswer is what a request is answered with. body may be part of the
// answer.
func conformAnswer(scope *asgi.Scope, body []byte) (status int, contentType string, answer []byte) {
	const text = "text/plain; charset=utf-8"
	switch {
	case scope.Method == "CONNECT": // no tunnels here
		return 405, text, []byte("method not allowed\n")
	case scope.Path == "/echo":
		for _, h := range scope.Headers {
			answer = append(answer, h.Name+": "+h.Value+"\n"...)
		}
		return 200, text, answer
	case scope.Path == "/cookie":
		return 200, text, cookies(scope)
	case scope.Method == "GET" || scope.Method == "HEAD":
		return 200, text, []byte("OK")
	}
	if contentType, ok := scope.Header("content-type"); ok {
		return 200, contentType, body
	}
	return 200, "application/octet-stream", body
}

// cookies lists the pairs of the Cookie fields, of which a client may send
// several over HTTP/2 only, but some do over HTTP/1.1.
func cookies(scope *asgi.Scope) (lines []byte) {
	for _, h := range scope.Headers {
		if h.Name != "cookie" {
			continue
		}
		for pair := range strings.SplitSeq(h.Value, ";") {
			if pair = strings.Trim(pair, " \t"); pair != "" {
				lines = append(lines, pair+"\n"...)
			}
		}
	}
	return lines
}
