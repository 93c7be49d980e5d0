package main

import (
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/api"
	hubclient "github.com/gale-server/gale/handlers/hub/client"
	"github.com/gale-server/gale/handlers/hub/socket"
	"github.com/gale-server/gale/handlers/longpoll"
	"github.com/gale-server/gale/handlers/sse"
)

// build makes the hub, and adds to mux what is served of it.
func (s *hubSetup) build(mux *handlers.Mux) (*hub.Hub, error) {
	h, err := hub.New(s.config)
	if err != nil {
		return nil, usagef("%w", err)
	}
	if err := s.add(mux, h); err != nil {
		_ = h.Close() // the reason to leave is known
		return nil, usagef("%w", err)
	}
	return h, nil
}

func (s *hubSetup) add(mux *handlers.Mux, h *hub.Hub) error {
	mux.HTTP("/healthz", handlers.NewFixed(200, "ok\n"))
	if s.metrics {
		mux.HTTP("GET /metrics", hubMetrics(h))
	}
	sockets, err := socket.New(socket.Config{Hub: h, Authenticate: s.authenticate})
	if err != nil {
		return err
	}
	mux.WebSocket(s.mount+"/ws", sockets)
	streams, err := sse.New(sse.Config{Hub: h, Authenticate: s.authenticate, Cursors: s.cursors, AllowedOrigins: s.origins})
	if err != nil {
		return err
	}
	mux.HTTP(s.mount+"/sse", streams)
	polls, err := longpoll.New(longpoll.Config{Hub: h, Authenticate: s.authenticate, Cursors: s.cursors, AllowedOrigins: s.origins})
	if err != nil {
		return err
	}
	mux.HTTP(s.mount+"/poll", polls)
	files := hubclient.New()
	mux.HTTP("GET "+s.mount+"/client.js", files)
	mux.HTTP("GET "+s.mount+"/client.d.ts", files)
	publish, err := api.NewPublish(api.PublishConfig{Hub: h, Authenticate: s.authenticate, AllowedOrigins: s.origins})
	if err != nil {
		return err
	}
	mux.HTTP(s.mount+"/publish", publish)
	if len(s.keys) > 0 {
		backend, err := api.New(api.Config{Hub: h, Keys: s.keys})
		if err != nil {
			return err
		}
		mux.HTTP(s.mount+"/api/*", backend)
	}
	return nil
}
