package main

import (
	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/api"
	hubclient "github.com/gale-server/gale/handlers/hub/client"
	"github.com/gale-server/gale/handlers/hub/socket"
	"github.com/gale-server/gale/handlers/longpoll"
	"github.com/gale-server/gale/handlers/sse"
)

// build makes the hub, and the handler of all that is served.
func (s *hubSetup) build(m *mounts) (*hub.Hub, asgi.Handler, error) {
	h, err := hub.New(s.config)
	if err != nil {
		return nil, nil, usagef("%w", err)
	}
	handler, err := s.handler(h, m)
	if err != nil {
		_ = h.Close() // the reason to leave is known
		return nil, nil, usagef("%w", err)
	}
	return h, handler, nil
}

func (s *hubSetup) handler(h *hub.Hub, m *mounts) (asgi.Handler, error) {
	mux := new(handlers.Mux)
	mux.HTTP("/healthz", handlers.NewFixed(200, "ok\n"))
	m.add(mux, s.mounts)
	if s.metrics {
		mux.HTTP("GET /metrics", hubMetrics(h))
	}
	sockets, err := socket.New(socket.Config{Hub: h, Authenticate: s.authenticate})
	if err != nil {
		return nil, err
	}
	mux.WebSocket(s.mount+"/ws", sockets)
	streams, err := sse.New(sse.Config{Hub: h, Authenticate: s.authenticate, Cursors: s.cursors, AllowedOrigins: s.origins})
	if err != nil {
		return nil, err
	}
	mux.HTTP(s.mount+"/sse", streams)
	polls, err := longpoll.New(longpoll.Config{Hub: h, Authenticate: s.authenticate, Cursors: s.cursors, AllowedOrigins: s.origins})
	if err != nil {
		return nil, err
	}
	mux.HTTP(s.mount+"/poll", polls)
	files := hubclient.New()
	mux.HTTP("GET "+s.mount+"/client.js", files)
	mux.HTTP("GET "+s.mount+"/client.d.ts", files)
	publish, err := api.NewPublish(api.PublishConfig{Hub: h, Authenticate: s.authenticate, AllowedOrigins: s.origins})
	if err != nil {
		return nil, err
	}
	mux.HTTP(s.mount+"/publish", publish)
	if len(s.keys) > 0 {
		backend, err := api.New(api.Config{Hub: h, Keys: s.keys})
		if err != nil {
			return nil, err
		}
		mux.HTTP(s.mount+"/api/*", backend)
	}
	return mux, nil
}
