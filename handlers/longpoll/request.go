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
	last     []int           // how many messages of the history of each channel, where nothing says where to go on; nil for none
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
func (h *Handler) parse(scope *asgi.Scope) (r request, err error) {
	q, ok := split(scope.QueryString)
	if !ok {
		return r, follow.BadRequest("the query is malformed")
	}
	r = request{
		cursor: q.cursor.value,
		limit:  h.config.MaxMessages,
		wait:   h.config.Wait,
		sid:    q.sid.value,
	}
	r.channels, err = follow.Channels(q.channels, hub.ValidChannel, h.most)
	if err != nil {
		return r, err
	}
	r.parseMatch(scope)
	if q.after.given {
		if r.after, err = follow.After(q.after.value, len(r.channels)); err != nil {
			return r, err
		}
	}
	if q.last.given {
		if r.last, err = follow.Last(q.last.value, len(r.channels)); err != nil {
			return r, err
		}
	}
	if q.limit.given {
		n, ok := follow.Number(q.limit.value)
		if !ok || n == 0 {
			return r, follow.BadRequest("limit is no number of messages")
		}
		r.limit = min(n, r.limit)
	}
	if prefs := prefer.Of(scope); prefs.HasWait {
		r.wait, r.prefers = prefs.Wait, true
	}
	if q.wait.given { // the address beats the preference
		wait, ok := prefer.Seconds(q.wait.value)
		if !ok {
			return r, follow.BadRequest("wait is no number of seconds")
		}
		r.wait = wait
	}
	r.wait = min(r.wait, h.config.MaxWait)
	if scope.Method == "HEAD" { // it would wait for what it does not get
		r.wait = 0
	}
	if len(r.sid) > maxSID {
		return r, follow.BadRequest("sid has more than " + strconv.Itoa(maxSID) + " bytes")
	}
	switch q.strict.value {
	case "", "0":
	case "1":
		r.strict = true
	default:
		return r, follow.BadRequest("strict is 0 or 1")
	}
	return r, nil
}

// query are the parameters of a request that mean something. Of those with one name
// the first counts, but for the channels.
type query struct {
	channels                                      []string
	cursor, after, last, limit, wait, sid, strict parameter
}

type parameter struct {
	value string
	given bool
}

// split takes a query apart, as url.ParseQuery does: without a map, as there is a
// query with every message that a poll gets. It reports whether it is well-formed.
func split(s string) (q query, ok bool) {
	for s != "" {
		var pair string
		pair, s, _ = strings.Cut(s, "&")
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil || strings.Contains(pair, ";") {
			return q, false
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return q, false
		}
		if name == "ch" {
			q.channels = append(q.channels, value)
		} else if p := q.named(name); p != nil && !p.given {
			*p = parameter{value, true}
		}
	}
	return q, true
}

// named returns the parameter with a name, or nil.
func (q *query) named(name string) *parameter {
	switch name {
	case "cursor":
		return &q.cursor
	case "after":
		return &q.after
	case "last":
		return &q.last
	case "limit":
		return &q.limit
	case "wait":
		return &q.wait
	case "sid":
		return &q.sid
	case "strict":
		return &q.strict
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
