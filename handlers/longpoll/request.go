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
	tagged   bool            // a cursor came as If-None-Match: 304 if nothing is new
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
	h.parseMatch(scope, &r)
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

// maxTags bounds the tags of a request that are looked at.
const maxTags = 8

// parseMatch takes If-None-Match
// (https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2): of its tags the first that is a
// cursor for the channels of the request. Others, and "*", are nobody's, and as good
// as none; so is a field that is malformed.
func (h *Handler) parseMatch(scope *asgi.Scope, r *request) {
	tries := maxTags
	for i := range scope.Headers {
		if scope.Headers[i].Name != "if-none-match" {
			continue
		}
		for rest := scope.Headers[i].Value; rest != "" && tries > 0; tries-- {
			var tag string
			tag, rest = nextTag(rest)
			if cursor := h.cursorIn(tag, r.channels); cursor != "" {
				r.tagged = true
				if r.cursor == "" { // the address beats the field
					r.cursor = cursor
				}
				return
			}
		}
	}
}

// nextTag returns what is within the quotes of the first tag of a list, weak or not,
// and what follows the tag.
func nextTag(list string) (tag, rest string) {
	_, list, _ = strings.Cut(list, `"`)
	tag, rest, _ = strings.Cut(list, `"`)
	return tag, rest
}

// marks are what intermediaries that compress write behind a tag: Apache and Jetty,
// and others.
var marks = []string{"", "-gzip", "--gzip", ";gzip", "-br", ";br", "-zstd", ";zstd", "-deflate", ";deflate"}

// cursorIn returns the cursor that a tag is, "" for none. One that has expired still
// says where to go on.
func (h *Handler) cursorIn(tag string, channels []string) string {
	for _, mark := range marks {
		cursor, marked := strings.CutSuffix(tag, mark)
		if !marked || cursor == "" {
			continue
		}
		if _, err := h.config.Cursors.Bearer(cursor, channels, h.now()); err == nil || codeOf(err) == hub.TokenExpired {
			return cursor
		}
	}
	return ""
}
