package contender

import (
	"context"
	"log/slog"
	"net"
	"os"
	"strconv"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/http1"
	"github.com/gale-server/gale/asgi/server"
	"github.com/gale-server/gale/asgi/websocket"
	"github.com/gale-server/gale/cmd/galebench/load"
	"github.com/gale-server/gale/eventloop"
)

// A bulk server answers by the path, with its defaults but for the sizes it allows:
//
//	GET /down    the payload, with its length, in one write
//	POST /up     the number of bytes that came, once all have
//	WS /down     each message with the payload
//	WS /up       each message with the number of its bytes
//	WS           each message with itself
//	GET          Body
//
// The payload is made once and is never changed.

func startGaleEventBulk(cfg Config) (net.Addr, error) {
	return startGaleBulk(cfg, asgi.HandlerFunc(newBulk(cfg).handle))
}

func startGaleCoroutineBulk(cfg Config) (net.Addr, error) {
	return startGaleBulk(cfg, asgi.Coroutine(newBulk(cfg).serve))
}

func startGaleBulk(cfg Config, h asgi.Handler) (net.Addr, error) {
	srv, err := server.New(server.Config{
		Handler:   h,
		Logger:    slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
		Name:      ServerName,
		HTTP:      http1.Config{MaxBodyBytes: int64(cfg.TransferBytes)},
		WebSocket: websocket.Config{MaxMessageBytes: int64(cfg.TransferBytes)},
		Loop:      eventloop.Config{Loops: cfg.Loops},
	})
	if err != nil {
		return nil, err
	}
	return run(srv)
}

// bulk is gale's application. All exchanges share its events.
type bulk struct {
	start   *asgi.HTTPResponseStart
	body    *asgi.HTTPResponseBody
	message *asgi.WebSocketSend
}

// newBulk makes the events of the payload. Here, for both forms of application and
// both protocols, is the place to say that nobody ever changes it.
func newBulk(cfg Config) *bulk {
	payload := load.Payload(cfg.TransferBytes)
	return &bulk{
		start:   startOf(len(payload)),
		body:    &asgi.HTTPResponseBody{Body: payload, Lifetime: asgi.Immutable},
		message: &asgi.WebSocketSend{Kind: asgi.Binary, Data: payload, Lifetime: asgi.Immutable},
	}
}

func startOf(length int) *asgi.HTTPResponseStart {
	return &asgi.HTTPResponseStart{Status: 200, Headers: []asgi.Header{
		{Name: "content-type", Value: ContentType}, {Name: "content-length", Value: strconv.Itoa(length)},
	}}
}

// receipt is the answer to n bytes.
func receipt(n int) []byte { return strconv.AppendInt(nil, int64(n), 10) }

// handle is the application in event form.
func (b *bulk) handle(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
	switch {
	case scope.Type == asgi.ScopeHTTP && scope.Path == load.DownPath:
		_ = x.Send(b.start)
		_ = x.Send(b.body)
		return nil
	case scope.Type == asgi.ScopeHTTP && scope.Path == load.UpPath:
		return &upload{x: x}
	case scope.Type == asgi.ScopeWebSocket && scope.Path == load.DownPath:
		return answers(x, func(*asgi.WebSocketReceive) *asgi.WebSocketSend { return b.message })
	case scope.Type == asgi.ScopeWebSocket && scope.Path == load.UpPath:
		return answers(x, receiptFor)
	default:
		return handle(scope, x)
	}
}

// upload is a request in event form whose bytes are counted as they come.
type upload struct {
	x asgi.Exchange
	n int
}

func (u *upload) Receive(ev asgi.ReceiveEvent) {
	if ev, ok := ev.(*asgi.HTTPRequest); ok {
		u.n += len(ev.Body)
		if !ev.MoreBody {
			answer := receipt(u.n)
			_ = u.x.Send(startOf(len(answer)))
			_ = u.x.Send(&asgi.HTTPResponseBody{Body: answer})
		}
	}
}

// answers is a WebSocket in event form that answers each message.
func answers(x asgi.Exchange, answer func(*asgi.WebSocketReceive) *asgi.WebSocketSend) asgi.Receiver {
	return asgi.ReceiverFunc(func(ev asgi.ReceiveEvent) {
		switch ev := ev.(type) {
		case *asgi.WebSocketConnect:
			_ = x.Send(&asgi.WebSocketAccept{})
		case *asgi.WebSocketReceive:
			_ = x.Send(answer(ev))
		}
	})
}

func receiptFor(ev *asgi.WebSocketReceive) *asgi.WebSocketSend {
	return &asgi.WebSocketSend{Kind: asgi.Binary, Data: receipt(len(ev.Data))}
}

// serve is the application in coroutine form.
func (b *bulk) serve(ctx context.Context, scope *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
	switch {
	case scope.Type == asgi.ScopeHTTP && scope.Path == load.DownPath:
		if err := send(ctx, b.start); err != nil {
			return err
		}
		return send(ctx, b.body)
	case scope.Type == asgi.ScopeHTTP && scope.Path == load.UpPath:
		return serveUpload(ctx, receive, send)
	case scope.Type == asgi.ScopeWebSocket && scope.Path == load.DownPath:
		return serveAnswers(ctx, receive, send, func(*asgi.WebSocketReceive) *asgi.WebSocketSend { return b.message })
	case scope.Type == asgi.ScopeWebSocket && scope.Path == load.UpPath:
		return serveAnswers(ctx, receive, send, receiptFor)
	default:
		return serve(ctx, scope, receive, send)
	}
}

func serveUpload(ctx context.Context, receive asgi.Receive, send asgi.Send) error {
	n := 0
	for {
		ev, err := receive(ctx)
		if err != nil {
			return err
		}
		request, ok := ev.(*asgi.HTTPRequest)
		if !ok {
			return nil // the client is gone
		}
		n += len(request.Body)
		asgi.Recycle(ctx, request)
		if request.MoreBody {
			continue
		}
		answer := receipt(n)
		if err := send(ctx, startOf(len(answer))); err != nil {
			return err
		}
		return send(ctx, &asgi.HTTPResponseBody{Body: answer})
	}
}
