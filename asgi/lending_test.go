package asgi_test

import (
	"context"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/internal/longtest"
)

// returns fails unless something comes out of done.
func returns(t *testing.T, what string, done <-chan error) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(longtest.Patience):
		t.Errorf("%s hangs", what)
	}
}

// TestLentWhenTheExchangeEnds has an exchange end, by its own application, while a
// large payload of it waits: whoever sends it gets it back.
func TestLentWhenTheExchangeEnds(t *testing.T) {
	large := &asgi.WebSocketSend{Kind: asgi.Binary, Data: make([]byte, 1<<20)}
	t.Run("serial", func(t *testing.T) {
		returned := make(chan error, 1)
		opened := make(chan asgi.Exchange, 1)
		x := asgitest.New(t, asgi.Serial(handlerOf(func(x asgi.Exchange, ev asgi.ReceiveEvent) {
			switch textOf(ev) {
			case "websocket.connect":
				opened <- x
				_ = x.Send(&asgi.WebSocketAccept{})
			case "big":
				returned <- x.Send(large)
			}
		}), nil), asgitest.WebSocketScope("/"))
		x.Deliver(&asgi.WebSocketConnect{})
		x.WaitSent(1)
		x.Congest()
		x.Deliver(incoming("big"))
		x.Wait("the payload", func() bool { return len(x.Sent()) == 2 })
		inner := <-opened
		go inner.End(nil) // ends at once
		x.WaitEnded()
		returns(t, "Send", returned)
	})
	t.Run("goroutine", func(t *testing.T) {
		returned, sent := make(chan error, 1), make(chan struct{})
		x := asgitest.New(t, asgi.Goroutine(func(ctx context.Context, _ *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
			_, _ = receive(ctx)
			_ = send(ctx, &asgi.WebSocketAccept{})
			_, _ = receive(ctx)
			go func() { returned <- send(context.Background(), large) }() // waited for by the test
			<-sent
			return nil
		}, nil), asgitest.WebSocketScope("/"))
		x.Deliver(&asgi.WebSocketConnect{})
		x.WaitSent(1)
		x.Congest()
		x.Deliver(incoming("big"))
		x.Wait("the payload", func() bool { return len(x.Sent()) == 2 })
		close(sent)
		x.WaitEnded()
		returns(t, "send", returned)
	})
}
