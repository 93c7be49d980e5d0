package sse

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/hub"
)

// request is what a client asks for.
type request struct {
	channels []string
	after    []*hub.Position // where to go on in each channel; nil: from now on, or the last ones
	last     []int           // how many messages of the history of each, where nothing says where to go on
}

func badRequest(text string) *hub.Error { return &hub.Error{Code: hub.BadRequest, Text: text} }

// maxLast is more than a hub gives at once.
const maxLast = 1 << 20

// parse reads a request of somebody.
func (h *Handler) parse(scope *asgi.Scope, user string, now time.Time) (*request, error) {
	values, err := url.ParseQuery(scope.QueryString)
	if err != nil {
		return nil, badRequest("the query is malformed")
	}
	r := &request{}
	if err := r.parseChannels(values["ch"], h.config.Hub.Config().MaxSubscriptions); err != nil {
		return nil, err
	}
	r.last = make([]int, len(r.channels))
	if values.Has("last") {
		if err := r.parseLast(values.Get("last")); err != nil {
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
		return r, r.parseAfter(values.Get("after"))
	}
	return r, nil
}

// parseChannels takes the parameters ch.
func (r *request) parseChannels(lists []string, most int) error {
	for _, list := range lists {
		for name := range strings.SplitSeq(list, ",") {
			prefix, wide := strings.CutSuffix(name, "*")
			switch {
			case !hub.ValidChannel(prefix) && !(wide && prefix == ""):
				return &hub.Error{Code: hub.BadChannel, Text: "ch names something that is no channel"}
			case len(r.channels) == most:
				return &hub.Error{Code: hub.BadRequest, Text: "a stream has at most " + strconv.Itoa(most) + " channels"}
			case slices.Contains(r.channels, name):
				return badRequest("ch names a channel twice")
			}
			r.channels = append(r.channels, name)
		}
	}
	if r.channels == nil {
		return badRequest("ch names no channel")
	}
	return nil
}

// parseLast takes a number of messages for all channels, or one for each in the
// order of ch.
func (r *request) parseLast(list string) error {
	numbers := strings.Split(list, ",")
	if len(numbers) != 1 && len(numbers) != len(r.channels) {
		return badRequest("last has not one number for each channel")
	}
	for i := range r.last {
		n, err := strconv.Atoi(numbers[min(i, len(numbers)-1)])
		if err != nil || n < 0 || n > maxLast {
			return badRequest("last is no number of messages")
		}
		r.last[i] = n
	}
	return nil
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

// parseAfter takes the places of the channels, "epoch:offset" for each in the
// order of ch, or nothing.
func (r *request) parseAfter(list string) error {
	places := strings.Split(list, ",")
	if len(places) != len(r.channels) {
		return badRequest("after has not one place for each channel")
	}
	for i, place := range places {
		if place == "" {
			continue
		}
		colon := strings.LastIndexByte(place, ':')
		offset, err := strconv.ParseUint(place[colon+1:], 10, 64)
		if colon < 0 || err != nil {
			return badRequest("after is not epoch:offset")
		}
		r.after[i] = &hub.Position{Epoch: place[:colon], Offset: offset}
	}
	return nil
}
