// A chat in one file: whoever opens the page is in the room, and what one says
// all of them see. Connections live on different loops, so a message travels by
// Post, the one door into another loop: it is formed once and every member's
// loop sends the same bytes. A member that does not keep up is closed; nothing
// piles up for it. A chat with rooms, names and history needs none of this: it
// runs on handlers/hub, as that of "gale demo" does.
//
//	go run ./examples/03-chat
package main

import (
	"context"
	_ "embed"
	"log"
	"net"
	"os"
	"os/signal"
	"sync"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/server"
	"github.com/gale-server/gale/handlers"
)

//go:embed page.html
var page string

// room is everybody who is connected.
type room struct {
	mu      sync.Mutex
	members map[*member]bool
}

// member is one connection, in event form: Receive runs on its loop.
type member struct {
	room *room
	x    asgi.Exchange
}

func (m *member) Receive(ev asgi.ReceiveEvent) {
	switch ev := ev.(type) {
	case *asgi.WebSocketConnect:
		m.x.Send(&asgi.WebSocketAccept{})
		m.room.set(m, true)
	case *asgi.WebSocketReceive:
		if len(ev.Data) > 1000 || ev.Kind != asgi.Text {
			m.x.Send(&asgi.WebSocketClose{Code: 1008, Reason: "texts of up to 1000 bytes"})
			return
		}
		m.room.publish(string(ev.Data)) // a copy: the event is lent for this call
	case *asgi.WebSocketDisconnect:
		m.room.set(m, false)
	}
}

func (r *room) set(m *member, present bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if present {
		r.members[m] = true
	} else {
		delete(r.members, m)
	}
}

// publish has every member's loop send text. The lock keeps one order for all.
func (r *room) publish(text string) {
	message := &asgi.WebSocketSend{Kind: asgi.Text, Data: []byte(text)}
	r.mu.Lock()
	defer r.mu.Unlock()
	for m := range r.members {
		m.x.Post(func() {
			if m.x.Congested() {
				m.x.Send(&asgi.WebSocketClose{Code: 1013, Reason: "too slow"})
				return
			}
			m.x.Send(message)
		})
	}
}

// run serves on addr until ctx is done, and says where as soon as it is known.
func run(ctx context.Context, addr string, ready func(net.Addr)) error {
	r := &room{members: make(map[*member]bool)}
	mux := new(handlers.Mux)
	mux.HTTP("GET /", handlers.NewFixed(200, page, asgi.Header{Name: "content-type", Value: "text/html; charset=utf-8"}))
	mux.WebSocket("/chat", asgi.HandlerFunc(func(_ *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		return &member{room: r, x: x}
	}))
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
	err := run(ctx, "127.0.0.1:8080", func(addr net.Addr) { log.Printf("open http://%s in two windows", addr) })
	if err != nil {
		log.Fatal(err)
	}
}
