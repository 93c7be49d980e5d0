package asgi_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
)

// tb stands for a test in examples, which have none.
type tb struct{ testing.TB }

func (tb) Helper()                   {}
func (tb) Cleanup(func())            {}
func (tb) Fatalf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }
func (tb) Errorf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }

// The event form: called on the loop, no goroutine, must not block. An event
// that never changes is shared by all requests.
func ExampleHandler() {
	start := &asgi.HTTPResponseStart{Status: 200, Headers: []asgi.Header{{Name: "content-type", Value: "text/plain"}}}
	body := &asgi.HTTPResponseBody{Body: []byte("hello")}
	hello := asgi.HandlerFunc(func(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		if scope.Type != asgi.ScopeHTTP {
			x.End(asgi.ErrUnsupportedScope)
			return nil
		}
		x.Send(start)
		x.Send(body)
		x.End(nil)
		return nil
	})

	r := asgitest.Get(tb{}, hello, "/")
	fmt.Println(r.Status, string(r.Body))
	// Output: 200 hello
}

// echoApplication is the coroutine form: straight-line code over receive and
// send.
func echoApplication(ctx context.Context, scope *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
	if scope.Type != asgi.ScopeWebSocket {
		return asgi.ErrUnsupportedScope
	}
	for {
		ev, err := receive(ctx)
		if err != nil {
			return err
		}
		switch e := ev.(type) {
		case *asgi.WebSocketConnect:
			err = send(ctx, &asgi.WebSocketAccept{})
		case *asgi.WebSocketReceive:
			err = send(ctx, &asgi.WebSocketSend{Kind: e.Kind, Data: e.Data})
		case *asgi.WebSocketDisconnect:
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func ExampleApplication() {
	x := asgitest.New(tb{}, asgi.Coroutine(echoApplication), asgitest.WebSocketScope("/"))
	x.Deliver(&asgi.WebSocketConnect{})
	x.Deliver(&asgi.WebSocketReceive{Data: []byte("hello")})
	x.Deliver(&asgi.WebSocketDisconnect{Code: 1000})
	for _, ev := range x.Sent() {
		fmt.Println(textOf(ev))
	}
	fmt.Println("ended:", x.Ended(), x.Err())
	// Output:
	// websocket.accept
	// hello
	// ended: true <nil>
}

// A coroutine runs on the loop. What takes its time runs elsewhere, while the
// coroutine is suspended and the loop serves others.
func ExampleAwait() {
	app := func(ctx context.Context, _ *asgi.Scope, _ asgi.Receive, send asgi.Send) error {
		sum, err := asgi.Await(ctx, func(done func(int, error)) {
			go func() {
				sum := 0
				for i := range 1_000_001 {
					sum += i
				}
				done(sum, nil)
			}()
		})
		if err != nil {
			return err
		}
		if err := send(ctx, &asgi.HTTPResponseStart{Status: 200}); err != nil {
			return err
		}
		return send(ctx, &asgi.HTTPResponseBody{Body: fmt.Append(nil, sum)})
	}

	r := asgitest.Get(tb{}, asgi.Coroutine(app), "/")
	fmt.Println(string(r.Body))
	// Output: 500000500000
}

// Middleware in event form sees a scope and an exchange; it changes a copy of
// the one and wraps the other.
func ExampleMiddleware() {
	tag := func(next asgi.Handler) asgi.Handler {
		return asgi.HandlerFunc(func(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
			changed := scope.Copy()
			changed.Path = strings.TrimPrefix(scope.Path, "/app")
			return next.Open(changed, tagged{x})
		})
	}
	path := asgi.HandlerFunc(func(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		x.Send(&asgi.HTTPResponseStart{Status: 200})
		x.Send(&asgi.HTTPResponseBody{Body: []byte(scope.Path)})
		x.End(nil)
		return nil
	})

	r := asgitest.Get(tb{}, asgi.Chain(path, tag), "/app/page")
	fmt.Println(r.Header("x-tag"), string(r.Body))
	// Output: yes /page
}

// tagged adds a field to the response.
type tagged struct{ asgi.Exchange }

func (x tagged) Send(ev asgi.SendEvent) error {
	if start, ok := ev.(*asgi.HTTPResponseStart); ok {
		changed := *start // never the application's own event
		changed.Headers = append(changed.Headers[:len(changed.Headers):len(changed.Headers)],
			asgi.Header{Name: "x-tag", Value: "yes"})
		ev = &changed
	}
	return x.Exchange.Send(ev)
}

// Middleware in coroutine form wraps receive and send.
func ExampleApplicationMiddleware() {
	count := func(next asgi.Application) asgi.Application {
		return func(ctx context.Context, scope *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
			sent := 0
			err := next(ctx, scope, receive, func(ctx context.Context, ev asgi.SendEvent) error {
				sent += asgi.Size(ev)
				return send(ctx, ev)
			})
			fmt.Println("sent", sent, "bytes:", err)
			return err
		}
	}
	hello := func(ctx context.Context, _ *asgi.Scope, _ asgi.Receive, send asgi.Send) error {
		if err := send(ctx, &asgi.HTTPResponseStart{Status: 200}); err != nil {
			return err
		}
		return send(ctx, &asgi.HTTPResponseBody{Body: []byte("hello")})
	}

	asgitest.Get(tb{}, asgi.Coroutine(asgi.ChainApplication(hello, count)), "/")
	// Output: sent 5 bytes: <nil>
}

// A handler that blocks runs as a serial one: in order, on a task that exists
// only while there is something to handle.
func ExampleSerial() {
	query := asgi.HandlerFunc(func(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		row := slowDatabase(scope.QueryString) // may block
		x.Send(&asgi.HTTPResponseStart{Status: 200})
		x.Send(&asgi.HTTPResponseBody{Body: []byte(row)})
		x.End(nil)
		return nil
	})

	r := asgitest.Get(tb{}, asgi.Serial(query, nil), "/?id=1")
	fmt.Println(string(r.Body))
	// Output: row of id=1
}

// An application that blocks runs on a goroutine of its own.
func ExampleGoroutine() {
	query := func(ctx context.Context, scope *asgi.Scope, _ asgi.Receive, send asgi.Send) error {
		row := slowDatabase(scope.QueryString) // may block
		if err := send(ctx, &asgi.HTTPResponseStart{Status: 200}); err != nil {
			return err
		}
		return send(ctx, &asgi.HTTPResponseBody{Body: []byte(row)})
	}

	r := asgitest.Get(tb{}, asgi.Goroutine(query, nil), "/?id=1")
	fmt.Println(string(r.Body))
	// Output: row of id=1
}

func slowDatabase(query string) string { return "row of " + query }
