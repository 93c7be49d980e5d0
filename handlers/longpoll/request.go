package longpoll

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/internal/follow"
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
		return nil, follow.BadRequest("the query is malformed")
	}
	r := &request{
		cursor: query.Get("cursor"),
		limit:  h.config.MaxMessages,
		wait:   h.config.Wait,
		sid:    query.Get("sid"),
	}
	most := h.config.Hub.Config().MaxSubscriptions
	r.channels, err = follow.Channels(query["ch"], hub.ValidChannel, most,
		&hub.Error{Code: hub.TooMany, Text: "a poll has at most " + strconv.Itoa(most) + " channels"})
	if err != nil {
		return nil, err
	}
	r.parseMatch(scope)
	if query.Has("after") {
		if r.after, err = follow.After(query.Get("after"), len(r.channels)); err != nil {
			return nil, err
		}
	}
	r.last = make([]int, len(r.channels))
	if query.Has("last") {
		if r.last, err = follow.Last(query.Get("last"), len(r.channels), number); err != nil {
			return nil, err
		}
	}
	if query.Has("limit") {
		n, ok := number(query.Get("limit"))
		if !ok || n == 0 {
			return nil, follow.BadRequest("limit is no number of messages")
		}
		r.limit = min(n, r.limit)
	}
	if prefs := prefer.Of(scope); prefs.HasWait {
		r.wait, r.prefers = prefs.Wait, true
	}
	if query.Has("wait") { // the address beats the preference
		wait, ok := prefer.Seconds(query.Get("wait"))
		if !ok {
			return nil, follow.BadRequest("wait is no number of seconds")
		}
		r.wait = wait
	}
	r.wait = min(r.wait, h.config.MaxWait)
	if scope.Method == "HEAD" { // it would wait for what it does not get
		r.wait = 0
	}
	if len(r.sid) > maxSID {
		return nil, follow.BadRequest("sid has more than " + strconv.Itoa(maxSID) + " bytes")
	}
	switch query.Get("strict") {
	case "", "0":
	case "1":
		r.strict = true
	default:
		return nil, follow.BadRequest("strict is 0 or 1")
	}
	return r, nil
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
