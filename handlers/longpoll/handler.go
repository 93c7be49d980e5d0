package longpoll

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/cors"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/cursor"
)

// Handler answers polls.
//
// Safe for concurrent use.
type Handler struct {
	config   Config
	origins  *cors.Origins
	now      func() time.Time
	most     int // channels of a poll
	sessions sessions
	pace     pace
	stats    stats
}

var _ asgi.Handler = (*Handler)(nil)

// New returns a Handler, or an error when the config makes no sense.
func New(config Config) (*Handler, error) {
	c, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	settings := c.Hub.Config()
	origins, err := cors.New(c.AllowedOrigins)
	if err != nil {
		return nil, fmt.Errorf("longpoll: Config.AllowedOrigins: %w", err)
	}
	return &Handler{
		config:  c,
		origins: origins,
		now:     settings.Now,
		most:    settings.MaxSubscriptions,
		pace:    newPace(c.PollRate, c.PollBurst, settings.MaxRates),
	}, nil
}

// Open answers a request, or parks it.
func (h *Handler) Open(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
	if scope.Type != asgi.ScopeHTTP {
		x.End(asgi.ErrUnsupportedScope)
		return nil
	}
	if h.origins.Preflight(scope, x, http.MethodGet) {
		return nil
	}
	// A browser keeps the answer from pages whose origin is not allowed.
	more, _ := h.origins.Check(scope)
	switch scope.Method {
	case http.MethodGet, http.MethodHead:
		return h.open(scope, x, more)
	case http.MethodOptions:
		_ = handlers.Respond(x, http.StatusNoContent, nil, append(more, asgi.Header{Name: "allow", Value: allowed}, noStore)...)
	default:
		body := refusal{Code: hub.BadRequest, Text: "a poll is asked for with GET"}
		more = append(more, asgi.Header{Name: "allow", Value: allowed}, jsonType, noStore)
		_ = handlers.Respond(x, http.StatusMethodNotAllowed, encode(&body), more...)
	}
	return nil
}

const allowed = "GET, HEAD, OPTIONS"

// open begins a poll.
func (h *Handler) open(scope *asgi.Scope, x asgi.Exchange, more []asgi.Header) asgi.Receiver {
	p := &poll{h: h, x: x, began: h.now().UnixNano(), more: more}
	r, err := h.parse(scope)
	if err != nil {
		p.fail(err)
		return nil
	}
	who, places, err := h.admit(scope, &r)
	if err != nil {
		p.fail(err)
		return nil
	}
	p.take(&r, &who)
	if err = h.sessions.enter(p, who); err != nil {
		p.fail(err)
		return nil
	}
	p.subscribe(&r, places)
	if p.over {
		return nil
	}
	return p
}

// admit says who polls, until when that holds, and from which places on; nil if
// the request has no cursor.
func (h *Handler) admit(scope *asgi.Scope, r *request) (who hub.Identity, places []hub.Position, err error) {
	var was cursor.Cursor
	var expired error
	if r.cursor != "" {
		was, err = h.config.Cursors.Bearer(r.cursor, r.channels, h.now())
		if err == nil && !was.Expires.IsZero() {
			who = hub.Identity{
				User:    was.User,
				Expires: was.Expires,
				Grants:  hub.Grants{Subscribe: r.channels},
				Proven:  was.Proven,
			}
			if who.Proven.IsZero() {
				who.Proven = time.Unix(0, 0) // nobody knows, and so before everything
			}
			if err = h.stands(&who, r.channels); err == nil {
				return who, was.Places, nil
			}
		}
		if err != nil && codeOf(err) == hub.BadCursor {
			return who, nil, err
		}
		expired = err
	}
	who, err = h.config.Hub.Admit(h.config.Authenticate, scope, hub.TokenOf(scope))
	switch {
	case err != nil && expired != nil && hub.AsError(err).HTTPStatus() == http.StatusUnauthorized:
		return who, nil, expired // and so it needs what it has not got
	case err != nil:
		return who, nil, err
	case r.cursor != "" && was.User != who.User:
		return who, nil, &hub.Error{Code: hub.BadCursor, Text: "the cursor is of another user"}
	}
	if until := h.now().Add(h.config.ProofAge); who.Expires.IsZero() || who.Expires.After(until) {
		who.Expires = until
	}
	return who, was.Places, nil
}

