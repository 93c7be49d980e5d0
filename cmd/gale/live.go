package main

import (
	"crypto/rand"
	"log/slog"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/api"
	hubclient "github.com/gale-server/gale/handlers/hub/client"
	"github.com/gale-server/gale/handlers/hub/cursor"
	"github.com/gale-server/gale/handlers/hub/socket"
	"github.com/gale-server/gale/handlers/longpoll"
	"github.com/gale-server/gale/handlers/sse"
)

// liveChannels are those of the demo's hub.
const liveChannels = "demo:*"

// maxLiveName bounds a visitor's name, in bytes.
const maxLiveName = 64

// live is the part of the demo that is a hub with all its transports.
type live struct{ hub *hub.Hub }

func newLive(logger *slog.Logger) (*live, error) {
	h, err := hub.New(hub.Config{
		Channels:     map[string]hub.Options{"": {Presence: true}},
		MaxChannels:  1_000, // names are the visitors' to choose
		PublishBurst: 100,
		Logger:       logger,
	})
	if err != nil {
		return nil, err
	}
	return &live{h}, nil
}

// visitor lets everybody in under the name that the token is.
func visitor(_ *asgi.Scope, token string) (hub.Identity, error) {
	if len(token) > maxLiveName {
		return hub.Identity{}, &hub.Error{Code: hub.BadToken, Text: "such a name is too long"}
	}
	all := []string{liveChannels}
	return hub.Identity{User: token, Grants: hub.Grants{Subscribe: all, Publish: all, Presence: all}}, nil
}

// mount adds the routes of all transports.
func (l *live) mount(mux *handlers.Mux) error {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	cursors, err := cursor.New(secret)
	if err != nil {
		return err
	}
	sockets, err := socket.New(socket.Config{Hub: l.hub, Authenticate: visitor})
	if err != nil {
		return err
	}
	streams, err := sse.New(sse.Config{Hub: l.hub, Authenticate: visitor, Cursors: cursors})
	if err != nil {
		return err
	}
	polls, err := longpoll.New(longpoll.Config{Hub: l.hub, Authenticate: visitor, Cursors: cursors})
	if err != nil {
		return err
	}
	publish, err := api.NewPublish(api.PublishConfig{Hub: l.hub, Authenticate: visitor})
	if err != nil {
		return err
	}
	mux.WebSocket("/hub/ws", sockets)
	mux.HTTP("/hub/sse", streams)
	mux.HTTP("/hub/poll", polls)
	mux.HTTP("/hub/publish", publish)
	mux.HTTP("GET /hub/client.js", hubclient.New())
	return nil
}
