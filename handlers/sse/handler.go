package sse

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/cors"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/internal/follow"
)

// Handler is the transport of a hub to event streams: it answers each request
// with one, whatever its path.
//
// Safe for concurrent use.
type Handler struct {
	config  Config
	options Options
	origins *cors.Origins
	whole   *hub.Format // a message with its ID, for streams of one channel and nobody in particular
	stats   struct {
		streams                              atomic.Int64
		opened, resumed, turnedAway, refused atomic.Uint64
	}
}

// New returns the transport, or an error when the config makes no sense.
func New(config Config) (*Handler, error) {
	c, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	origins, err := cors.New(c.AllowedOrigins)
	if err != nil {
		return nil, fmt.Errorf("sse: Config.AllowedOrigins: %w", err)
	}
	h := &Handler{
		config:  c,
		origins: origins,
		options: Options{Heartbeat: c.Heartbeat, MaxAge: c.MaxAge, Retry: c.Retry},
	}
	h.whole = hub.NewFormat(h.encodeWhole)
	return h, nil
}

// Stats are figures of now, and counts since the start.
type Stats struct {
	Streams    int    // that are open
	Opened     uint64 // that were ever
	Resumed    uint64 // of these, those that went on from a place
	TurnedAway uint64 // requests that were asked to come back later
	Refused    uint64 // requests that were answered with an error
}

// Stats returns the figures.
func (h *Handler) Stats() Stats {
	s := &h.stats
	return Stats{
		Streams:    int(s.streams.Load()),
		Opened:     s.opened.Load(),
		Resumed:    s.resumed.Load(),
		TurnedAway: s.turnedAway.Load(),
		Refused:    s.refused.Load(),
	}
}

// Open answers a request.
func (h *Handler) Open(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
	if scope.Type != asgi.ScopeHTTP {
		x.End(asgi.ErrUnsupportedScope)
		return nil
	}
	if h.origins.Preflight(scope, x, "GET") {
		return nil
	}
	o := &h.options
	// A browser keeps the stream from pages whose origin is not allowed.
	if more, _ := h.origins.Check(scope); more != nil {
		own := h.options
		own.Headers = more
		o = &own
	}
	if scope.Method != http.MethodGet && scope.Method != http.MethodHead {
		allow := asgi.Header{Name: "allow", Value: "GET, HEAD"}
		refuse(x, http.StatusMethodNotAllowed, "", follow.BadRequest("a stream is asked for with GET"), append(slices.Clip(o.Headers), allow))
		return nil
	}
	if finished(scope, x, o) {
		return nil
	}
	who, r, err := h.admit(scope)
	if err != nil {
		h.reject(x, o, err)
		return nil
	}
	if headOnly(scope, x, o) {
		return nil
	}
	t := &subscriber{h: h, channels: r.channels, places: make([]hub.Position, len(r.channels))}
	t.client, err = h.config.Hub.Connect(x, who, t)
	if err != nil {
		h.reject(x, o, err)
		return nil
	}
	if !t.open(x, o, t) {
		t.client.Close()
		return nil
	}
	t.begin(r)
	return t
}

// admit finds out who asks for what, and whether that may be.
func (h *Handler) admit(scope *asgi.Scope) (who hub.Identity, r *request, err error) {
	now := h.config.Hub.Config().Now()
	if who, err = h.config.Hub.Admit(h.config.Authenticate, scope, hub.TokenOf(scope)); err != nil {
		return who, nil, err
	}
	if r, err = h.parse(scope, who.User, now); err != nil {
		return who, nil, err
	}
	// The hub asks this again; but then it is too late for a status.
	for _, channel := range r.channels {
		if err := h.config.Hub.Allow(&who, hub.Subscribe, channel); err != nil {
			return who, nil, &refusal{hub.AsError(err), channel}
		}
	}
	return who, r, nil
}

var errExpired = &hub.Error{Code: hub.TokenExpired, Text: "your token has expired"}

// refusal is an error about one of the channels of a request.
type refusal struct {
	reason  *hub.Error
	channel string
}

func (r *refusal) Error() string { return r.reason.Error() }

// reject answers a request with an error. Browsers never come back after a status
// that is not 200, so what may be otherwise soon is a stream that ends at once.
func (h *Handler) reject(x asgi.Exchange, o *Options, err error) {
	reason, channel := hub.AsError(err), ""
	if r, ok := err.(*refusal); ok {
		reason, channel = r.reason, r.channel
	}
	if !temporary(reason) {
		h.stats.refused.Add(1)
		refuse(x, reason.HTTPStatus(), channel, reason, o.Headers)
		return
	}
	h.stats.turnedAway.Add(1)
	if x.Send(start(o.Headers)) == nil {
		_ = x.Send(&asgi.HTTPResponseBody{Body: farewell(o, reason)})
	}
}

// temporary reports whether it may be otherwise soon.
func temporary(err *hub.Error) bool {
	status := err.HTTPStatus()
	return status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests
}

// problem is what an error looks like, in a response and in an event.
type problem struct {
	Channel string        `json:"channel,omitempty"`
	Code    hub.ErrorCode `json:"code"`
	Text    string        `json:"text"`
}

// refuse answers with an error.
func refuse(x asgi.Exchange, status int, channel string, err *hub.Error, headers []asgi.Header) {
	headers = append(slices.Clone(headers), noStore, asgi.Header{Name: "content-type", Value: "application/json"})
	if status == http.StatusUnauthorized { // https://www.rfc-editor.org/rfc/rfc9110#section-15.5.2
		headers = append(headers, asgi.Header{Name: "www-authenticate", Value: "Bearer"})
	}
	body := encode(problem{Channel: channel, Code: err.Code, Text: err.Text})
	_ = handlers.Respond(x, status, append(body, '\n'), append(headers, err.HTTPHeaders()...)...)
}

// farewell is the last event of a stream that ends for a reason of ours. It tells
// browsers to come back later if the reason may be gone by then, and not at all if
// not; with a token that has expired they find out.
func farewell(o *Options, reason *hub.Error) []byte {
	e := Event{Type: "ended", Data: encode(problem{Code: reason.Code, Text: reason.Text})}
	switch {
	case temporary(reason):
		e.Retry = max(o.pause(late), reason.RetryAfter)
	case reason.Code != hub.TokenExpired:
		e.ID = finalID
	}
	return mustAppend(&e)
}

// encode marshals one of the package's own structs, which cannot fail.
func encode(v any) []byte {
	p, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return p
}

// mustAppend encodes an event of the package's own.
func mustAppend(e *Event) []byte {
	p, err := e.Append(nil)
	if err != nil {
		panic(err)
	}
	return p
}
