package main

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/asgi/server"
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/api"
	hubclient "github.com/gale-server/gale/handlers/hub/client"
	"github.com/gale-server/gale/handlers/hub/cursor"
	"github.com/gale-server/gale/handlers/hub/socket"
	"github.com/gale-server/gale/handlers/longpoll"
	"github.com/gale-server/gale/handlers/sse"
)

// TestBrowserHub has the packaged client, and an EventSource, follow a hub in
// Chromium; .ci/browser/hub.mjs says what must be seen.
func TestBrowserHub(t *testing.T) {
	run := browserScript(t)
	asgitest.CheckLeaks(t)
	site := newHubSite(t)
	site.start("127.0.0.1:0")
	defer func() { site.stop() }()
	run(t, "hub.mjs", "http://"+site.addr, func(line string) string {
		switch words := strings.Fields(line); words[0] {
		case "publish":
			for _, number := range words[2:] {
				if _, err := site.hub.PublishOne(hub.Publication{Channel: words[1], Data: []byte(number)}); err != nil {
					t.Error(err)
				}
			}
		case "refuse":
			site.refused.Store(words[1:])
		case "restart":
			site.stop()
			site.start(site.addr)
		default:
			t.Errorf("the script said %q", line)
			return ""
		}
		return "done"
	})
}

// hubSite is a server with a page that may do nothing but what the client needs,
// and all transports of a hub.
type hubSite struct {
	t       *testing.T
	cursors *cursor.Signer // lasts longer than a server
	refused atomic.Value   // []string: the last parts of paths
	hub     *hub.Hub
	addr    string
	stop    func()
}

func newHubSite(t *testing.T) *hubSite {
	cursors, err := cursor.New([]byte("the secret of a browser's test"))
	if err != nil {
		t.Fatal(err)
	}
	s := &hubSite{t: t, cursors: cursors}
	s.refused.Store([]string{})
	return s
}

// start starts a server with a hub that knows nothing of one before.
func (s *hubSite) start(addr string) {
	s.t.Helper()
	check := func(err error) {
		if err != nil {
			s.t.Fatal(err)
		}
	}
	var err error
	s.hub, err = hub.New(hub.Config{Allow: func(_ *hub.Identity, _ hub.Action, channel string) error {
		if channel == "secret" {
			return &hub.Error{Code: hub.NotAllowed, Text: "it is secret"}
		}
		return nil
	}})
	check(err)
	anyone := hub.Anyone(hub.Everything)
	sockets, err := socket.New(socket.Config{Hub: s.hub, Authenticate: anyone})
	check(err)
	streams, err := sse.New(sse.Config{Hub: s.hub, Authenticate: anyone, Cursors: s.cursors, Retry: 300 * time.Millisecond})
	check(err)
	polls, err := longpoll.New(longpoll.Config{Hub: s.hub, Authenticate: anyone, Cursors: s.cursors, PollRate: -1})
	check(err)
	publish, err := api.NewPublish(api.PublishConfig{Hub: s.hub, Authenticate: anyone})
	check(err)
	page := asgi.HandlerFunc(func(_ *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		_ = handlers.Respond(x, http.StatusOK, []byte(`<!doctype html><title>hub</title><link rel="icon" href="data:,">`),
			asgi.Header{Name: "content-type", Value: "text/html"},
			asgi.Header{Name: "content-security-policy", Value: "default-src 'none'; img-src data:; script-src 'self'; connect-src 'self'"})
		return nil
	})

	var mux handlers.Mux
	mux.HTTP("/", page)
	mux.WebSocket("/hub/ws", sockets)
	mux.HTTP("/hub/sse", streams)
	mux.HTTP("/hub/poll", polls)
	mux.HTTP("/hub/publish", publish)
	mux.HTTP("/hub/client.js", hubclient.New())
	srv, err := server.New(server.Config{
		Handler:      s.refusing(&mux),
		HalfClose:    server.HalfCloseDisconnects,
		Logger:       slog.New(slog.NewTextHandler(s.t.Output(), nil)),
		DrainTimeout: time.Second,
	})
	check(err)
	bound, err := srv.Listen("tcp", addr)
	check(err)
	s.addr = bound.String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx) }() // ends with stop
	s.stop = func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Error(err)
		}
		if err := s.hub.Close(); err != nil {
			s.t.Error(err)
		}
	}
}

// refusing answers what is to be refused as a proxy does that knows nothing of it.
func (s *hubSite) refusing(h asgi.Handler) asgi.Handler {
	return asgi.HandlerFunc(func(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		for _, name := range s.refused.Load().([]string) {
			if strings.HasSuffix(scope.Path, "/"+name) {
				if scope.Type == asgi.ScopeWebSocket {
					return handlers.Refuse(scope, x, http.StatusBadGateway, "no\n")
				}
				_ = handlers.Text(x, http.StatusBadGateway, "no\n")
				return nil
			}
		}
		return h.Open(scope, x)
	})
}
