package main

import (
	"crypto/rand"
	"log/slog"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

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

// rooms are the channels of the demo's hub.
const rooms = "room:*"

// The limits of who a visitor says to be.
const (
	maxVisitorBytes = 32 // of the id
	maxNameRunes    = 24 // fits a line on a phone
)

// demoHub is the part of the demo that the chat runs on: a hub with all its
// transports.
type demoHub struct{ hub *hub.Hub }

func newDemoHub(logger *slog.Logger) (*demoHub, error) {
	h, err := hub.New(hub.Config{
		Channels: map[string]hub.Options{"": {
			Presence:       true,
			HistoryBytes:   256 << 10,
			HistoryAge:     time.Hour, // what a chat looks like to who comes in
			MaxSubscribers: 500,       // each message goes to all of them, and so does each arrival
		}},
		MaxChannels:     200, // names are the visitors' to choose, and each may hold a full history
		MaxPublishBytes: 16 << 10,
		PublishBurst:    100,
		Logger:          logger,
	})
	if err != nil {
		return nil, err
	}
	return &demoHub{h}, nil
}

// visitor lets everybody in as who they say they are: the token is an id, a dot
// and a name in percent-encoding, for fields of requests are ASCII. The user is the
// same without the encoding.
func visitor(_ *asgi.Scope, token string) (hub.Identity, error) {
	id, encoded, _ := strings.Cut(token, ".")
	name, err := url.PathUnescape(encoded)
	if err != nil || id == "" || len(id) > maxVisitorBytes || !validName(name) {
		return hub.Identity{}, &hub.Error{Code: hub.BadToken, Text: "nobody is called that here"}
	}
	all := []string{rooms}
	return hub.Identity{User: id + "." + name, Grants: hub.Grants{Subscribe: all, Publish: all, Presence: all}}, nil
}

// validName reports whether people may read a name.
func validName(name string) bool {
	return name != "" && strings.TrimSpace(name) == name && utf8.ValidString(name) &&
		utf8.RuneCountInString(name) <= maxNameRunes && !strings.ContainsFunc(name, unicode.IsControl)
}

// mount adds the routes of all transports.
func (d *demoHub) mount(mux *handlers.Mux) error {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	cursors, err := cursor.New(secret)
	if err != nil {
		return err
	}
	sockets, err := socket.New(socket.Config{Hub: d.hub, Authenticate: visitor})
	if err != nil {
		return err
	}
	streams, err := sse.New(sse.Config{Hub: d.hub, Authenticate: visitor, Cursors: cursors})
	if err != nil {
		return err
	}
	polls, err := longpoll.New(longpoll.Config{Hub: d.hub, Authenticate: visitor, Cursors: cursors})
	if err != nil {
		return err
	}
	publish, err := api.NewPublish(api.PublishConfig{Hub: d.hub, Authenticate: visitor})
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