// stands returns why the proof that a cursor stands for does not count any more, for
// its user or for one of the channels; then the client must prove anew who it is.
func (h *Handler) stands(who *hub.Identity, channels []string) error {
	if err := h.config.Hub.Good(who); err != nil {
		return err
	}
	for _, channel := range channels {
		if err := h.config.Hub.Allow(who, hub.Subscribe, channel); err != nil {
			return err
		}
	}
	return nil
}

func codeOf(err error) hub.ErrorCode {
	var e *hub.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// refusal is an error as clients see it.
type refusal struct {
	Channel string        `json:"channel,omitempty"` // that it is about, if it is about one
	Code    hub.ErrorCode `json:"code"`
	Text    string        `json:"text"`
	RetryMS int64         `json:"retry_ms,omitempty"`
	Gaps    []gapJSON     `json:"gaps,omitempty"`   // of "gone"
	Cursor  string        `json:"cursor,omitempty"` // of "gone"
}

func (h *Handler) refuse(x asgi.Exchange, more []asgi.Header, channel string, e *hub.Error) {
	h.stats.refused.Add(1)
	headers := append(append(e.HTTPHeaders(), jsonType, noStore, noBuffer), more...)
	status := e.HTTPStatus()
	if status == http.StatusUnauthorized { // https://www.rfc-editor.org/rfc/rfc9110#section-15.5.2
		headers = append(headers, asgi.Header{Name: "www-authenticate", Value: "Bearer"})
	}
	body := refusal{Channel: channel, Code: e.Code, Text: e.Text, RetryMS: e.RetryAfter.Milliseconds()}
	_ = handlers.Respond(x, status, encode(&body), headers...)
}

var (
	jsonType = asgi.Header{Name: "content-type", Value: "application/json"}
	noStore  = asgi.Header{Name: "cache-control", Value: "no-store"}
	noBuffer = asgi.Header{Name: "x-accel-buffering", Value: "no"} // nginx would hold answers back
)

// encode marshals one of the package's own structs, which cannot fail.
func encode(v any) []byte {
	p, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return append(p, '\n')
}

// Stats are figures of now, and counts since the start. Every poll is counted
// once, when it is over.
type Stats struct {
	Parked int // polls that wait

	Data       uint64 // answered with messages or gaps
	Timeout    uint64 // answered with nothing, 304s among them
	Superseded uint64 // by a newer poll of the session
	Draining   uint64 // because the server or the hub stops
	Gone       uint64 // 410s to strict polls
	Refused    uint64 // answered with an error
	Left       uint64 // whose client went away before the answer

	Woken    uint64        // of these, those that had waited when something came
	Paced    uint64        // that came too soon
	Messages uint64        // in answers
	Gaps     uint64        // in answers, 410s among them
	Waited   time.Duration // that all polls were parked, together
}

type stats struct {
	parked                                                                                 atomic.Int64
	data, timeout, superseded, draining, gone, refused, left, woken, paced, messages, gaps atomic.Uint64
	waited                                                                                 atomic.Int64
}

// Stats returns the figures.
func (h *Handler) Stats() Stats {
	s := &h.stats
	return Stats{
		Parked:     int(s.parked.Load()),
		Data:       s.data.Load(),
		Timeout:    s.timeout.Load(),
		Superseded: s.superseded.Load(),
		Draining:   s.draining.Load(),
		Gone:       s.gone.Load(),
		Refused:    s.refused.Load(),
		Left:       s.left.Load(),
		Woken:      s.woken.Load(),
		Paced:      s.paced.Load(),
		Messages:   s.messages.Load(),
		Gaps:       s.gaps.Load(),
		Waited:     time.Duration(s.waited.Load()),
	}
}
