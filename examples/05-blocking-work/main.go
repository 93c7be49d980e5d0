// Work that blocks, in the three forms a handler can take. A database driver, a
// file or another service makes its caller wait, and a loop that waits keeps all
// of its connections waiting. So the query runs on one of the workers of an
// executor's blocking class, and while 64 of them wait for the database the loop
// goes on. More than that queue, and when a thousand do the next is refused at
// once. Run it, and ask all three while it stays quick to say hello:
//
//	go run ./examples/05-blocking-work
//	curl 'http://127.0.0.1:8080/event?name=Ada'
//	curl 'http://127.0.0.1:8080/coroutine?name=Ada'
//	curl 'http://127.0.0.1:8080/serial?name=Ada'
//	curl 'http://127.0.0.1:8080/hello'
package main

import (
	"context"
	"errors"
	"log"
	"net"
	"net/url"
	"os"
	"os/signal"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/server"
	"github.com/gale-server/gale/executor"
	"github.com/gale-server/gale/handlers"
)

// query is what blocks: it asks the database what it knows of somebody.
type query func(ctx context.Context, name string) (string, error)

// slowQuery stands for a real one.
func slowQuery(ctx context.Context, name string) (string, error) {
	select {
	case <-time.After(500 * time.Millisecond):
		return name + " wrote the first program.\n", nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// people is the application.
type people struct {
	query query
	class *executor.Class
}

// event is in event form. It hands the query over and returns; the result is a
// call on the exchange's loop. Whoever has gone wants none: a query that waits
// for a worker is forgotten, and one that runs is told.
func (p *people) event(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
	name := nameOf(scope)
	future, err := p.class.Submit(context.Background(), executor.Job{
		Run: func(ctx context.Context) (any, error) { return p.query(ctx, name) },
	})
	if err != nil {
		x.End(err) // the server answers: with 503 and when to come back, if there is no room
		return nil
	}
	future.Notify(x, func(found any, err error) {
		if err != nil {
			x.End(err)
			return
		}
		_ = handlers.Text(x, 200, found.(string)) // fails if the client has gone
	}, nil)
	return asgi.ReceiverFunc(func(ev asgi.ReceiveEvent) {
		if _, gone := ev.(*asgi.HTTPDisconnect); gone {
			future.Cancel()
		}
	})
}

// coroutine is in coroutine form. Run suspends it, as `await
// loop.run_in_executor(...)` does in Python, and the loop goes on; ctx ends when
// the client goes. The server answers an error here, too.
func (p *people) coroutine(ctx context.Context, scope *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
	name := nameOf(scope)
	found, err := executor.Run(ctx, p.class, func(ctx context.Context) (string, error) {
		return p.query(ctx, name)
	})
	if err != nil {
		return err
	}
	if err := send(ctx, &asgi.HTTPResponseStart{Status: 200}); err != nil {
		return err
	}
	return send(ctx, &asgi.HTTPResponseBody{Body: []byte(found)})
}

// serial is in event form, too, and simply blocks: asgi.Serial runs all of it on
// the workers, one event of an exchange after the other.
func (p *people) serial(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
	found, err := p.query(context.Background(), nameOf(scope))
	if err != nil {
		x.End(err)
		return nil
	}
	_ = handlers.Text(x, 200, found)
	return nil
}

func nameOf(scope *asgi.Scope) string {
	values, _ := url.ParseQuery(scope.QueryString)
	return values.Get("name")
}

// run serves on addr until ctx is done, and says where as soon as it is known.
func run(ctx context.Context, addr string, query query, config executor.Config, ready func(net.Addr)) error {
	e, err := executor.New(config)
	if err != nil {
		return err
	}
	p := &people{query: query, class: e.Class(executor.Blocking)}
	mux := new(handlers.Mux)
	mux.HTTP("GET /event", asgi.HandlerFunc(p.event))
	mux.HTTP("GET /coroutine", asgi.Coroutine(p.coroutine))
	mux.HTTP("GET /serial", asgi.Serial(asgi.HandlerFunc(p.serial), p.class.Go))
	mux.HTTP("GET /hello", handlers.NewFixed(200, "Hello!\n"))

	// Clients that leave are to be noticed before there is something to send.
	srv, err := server.New(server.Config{Handler: mux, HalfClose: server.HalfCloseDisconnects})
	if err != nil {
		return err
	}
	bound, err := srv.Listen("tcp", addr)
	if err != nil {
		return err
	}
	ready(bound)
	err = srv.Run(ctx)
	end, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return errors.Join(err, e.Shutdown(end)) // no connection is left that could submit
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, "127.0.0.1:8080", slowQuery, executor.Config{}, func(addr net.Addr) {
		log.Printf("try curl 'http://%s/coroutine?name=Ada'", addr)
	})
	if err != nil {
		log.Fatal(err)
	}
}
