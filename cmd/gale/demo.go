package main

import (
	"context"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"net"

	"github.com/urfave/cli/v3"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/server"
	"github.com/gale-server/gale/asgi/websocket"
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/chat"
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

// maxChatMessage bounds a message before the chat sees it: above its own bound,
// so that a client is told, and far below what would cost memory.
const maxChatMessage = 64 << 10

func demoCommand() *cli.Command {
	f := newServeFlags("127.0.0.1:8080", "on")
	return subcommand(&cli.Command{
		Name:        "demo",
		Usage:       "serve a chat to try in a browser",
		Description: "Serves a chat with several rooms. Open the page in two windows, or on two devices\n(with --addr :8080), and let them talk. Stop with Ctrl-C.",
		Flags:       f.flags(),
		Action: func(ctx context.Context, c *cli.Command) error {
			h, err := demoHandler()
			if err != nil {
				return err
			}
			config := server.Config{Handler: h, WebSocket: websocket.Config{MaxMessageBytes: maxChatMessage}}
			return f.serve(ctx, c, config, func(addr net.Addr) { printWelcome(c.Root().Writer, addr) })
		},
	})
}

// demoHandler is the whole demo: the page's files, and the chat.
func demoHandler() (asgi.Handler, error) {
	files, err := fs.Sub(page, "page")
	if err != nil {
		return nil, err
	}
	static, err := handlers.NewStatic(files, handlers.StaticConfig{Headers: pageHeaders})
	if err != nil {
		return nil, err
	}
	rooms, err := chat.New(chat.Config{Rooms: []string{"lobby", "gophers", "random"}})
	if err != nil {
		return nil, err
	}
	mux := new(handlers.Mux)
	mux.HTTP("/*", static)
	mux.WebSocket("/chat", rooms)
	return mux, nil
}

// printWelcome says what to do next. The program goes on if nobody can read it.
func printWelcome(w io.Writer, addr net.Addr) {
	here, elsewhere := urls(addr)
	fmt.Fprintf(w, "\n  The gale chat is running.\n\n    Open  %s  in two browser windows.\n", here)
	if elsewhere != "" {
		fmt.Fprintf(w, "    On other devices of your network:  %s\n", elsewhere)
	}
	fmt.Fprint(w, "    Stop it with Ctrl-C.\n\n")
}
