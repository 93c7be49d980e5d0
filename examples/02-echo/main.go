// A WebSocket echo, in the two forms an application can take: /event is called
// by the loop for every message and keeps nothing but its exchange, which is the
// cheapest an idle connection can be; /coroutine is a loop of its own over
// receive and send, as one would write it with a goroutine per connection, but
// without one. Run it and talk to it with any WebSocket client:
//
//	go run ./examples/02-echo
//	npx wscat -c ws://127.0.0.1:8080/event
package main

import (
	"context"
	"log"
	"net"
	"os"
	"os/signal"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/server"
	"github.com/gale-server/gale/handlers"
)

// echo is a connection in event form.
type echo struct{ x asgi.Exchange }

// Receive is called on the loop, once for each event. What a message carries is
// lent for the call; Send copies it.
func (e echo) Receive(ev asgi.ReceiveEvent) {
	switch ev := ev.(type) {
	case *asgi.WebSocketConnect:
		e.x.Send(&asgi.WebSocketAccept{})
	case *asgi.WebSocketReceive:
		e.x.Send(&asgi.WebSocketSend{Kind: ev.Kind, Data: ev.Data})
	}
}

// echoLoop is a connection in coroutine form. send waits for a client that does
// not read, and fails when it is gone.
func echoLoop(ctx context.Context, scope *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
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

// run serves on addr until ctx is done, and says where as soon as it is known.
func run(ctx context.Context, addr string, ready func(net.Addr)) error {
	mux := new(handlers.Mux)
	mux.WebSocket("/event", asgi.HandlerFunc(func(_ *asgi.Scope, x asgi.Exchange) asgi.Receiver { return echo{x} }))
	mux.WebSocket("/coroutine", asgi.Coroutine(echoLoop))

	srv, err := server.New(server.Config{Handler: mux})
	if err != nil {
		return err
	}
	bound, err := srv.Listen("tcp", addr)
	if err != nil {
		return err
	}
	ready(bound)
	return srv.Run(ctx)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, "127.0.0.1:8080", func(addr net.Addr) { log.Printf("connect to ws://%s/event", addr) })
	if err != nil {
		log.Fatal(err)
	}
}
