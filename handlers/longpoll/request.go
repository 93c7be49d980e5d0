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
	cursor   string // "" for none
	tagged   bool   // the cursor came as If-None-Match: 304 if nothing is new
	last     int
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
	for _, number := range []struct {
		name string
		to   *int
		from int
	}{
		{"last", &r.last, 0},
		{"limit", &r.limit, 1},
	} {
		if !query.Has(number.name) {
			continue
		}
		n, ok := prefer.Seconds(query.Get(number.name))
		if !ok || int64(n/time.Second) < int64(number.from) {
			return nil, badRequest(number.name + " is no number of messages")
		}
		*number.to = int(min(n/time.Second, 1<<30))
	}
	r.limit = min(r.limit, h.config.MaxMessages)
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
