// Package cors lets pages of other origins use a handler of HTTP, if they are
// allowed to, and nobody else's: see https://fetch.spec.whatwg.org/#http-cors-protocol.
//
// A browser sends some requests of foreign pages, with the user's cookies, before it
// asks anybody, and only keeps the answer from the page. So a handler that does
// something asks [Origins.Check] first and refuses what it does not let pass.
//
// It is the counterpart of what engines do for WebSockets, and goes by the same
// rules: see websocket.CheckOrigin.
package cors

import (
	"fmt"
	"strings"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/websocket"
)

// Origins are the foreign origins that are allowed.
//
// Safe for concurrent use: immutable.
type Origins struct {
	allowed *websocket.Origins
	some    bool // the list is not empty
}

// New returns the origins of a list, each "scheme://host[:port]", in which the host may
// begin with "*." for all names below it, or "*", which is any: see
// [websocket.NewOrigins]. An empty list allows none but the server's own. It fails when
// an entry would let nobody in.
func New(allowed []string) (*Origins, error) {
	origins, err := websocket.NewOrigins(allowed)
	if err != nil {
		return nil, fmt.Errorf("cors: %w", err)
	}
	return &Origins{allowed: origins, some: len(allowed) > 0}, nil
}

var (
	vary        = asgi.Header{Name: "vary", Value: "origin"}
	anyOrigin   = asgi.Header{Name: "access-control-allow-origin", Value: "*"}
	credentials = asgi.Header{Name: "access-control-allow-credentials", Value: "true"}
	exposed     = asgi.Header{Name: "access-control-expose-headers", Value: "etag, preference-applied, retry-after"}
)

// Check reports whether a request is of no page, of a page of the server's own
// origin, or of an allowed one. headers are for its answer, also if that is an
// error. Pages of origins that are named, and not only fit "*", may send cookies.
func (o *Origins) Check(scope *asgi.Scope) (headers []asgi.Header, ok bool) {
	if o.some {
		headers = append(headers, vary)
	}
	origin, foreign := scope.Header("origin")
	if !foreign {
		return headers, true
	}
	host, _ := scope.Header("host")
	switch {
	case origin == "" || websocket.SameOrigin(origin, host):
		return headers, true
	case o.allowed.Names(origin):
		origin = strings.Clone(origin) // of a request, that is not to be kept as long as a stream
		return append(headers, asgi.Header{Name: "access-control-allow-origin", Value: origin}, credentials, exposed), true
	case o.allowed.Any():
		return append(headers, anyOrigin, exposed), true
	}
	return headers, false
}

// Preflight answers the question of a browser whether it may send a request, with
// what methods are allowed ("GET, POST"), and reports whether it was one. Other
// requests it leaves alone. The fields that may be sent are the same everywhere:
// Authorization, Cache-Control, Content-Type, If-None-Match, Last-Event-ID and Prefer.
func (o *Origins) Preflight(scope *asgi.Scope, x asgi.Exchange, methods string) bool {
	if scope.Method != "OPTIONS" {
		return false
	}
	if _, asked := scope.Header("access-control-request-method"); !asked {
		return false
	}
	headers, ok := o.Check(scope)
	start := &asgi.HTTPResponseStart{Status: 204, Headers: append(headers,
		asgi.Header{Name: "access-control-allow-methods", Value: methods},
		asgi.Header{Name: "access-control-allow-headers", Value: "authorization, cache-control, content-type, if-none-match, last-event-id, prefer"},
		asgi.Header{Name: "access-control-max-age", Value: "600"})}
	if !ok {
		start = &asgi.HTTPResponseStart{Status: 403, Headers: headers}
	}
	if x.Send(start) == nil {
		_ = x.Send(&asgi.HTTPResponseBody{}) // who has gone needs none
	}
	return true
}
