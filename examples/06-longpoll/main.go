// Long-polling: news for clients that can do no more than make requests. A poll is
// answered as soon as there is something its client has not seen, and until then it
// is parked and costs a little over a kilobyte; there is no goroutine. The cursor of
// an answer says what the client has seen, so that a poll whose answer was lost is
// simply repeated. Wait for a parcel in one window, and drop it in another:
//
//	go run ./examples/06-longpoll
//	curl 'http://127.0.0.1:8080/news?ch=ada&wait=0'                  # where am I?
//	curl 'http://127.0.0.1:8080/news?ch=ada&cursor=CURSOR'           # waits
//	curl -d 'a parcel' 'http://127.0.0.1:8080/for/ada'
package main

import (
	"bytes"
	"context"
	"errors"
	"log"
	"net"
	"os"
	"os/signal"
	"strings"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/server"
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/longpoll"
)

// drop publishes the body of a request for somebody.
func drop(h *hub.Hub) asgi.Handler {
	return asgi.HandlerFunc(func(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		who := strings.TrimPrefix(handlers.Path(scope), "/")
		return handlers.ReadBody(scope, x, 1000, func(body []byte) {
			if _, err := h.PublishOne(hub.Publication{Channel: who, Data: bytes.Clone(body)}); err != nil {
				x.End(err) // the server answers with the status that the error has
				return
			}
			_ = handlers.Text(x, 200, "dropped\n") // fails if the client has gone
		})
	})
}

// run serves on addr until ctx is done, and says where as soon as it is known.
func run(ctx context.Context, addr string, ready func(net.Addr)) (err error) {
	h, err := hub.New(hub.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	// Everybody may read everything; a real program looks at the scope or a token.
	polls, err := longpoll.New(longpoll.Config{Hub: h, Authenticate: hub.Anyone(hub.Grants{Subscribe: []string{"*"}})})
	if err != nil {
		return err
	}
	mux := new(handlers.Mux)
	mux.HTTP("GET /news", polls)
	mux.HTTP("POST /for/*", drop(h))

	// A client that gives up may only end its half of the connection.
	srv, err := server.New(server.Config{Handler: mux, HalfClose: server.HalfCloseDisconnects})
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
	err := run(ctx, "127.0.0.1:8080", func(addr net.Addr) {
		log.Printf("try curl 'http://%s/news?ch=ada&wait=0'", addr)
	})
	if err != nil {
		log.Fatal(err)
	}
}
