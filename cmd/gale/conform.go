package main

import (
	"context"
	"fmt"
	"net"

	"github.com/urfave/cli/v3"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/http1"
	"github.com/gale-server/gale/asgi/server"
	"github.com/gale-server/gale/asgi/websocket"
)

// maxConform bounds what the target holds: a request body, a message.
const maxConform = 32 << 20

// forms are the ways the target's application can run. All answer alike.
var forms = map[string]func() asgi.Handler{
	"event":     func() asgi.Handler { return asgi.HandlerFunc(conformEvent) },
	"coroutine": func() asgi.Handler { return asgi.Coroutine(conformApplication) },
	"serial":    func() asgi.Handler { return asgi.Serial(asgi.HandlerFunc(conformEvent), nil) },
	"goroutine": func() asgi.Handler { return asgi.Goroutine(conformApplication, nil) },
}

func conformCommand() *cli.Command {
	f := newServeFlags("127.0.0.1:9001", "off")
	form := &setting[string]{
		name:  "form",
		usage: "run the application in this `FORM`: event, coroutine, serial or goroutine",
		value: "event",
		parse: oneOf("event", "coroutine", "serial", "goroutine"),
	}
	return subcommand(&cli.Command{
		Name:  "conform",
		Usage: "serve the target of conformance suites and load generators",
		Description: "/        GET, HEAD: 200 with OK; any other method: the request's body, once it is read\n" +
			"/echo    the request's header lines\n" +
			"/cookie  the request's cookies, one name=value on a line\n" +
			"Every other path is answered as / is. A WebSocket on any path echoes text and\n" +
			"binary messages. Bodies and messages may have up to 32 MiB.",
		Flags: append(f.flags(), form.flag()),
		Action: func(ctx context.Context, c *cli.Command) error {
			name, err := form.get()
			if err != nil {
				return err
			}
			config := server.Config{
				Handler:   forms[name](),
				HTTP:      http1.Config{MaxBodyBytes: maxConform},
				WebSocket: websocket.Config{MaxMessageBytes: maxConform},
			}
			return f.serve(ctx, c, config, func(addr net.Addr) {
				here, _ := urls(addr)
				fmt.Fprintf(c.Root().Writer, "gale conform (%s form) on %s\n", name, here)
			})
		},
	})
}
