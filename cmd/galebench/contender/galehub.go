package contender

import (
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/server"
	"github.com/gale-server/gale/eventloop"
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/socket"
	"github.com/gale-server/gale/handlers/longpoll"
	"github.com/gale-server/gale/handlers/sse"
)

// startGaleHub serves a hub over all its transports, with its standard history and
// limits, but for that of how much a single client may publish.
func startGaleHub(cfg Config) (net.Addr, error) {
	h, err := hub.New(hub.Config{PublishRate: -1}) // closed with the process
	if err != nil {
		return nil, err
	}
	anyone := hub.Anyone(hub.Everything)
	sockets, err := socket.New(socket.Config{Hub: h, Authenticate: anyone})
	if err != nil {
		return nil, err
	}
	streams, err := sse.New(sse.Config{Hub: h, Authenticate: anyone})
	if err != nil {
		return nil, err
	}
	polls, err := longpoll.New(longpoll.Config{Hub: h, Authenticate: anyone})
	if err != nil {
		return nil, err
	}
	var mux handlers.Mux
	mux.WebSocket("/hub/ws", sockets)
	mux.HTTP("GET /hub/sse", streams)
	mux.HTTP("GET /hub/poll", polls)
	mux.HTTP("POST /pub", publishTo(h))
	srv, err := server.New(server.Config{
		Handler: &mux,
		Logger:  slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
		Name:    ServerName,
		Loop:    eventloop.Config{Loops: cfg.Loops},
	})
	if err != nil {
		return nil, err
	}
	return run(srv)
}

// maxPost is far above what is posted.
const maxPost = 64 << 10

// publishTo publishes what is posted, as nchan's publisher locations do.
func publishTo(h *hub.Hub) asgi.Handler {
	return asgi.HandlerFunc(func(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		room, _ := strings.CutPrefix(scope.QueryString, "id=")
		return handlers.ReadBody(scope, x, maxPost, func(body []byte) {
			p := hub.Publication{Channel: room, Data: append([]byte(nil), body...)}
			h.Publish([]hub.Publication{p}, func(r []hub.Result) { // at once: the hub is in this process
				status := http.StatusCreated
				if r[0].Err != nil {
					status = http.StatusInternalServerError
				}
				_ = handlers.Respond(x, status, nil)
			})
		})
	})
}
