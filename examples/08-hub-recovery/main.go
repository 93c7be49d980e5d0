// A hub: whoever was away gets what it has missed, once and in order, or is told
// that there is a gap. Here messages come over server-sent events and long polls,
// and over WebSocket for who speaks gale.hub.v1; all of them follow one history, and
// a reader may change from one to another in the middle. Follow a channel, publish
// in it, cut the reader off with Ctrl-C, publish more, and come back with the last id
// you have seen:
//
//	go run ./examples/08-hub-recovery
//	curl -N 'http://127.0.0.1:8080/hub/sse?ch=news'
//	curl -d '{"channel":"news","text":"hello"}' http://127.0.0.1:8080/hub/publish
//	curl -N -H 'Last-Event-ID: ID' 'http://127.0.0.1:8080/hub/sse?ch=news'
//	curl 'http://127.0.0.1:8080/hub/poll?ch=news&cursor=ID'
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"log"
	"net"
	"os"
	"os/signal"

	"github.com/gale-server/gale/asgi/server"
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/api"
	"github.com/gale-server/gale/handlers/hub/cursor"
	"github.com/gale-server/gale/handlers/hub/socket"
	"github.com/gale-server/gale/handlers/longpoll"
	"github.com/gale-server/gale/handlers/sse"
)

// mount puts the transports of h below /hub. Everybody may do everything: a real
// program asks for a token instead (handlers/hub/jwt).
func mount(mux *handlers.Mux, h *hub.Hub) error {
	anyone := hub.Anyone(hub.Everything)
	// With a secret that outlives the process, ids from before a restart are good
	// after it; the messages are not, and the reader is told that there is a gap.
	cursors, err := cursor.New([]byte(rand.Text() + rand.Text()))
	if err != nil {
		return err
	}
	ws, err := socket.New(socket.Config{Hub: h, Authenticate: anyone})
	if err != nil {
		return err
	}
	events, err := sse.New(sse.Config{Hub: h, Authenticate: anyone, Cursors: cursors})
	if err != nil {
		return err
	}
	polls, err := longpoll.New(longpoll.Config{Hub: h, Authenticate: anyone, Cursors: cursors})
	if err != nil {
		return err
	}
	publish, err := api.NewPublish(api.PublishConfig{Hub: h, Authenticate: anyone})
	if err != nil {
		return err
	}
	mux.WebSocket("/hub/ws", ws)
	mux.HTTP("/hub/sse", events)
	mux.HTTP("/hub/poll", polls)
	mux.HTTP("/hub/publish", publish)
	return nil
}

// run serves on addr until ctx is done, and says where as soon as it is known.
func run(ctx context.Context, addr string, options hub.Options, ready func(net.Addr)) error {
	h, err := hub.New(hub.Config{Channels: map[string]hub.Options{"": options}})
	if err != nil {
		return err
	}
	mux := new(handlers.Mux)
	if err := mount(mux, h); err != nil {
		return errors.Join(err, h.Close())
	}
	// A browser that leaves only ends its half of the connection.
	srv, err := server.New(server.Config{Handler: mux, HalfClose: server.HalfCloseDisconnects})
	if err != nil {
		return errors.Join(err, h.Close())
	}
	bound, err := srv.Listen("tcp", addr)
	if err != nil {
		return errors.Join(err, h.Close())
	}
	ready(bound)
	err = srv.Run(ctx)
	return errors.Join(err, h.Close())
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, "127.0.0.1:8080", hub.Options{}, func(addr net.Addr) {
		log.Printf("try curl -N 'http://%s/hub/sse?ch=news'", addr)
	})
	if err != nil {
		log.Fatal(err)
	}
}
