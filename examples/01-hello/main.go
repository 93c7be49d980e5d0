// Hello over HTTP, in the two forms an application can take. The event form is a
// function of the loop: it is called with a scope, answers at once and is done.
// The coroutine form is straight-line code that may wait in the middle, here for
// the request's body, while the loop goes on with other connections. Run it and
// open http://127.0.0.1:8080, or send a name:
//
//	go run ./examples/01-hello
//	curl -d Ada http://127.0.0.1:8080/greet
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

// hello is a handler in event form.
func hello(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
	x.Send(&asgi.HTTPResponseStart{
		Status:  200,
		Headers: []asgi.Header{{Name: "content-type", Value: "text/plain"}},
	})
	x.Send(&asgi.HTTPResponseBody{Body: []byte("Hello, world!\n")})
	return nil // no interest in the request's body
}

// greet is an application in coroutine form.
func greet(ctx context.Context, scope *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
	name, err := handlers.ReadAll(ctx, scope, receive, 100)
	if err != nil {
		return err
	}
	if err := send(ctx, &asgi.HTTPResponseStart{Status: 200}); err != nil {
		return err
	}
	return send(ctx, &asgi.HTTPResponseBody{Body: []byte("Hello, " + string(name) + "!\n")})
}

// run serves on addr until ctx is done, and says where as soon as it is known.
func run(ctx context.Context, addr string, ready func(net.Addr)) error {
	mux := new(handlers.Mux)
	mux.HTTP("GET /", asgi.HandlerFunc(hello))
	mux.HTTP("POST /greet", asgi.Coroutine(greet))

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
	err := run(ctx, "127.0.0.1:8080", func(addr net.Addr) { log.Printf("open http://%s", addr) })
	if err != nil {
		log.Fatal(err)
	}
}
