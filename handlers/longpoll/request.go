package longpoll

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/internal/prefer"
)

// request is what a poll asks for.
type request struct {
	channels []string
	cursor   string          // "" for none
	tagged   bool            // the cursor came as If-None-Match: 304 if nothing is new
	after    []*hub.Position // without a cursor: of the channels, nil from now on; nil if there is none
	last     []int           // how many messages of the history of each channel, where nothing says where to go on
	limit    int
	wait     time.Duration // whole seconds
	prefers  bool          // the client has a Prefer for the wait
	sid      string
	strict   bool
}

// maxSID bounds the name a client gives itself: a UUID, twice.
const maxSID = 64

// parse reads a request, of which everything is checked that the hub does not
// check.
func (h *Handler) parse(scope *asgi.Scope) (*request, error) {
	query, err := url.ParseQuery(scope.QueryString)
	if err != nil {
		return nil, badRequest("the query is malformed")
	}
	r := &request{
		cursor: query.Get("cursor"),
		limit:  h.config.MaxMessages,
		wait:   h.config.Wait,
		sid:    query.Get("sid"),
	}
	if err := r.parseChannels(query["ch"], h.config.Hub.Config().MaxSubscriptions); err != nil {
		return nil, err
	}
	r.parseMatch(scope)
	if query.Has("after") {
		if err := r.parseAfter(query.Get("after")); err != nil {
			return nil, err
		}
	}
	r.last = make([]int, len(r.channels))
	if query.Has("last") {
		if err := r.parseLast(query.Get("last")); err != nil {
			return nil, err
		}
	}
	if query.Has("limit") {
		n, ok := number(query.Get("limit"))
		if !ok || n == 0 {
			return nil, badRequest("limit is no number of messages")
		}
		r.limit = min(n, r.limit)
	}
	if prefs := prefer.Of(scope); prefs.HasWait {
		r.wait, r.prefers = prefs.Wait, true
	}
	if query.Has("wait") { // the address beats the preference
		wait, ok := prefer.Seconds(query.Get("wait"))
		if !ok {
			return nil, badRequest("wait is no number of seconds")
		}
		r.wait = wait
	}
	r.wait = min(r.wait, h.config.MaxWait)
	if scope.Method == "HEAD" { // it would wait for what it does not get
		r.wait = 0
	}
	if len(r.sid) > maxSID {
		return nil, badRequest("sid has more than " + strconv.Itoa(maxSID) + " bytes")
	}
	switch query.Get("strict") {
	case "", "0":
	case "1":
		r.strict = true
	default:
		return nil, badRequest("strict is 0 or 1")
	}
	return r, nil
}

// parseChannels takes the parameters ch.
func (r *request) parseChannels(lists []string, most int) error {
	for _, list := range lists {
		for name := range strings.SplitSeq(list, ",") {
			switch {
			case !hub.ValidChannel(name):
				return &hub.Error{Code: hub.BadChannel, Text: "ch names something that is no channel"}
			case len(r.channels) == most:
				return &hub.Error{Code: hub.TooMany, Text: "a poll has at most " + strconv.Itoa(most) + " channels"}
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

// parseAfter takes the places of the channels, "epoch:offset" for each in the order
// of ch, or nothing.
func (r *request) parseAfter(list string) error {
	places := strings.Split(list, ",")
	if len(places) != len(r.channels) {
		return badRequest("after has not one place for each channel")
	}
	r.after = make([]*hub.Position, len(places))
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

// parseLast takes a number of messages for all channels, or one for each in the
// order of ch.
func (r *request) parseLast(list string) error {
	numbers := strings.Split(list, ",")
	if len(numbers) != 1 && len(numbers) != len(r.channels) {
		return badRequest("last has not one number for each channel")
	}
	for i := range r.last {
		n, ok := number(numbers[min(i, len(numbers)-1)])
		if !ok {
			return badRequest("last is no number of messages")
		}
		r.last[i] = n
	}
	return nil
}

// number parses a number of messages; one that is too large is as good as many.
func number(s string) (int, bool) {
	d, ok := prefer.Seconds(s) // digits, whatever they count
	return int(min(d/time.Second, 1<<20)), ok
}

// parseMatch takes If-None-Match
// (https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2). "*" is no cursor of
// anybody's, and of several tags the first is as good as any: none but ours has
// one.
func (r *request) parseMatch(scope *asgi.Scope) {
	match, ok := scope.Header("if-none-match")
	if !ok {
		return
	}
	first, _, _ := strings.Cut(match, ",")
	first = strings.TrimPrefix(strings.TrimSpace(first), "W/")
	first = strings.TrimPrefix(strings.TrimSuffix(first, `"`), `"`)
	if first == "" || first == "*" {
		return
	}
	r.tagged = true
	if r.cursor == "" { // the address beats the field
		r.cursor = first
	}
}

func badRequest(text string) *hub.Error { return &hub.Error{Code: hub.BadRequest, Text: text} }
