package contender

import (
	"context"
	"log/slog"
	"net"
	"os"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/server"
	"github.com/gale-server/gale/eventloop"
)

func startGaleEvent(cfg Config) (net.Addr, error) {
	return startGale(cfg, asgi.HandlerFunc(handle))
}

func startGaleCoroutine(cfg Config) (net.Addr, error) {
	return startGale(cfg, asgi.Coroutine(serve))
}

func startGaleSerial(cfg Config) (net.Addr, error) {
	return startGale(cfg, asgi.Serial(asgi.HandlerFunc(handle), nil))
}

func startGaleGoroutine(cfg Config) (net.Addr, error) {
	return startGale(cfg, asgi.Goroutine(serve, nil))
}

func startGale(cfg Config, h asgi.Handler) (net.Addr, error) {
	srv, err := server.New(server.Config{
		Handler: h,
		Logger:  slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
		Name:    ServerName,
		Loop:    eventloop.Config{Loops: cfg.Loops},
	})
	if err != nil {
		return nil, err
	}
	addr, err := srv.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go func() { // ends with the process
		if err := srv.Run(context.Background()); err != nil {
			panic(err)
		}
	}()
	return addr, nil
}

// The response to every request. Events are not changed by the server, so that
// all requests share them.
var (
	responseStart = &asgi.HTTPResponseStart{Status: 200, Headers: []asgi.Header{{Name: "content-type", Value: ContentType}}}
	responseBody  = &asgi.HTTPResponseBody{Body: []byte(Body)}
)

// handle is the application in event form.
func handle(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
	switch scope.Type {
	case asgi.ScopeHTTP:
		if scope.Path != "/" && waits.open(scope.Path, x) {
			return nil
		}
		_ = x.Send(responseStart)
		_ = x.Send(responseBody)
		return nil
	case asgi.ScopeWebSocket:
		return &echo{x: x}
	default:
		x.End(asgi.ErrUnsupportedScope)
		return nil
	}
}

// echo is a WebSocket in event form. It keeps its reply, so that a message
// allocates nothing.
type echo struct {
	x     asgi.Exchange
	reply asgi.WebSocketSend
}

func (e *echo) Receive(ev asgi.ReceiveEvent) {
	switch ev := ev.(type) {
	case *asgi.WebSocketConnect:
		_ = e.x.Send(&asgi.WebSocketAccept{})
	case *asgi.WebSocketReceive:
		e.reply.Kind, e.reply.Data = ev.Kind, ev.Data
		_ = e.x.Send(&e.reply)
		e.reply.Data = nil
	}
}

// serve is the application in coroutine form.
func serve(ctx context.Context, scope *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
	switch scope.Type {
	case asgi.ScopeHTTP:
		if scope.Path != "/" {
			return serveParked(ctx, scope.Path, send)
		}
		if err := send(ctx, responseStart); err != nil {
			return err
		}
		return send(ctx, responseBody)
	case asgi.ScopeWebSocket:
		return serveAnswers(ctx, receive, send, echoOf)
	default:
		return asgi.ErrUnsupportedScope
	}
}

func echoOf(ev *asgi.WebSocketReceive) *asgi.WebSocketSend {
	return &asgi.WebSocketSend{Kind: ev.Kind, Data: ev.Data}
}

// serveAnswers answers each message of a WebSocket.
func serveAnswers(ctx context.Context, receive asgi.Receive, send asgi.Send, answer func(*asgi.WebSocketReceive) *asgi.WebSocketSend) error {
	for {
		ev, err := receive(ctx)
		if err != nil {
			return err
		}
		switch ev := ev.(type) {
		case *asgi.WebSocketConnect:
			err = send(ctx, &asgi.WebSocketAccept{})
		case *asgi.WebSocketReceive:
			err = send(ctx, answer(ev))
			asgi.Recycle(ctx, ev)
		case *asgi.WebSocketDisconnect:
			return nil
		}
		if err != nil {
			return err
		}
	}
}
