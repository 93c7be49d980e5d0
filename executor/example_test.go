package executor_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/executor"
)

// In coroutine form a job is awaited: the application is suspended, its loop goes
// on with other connections. When the peer disconnects, the job is cancelled.
func ExampleRun() {
	e, err := executor.New(executor.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Shutdown(context.Background())
	cpu := e.Class(executor.CPU)

	app := func(ctx context.Context, scope *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
		shout, err := executor.Run(ctx, cpu, func(ctx context.Context) (string, error) {
			return strings.ToUpper(scope.Path), nil // think of something heavy
		}, executor.Job{Label: "shout"})
		if err != nil {
			return err // a saturated class becomes a 503
		}
		if err := send(ctx, &asgi.HTTPResponseStart{Status: 200}); err != nil {
			return err
		}
		return send(ctx, &asgi.HTTPResponseBody{Body: []byte(shout)})
	}
	_ = asgi.Coroutine(app) // what a server serves

	// Elsewhere it blocks the goroutine.
	n, err := executor.Run(context.Background(), cpu, func(context.Context) (int, error) { return 6 * 7, nil })
	fmt.Println(n, err)
	// Output: 42 <nil>
}

// In event form progress and result are calls on the connection's loop, in order.
func ExampleFuture_Notify() {
	e, err := executor.New(executor.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Shutdown(context.Background())

	handler := asgi.HandlerFunc(func(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		future, err := e.Class(executor.CPU).Submit(context.Background(), executor.Job{
			Run: func(ctx context.Context) (any, error) {
				executor.Report(ctx, executor.Progress{Percent: 50})
				return "a picture", nil
			},
		})
		if err != nil {
			x.End(err)
			return nil
		}
		future.Notify(x, func(value any, err error) {
			if err != nil {
				x.End(err)
				return
			}
			x.Send(&asgi.HTTPResponseStart{Status: 200})
			x.Send(&asgi.HTTPResponseBody{Body: []byte(value.(string))})
			x.End(nil)
		}, func(p executor.Progress) { log.Printf("%d %%", p.Percent) })
		return asgi.ReceiverFunc(func(ev asgi.ReceiveEvent) {
			if _, gone := ev.(*asgi.HTTPDisconnect); gone {
				future.Cancel() // frees its place, or tells it to stop
			}
		})
	})
	_ = handler
}

// A full class refuses, and says when to come back.
func ExampleSaturatedError() {
	e, err := executor.New(executor.Config{
		Classes: []executor.ClassConfig{{Name: "reports", Workers: 1, QueueJobs: 1}},
	})
	if err != nil {
		log.Fatal(err)
	}
	reports := e.Class("reports")
	wait := make(chan struct{})
	for range 3 {
		_, err = reports.Submit(context.Background(), executor.Job{Run: func(context.Context) (any, error) {
			<-wait
			return nil, nil
		}})
	}
	var saturated *executor.SaturatedError
	if errors.As(err, &saturated) {
		fmt.Println(err)
		fmt.Println(saturated.HTTPStatus(), "Retry-After:", int(saturated.RetryAfter.Seconds()))
	}
	close(wait)
	e.Shutdown(context.Background())
	// Output:
	// executor: class reports is saturated: queue full
	// 503 Retry-After: 1
}

// Equal work is done once: every request for the same thumbnail shares one run.
func ExampleJob_key() {
	e, err := executor.New(executor.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Shutdown(context.Background())
	wait := make(chan struct{})
	var futures []*executor.Future
	for range 3 {
		f, err := e.Class(executor.Blocking).Submit(context.Background(), executor.Job{
			Key: "thumbnail of cat.jpg",
			Run: func(context.Context) (any, error) {
				<-wait
				fmt.Println("made")
				return "thumbnail", nil
			},
		})
		if err != nil {
			log.Fatal(err)
		}
		futures = append(futures, f)
	}
	close(wait)
	for _, f := range futures {
		fmt.Println(f.Result())
	}
	// Output:
	// made
	// thumbnail <nil>
	// thumbnail <nil>
	// thumbnail <nil>
}

// Handlers that block run on the workers of a class.
func ExampleClass_Go() {
	e, err := executor.New(executor.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Shutdown(context.Background())
	legacy := asgi.HandlerFunc(func(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		x.End(nil) // may block: it is not on the loop
		return nil
	})
	_ = asgi.Serial(legacy, e.Class(executor.Blocking).Go)
}
