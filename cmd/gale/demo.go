package main

import (
	"context"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"

	"github.com/urfave/cli/v3"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/server"
	"github.com/gale-server/gale/asgi/websocket"
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/static"
)

//go:embed page
var page embed.FS

// pageHeaders allow the page what it needs, which is only its own files and its
// own WebSocket.
var pageHeaders = []asgi.Header{
	{Name: "content-security-policy", Value: "default-src 'none'; script-src 'self'; style-src 'self'; " +
		"img-src 'self'; connect-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
	{Name: "referrer-policy", Value: "no-referrer"},
}

// maxDemoMessage bounds a message before the hub sees it: above its own bound, so
// that a client is told, and far below what would cost memory.
const maxDemoMessage = 64 << 10

func demoCommand() *cli.Command {
	f := newServeFlags("127.0.0.1:8080", "on")
	where := setting[string]{
		name:  "images",
		usage: "work on pictures in this `PLACE`: class, the threads of an executor, or process, processes of their own",
		value: picturesInClass,
		parse: oneOf(picturesInClass, picturesInProcess),
	}
	return subcommand(&cli.Command{
		Name:  "demo",
		Usage: "serve a chat, streams and image jobs to try in a browser",
		Description: "Serves a chat with several rooms over WebSocket, server-sent events and\n" +
			"long-polling, a page that makes pictures smaller, and one to which text is\n" +
			"streamed. Open the page in two windows, or on two devices (with --addr :8080),\n" +
			"let them talk, and pull the plug of one; or saturate the machine with pictures\n" +
			"and see what the chat feels of it. Stop with Ctrl-C.",
		Flags: append(f.flags(), where.flag()),
		Action: func(ctx context.Context, c *cli.Command) error {
			logger, err := f.serverLog(c.Root())
			if err != nil {
				return err
			}
			place, err := where.get()
			if err != nil {
				return err
			}
			h, err := demoHandler(place, logger)
			if err != nil {
				return err
			}
			config := server.Config{
				Handler:   h,
				Logger:    logger,
				WebSocket: websocket.Config{MaxMessageBytes: maxDemoMessage},
				// Whoever leaves while a job is waited for is to be noticed.
				HalfClose: server.HalfCloseDisconnects,
			}
			return f.serve(ctx, c, config, func(addr net.Addr) { printWelcome(c.Root().Writer, addr) })
		},
	})
}

// demoHandler is the whole demo: the files of the pages, the chat, the streams and the
// jobs.
func demoHandler(place string, logger *slog.Logger) (asgi.Handler, error) {
	files, err := fs.Sub(page, "page")
	if err != nil {
		return nil, err
	}
	pages, err := static.New(static.Config{FS: files, Headers: pageHeaders})
	if err != nil {
		return nil, err
	}
	pictures, err := newPictures(place, logger)
	if err != nil {
		return nil, err
	}
	mux := new(handlers.Mux)
	mux.HTTP("/*", pages)
	for _, name := range []string{"/images", "/stream"} {
		mux.HTTP(name, asgi.HandlerFunc(func(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
			scope = scope.Copy()
			scope.Path = scope.RootPath + name + ".html"
			return pages.Open(scope, x)
		}))
	}
	newStream().mount(mux)
	chat, err := newDemoHub(logger)
	if err != nil {
		return nil, err
	}
	pictures.also = chat.hub.Close
	if err := chat.mount(mux); err != nil {
		return nil, err
	}
	pictures.mount(mux)
	return mux, nil
}

// printWelcome says what to do next. The program goes on if nobody can read it.
func printWelcome(w io.Writer, addr net.Addr) {
	here, elsewhere := urls(addr)
	fmt.Fprintf(w, "\n  The gale chat is running.\n\n    Open  %s  in two browser windows.\n", here)
	fmt.Fprintf(w, "    Pull the plug of one: what it has missed comes when it is back, over WebSocket,\n    server-sent events or long-polling.\n")
	fmt.Fprintf(w, "    Image jobs, and what the chat feels of them, are at /images; text that is\n    streamed word by word is at /stream.\n")
	if elsewhere != "" {
		fmt.Fprintf(w, "    On other devices of your network:  %s\n", elsewhere)
	}
	fmt.Fprint(w, "    Stop it with Ctrl-C.\n\n")
}
