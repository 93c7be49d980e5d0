package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/server"
)

// runDrainTarget makes the test binary a program that serves a journal, with
// the flags of every command that serves.
const runDrainTarget = "GALE_TEST_RUN_DRAIN_TARGET"

func drainTargetMain() int {
	f := newServeFlags("127.0.0.1:0", "off")
	cmd := &cli.Command{
		Name:  "target",
		Flags: f.flags(),
		Action: func(ctx context.Context, c *cli.Command) error {
			config := server.Config{
				Handler:      asgi.Coroutine((&journal{out: os.Stdout}).serve),
				CloseTimeout: 2 * time.Second, // clients that do not answer a close are waited for
			}
			return f.serve(ctx, c, config, func(addr net.Addr) {
				here, _ := urls(addr)
				fmt.Println("target on", here)
			})
		},
	}
	if err := cmd.Run(context.Background(), os.Args); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitFailure
	}
	return exitOK
}

// journal is an application that notes what happens to each of its exchanges,
// which are named by their query string, and says it at its shutdown. What
// happens after that is said as "late".
//
// Safe for concurrent use.
type journal struct {
	out io.Writer

	mu     sync.Mutex
	notes  []string
	closed bool
}

func (j *journal) note(id, what string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		fmt.Fprintln(j.out, "late", id, what)
	}
	j.notes = append(j.notes, "note "+id+" "+what)
}

func (j *journal) say() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closed = true
	fmt.Fprintln(j.out, strings.Join(append(j.notes, "shutdown"), "\n"))
}

func (j *journal) serve(ctx context.Context, scope *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
	id := scope.QueryString
	switch scope.Type {
	case asgi.ScopeLifespan:
		return j.live(ctx, receive, send)
	case asgi.ScopeHTTP:
		j.note(id, "seen")
		err := j.answer(ctx, scope, receive, send)
		j.note(id, fmt.Sprint("end ", err))
		return err
	default:
		return j.socket(ctx, id, receive, send)
	}
}

func (j *journal) live(ctx context.Context, receive asgi.Receive, send asgi.Send) error {
	if _, err := receive(ctx); err != nil {
		return err
	}
	if err := send(ctx, &asgi.LifespanStartupComplete{}); err != nil {
		return err
	}
	if _, err := receive(ctx); err != nil {
		return err
	}
	j.say()
	return send(ctx, &asgi.LifespanShutdownComplete{})
}

// answer answers with the exchange's name: at once, or in a way that only the
// drain brings to its end.
func (j *journal) answer(ctx context.Context, scope *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
	id := scope.QueryString
	start := &asgi.HTTPResponseStart{Status: 200}
	switch scope.Path {
	case "/slow", "/poll":
		fmt.Fprintln(j.out, "parked", id)
		if err := j.awaitDrain(ctx, id, receive); err != nil {
			return err
		}
		if scope.Path == "/slow" {
			if err := asgi.Sleep(ctx, 100*time.Millisecond); err != nil {
				return err
			}
		}
	case "/stream":
		if err := send(ctx, start); err != nil {
			return err
		}
		if err := send(ctx, &asgi.HTTPResponseBody{Body: []byte("data: 1\n\n"), MoreBody: true}); err != nil {
			return err
		}
		if err := j.awaitDrain(ctx, id, receive); err != nil {
			return err
		}
		if err := send(ctx, &asgi.HTTPResponseBody{Body: []byte("retry: 1000\n\n"), MoreBody: true}); err != nil {
			return err
		}
		return send(ctx, &asgi.HTTPResponseBody{Body: []byte(id)})
	case "/upload":
		fmt.Fprintln(j.out, "parked", id)
		for more := true; more; {
			ev, err := receive(ctx)
			if err != nil {
				return err
			}
			switch ev := ev.(type) {
			case *asgi.HTTPRequest:
				more = ev.MoreBody
			case *asgi.HTTPDisconnect:
				return asgi.ErrDisconnected
			case *asgi.Drain:
				j.note(id, "drain")
				fmt.Fprintln(j.out, "told", id)
			}
		}
	}
	if err := send(ctx, start); err != nil {
		return err
	}
	return send(ctx, &asgi.HTTPResponseBody{Body: []byte(id)})
}

func (j *journal) awaitDrain(ctx context.Context, id string, receive asgi.Receive) error {
	for {
		ev, err := receive(ctx)
		if err != nil {
			return err
		}
		switch ev.(type) {
		case *asgi.Drain:
			j.note(id, "drain")
			return nil
		case *asgi.HTTPDisconnect:
			return asgi.ErrDisconnected
		}
	}
}

// socket echoes, and tells its peer of the drain.
func (j *journal) socket(ctx context.Context, id string, receive asgi.Receive, send asgi.Send) error {
	for {
		ev, err := receive(ctx)
		if err != nil {
			return err
		}
		switch ev := ev.(type) {
		case *asgi.WebSocketConnect:
			j.note(id, "seen")
			err = send(ctx, &asgi.WebSocketAccept{})
		case *asgi.WebSocketReceive:
			err = send(ctx, &asgi.WebSocketSend{Kind: ev.Kind, Data: ev.Data})
		case *asgi.Drain:
			j.note(id, "drain")
			err = send(ctx, &asgi.WebSocketSend{Kind: asgi.Text, Data: []byte("drain")})
		case *asgi.WebSocketDisconnect:
			j.note(id, fmt.Sprint("end ", ev.Code))
			return nil
		}
		if err != nil {
			j.note(id, fmt.Sprint("end ", err))
			return err
		}
	}
}
