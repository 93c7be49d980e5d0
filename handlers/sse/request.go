package sse

import (
	"net/url"
	"strings"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/internal/follow"
)

// request is what a client asks for.
type request struct {
	channels []string
	after    []*hub.Position // where to go on in each channel; nil: from now on, or the last ones
	last     []int           // how many messages of the history of each, where nothing says where to go on
}

// parse reads a request of somebody.
func (h *Handler) parse(scope *asgi.Scope, user string, now time.Time) (*request, error) {
	values, err := url.ParseQuery(scope.QueryString)
	if err != nil {
		return nil, follow.BadRequest("the query is malformed")
	}
	r := &request{}
	r.channels, err = follow.Channels(values["ch"], valid, h.config.Hub.Config().MaxSubscriptions)
	if err != nil {
		return nil, err
	}
	r.last = make([]int, len(r.channels))
	if values.Has("last") {
		if r.last, err = follow.Last(values.Get("last"), len(r.channels)); err != nil {
			return nil, err
		}
	}
	r.after = make([]*hub.Position, len(r.channels))
	switch id, token := LastEventID(scope), values.Get("cursor"); {
	case id != "":
		r.resume(h, id, user, now)
	case token != "":
		c, err := h.config.Cursors.Open(token, r.channels, user, now)
		if err != nil && !expired(err) {
			return nil, err
		}
		r.goOn(c.Places)
	case values.Has("after"):
		if r.after, err = follow.After(values.Get("after"), len(r.channels)); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// valid reports whether a stream may name a channel, or a pattern, so.
func valid(name string) bool {
	prefix, wide := strings.CutSuffix(name, "*")
	return hub.ValidChannel(prefix) || wide && prefix == ""
}

// nowhere is a place in no epoch: who goes on from there has missed nobody knows
// how much.
var nowhere = hub.Position{Epoch: "?"}

// resume takes the ID of the last event that the client has seen. A browser sends
// it by itself, and would never come back after an error: one that is not ours, or
// of an earlier process, is a place that nobody knows.
func (r *request) resume(h *Handler, id, user string, now time.Time) {
	if c, err := h.config.Cursors.Open(id, r.channels, user, now); err == nil || expired(err) {
		r.goOn(c.Places)
		return
	}
	for i := range r.after {
		r.after[i] = &nowhere
	}
}

func (r *request) goOn(places []hub.Position) {
	for i := range places {
		r.after[i] = &places[i]
	}
}

// expired reports whether a cursor is good but for its age. It says where to go
// on all the same: who may read is known from elsewhere.
func expired(err error) bool {
	e, ok := err.(*hub.Error)
	return ok && e.Code == hub.TokenExpired
}
