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
	"net/url"
	"slices"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/websocket"
)

// Origins are the foreign origins that are allowed.
//
// Safe for concurrent use: immutable.
type Origins struct {
	allowed []string
}

// New returns the origins of a list, each "scheme://host[:port]"; "*" is any. An
// empty list allows none but the server's own. It fails when an entry is neither.
func New(allowed []string) (*Origins, error) {
	for _, origin := range allowed {
		u, err := url.Parse(origin)
		if origin != "*" && (err != nil || u.Scheme == "" || u.Host == "" || u.Path != "") {
			return nil, fmt.Errorf("cors: the origin %q is not scheme://host[:port]", origin)
		}
	}
	return &Origins{allowed: slices.Clone(allowed)}, nil
}

var (
	vary        = asgi.Header{Name: "vary", Value: "origin"}
	anyOrigin   = asgi.Header{Name: "access-control-allow-origin", Value: "*"}
	credentials = asgi.Header{Name: "access-control-allow-credentials", Value: "true"}
	exposed     = asgi.Header{Name: "access-control-expose-headers", Value: "retry-after, etag"}
)

// Check reports whether a request is of no page, of a page of the server's own
// origin, or of an allowed one. headers are for its answer, also if that is an
// error. Pages of origins that are named, and not only fit "*", may send cookies.
func (o *Origins) Check(scope *asgi.Scope) (headers []asgi.Header, ok bool) {
	if len(o.allowed) > 0 {
		headers = append(headers, vary)
	}
	origin, foreign := scope.Header("origin")
	if !foreign {
		return headers, true
	}
	host, _ := scope.Header("host")
	if websocket.CheckOrigin(origin, host, nil) == nil {
		return headers, true
	}
	named := slices.DeleteFunc(slices.Clone(o.allowed), func(s string) bool { return s == "*" })
	switch {
	case websocket.CheckOrigin(origin, host, named) == nil:
		return append(headers, asgi.Header{Name: "access-control-allow-origin", Value: origin}, credentials, exposed), true
	case slices.Contains(o.allowed, "*"):
		return append(headers, anyOrigin, exposed), true
	}
	return headers, false
}

// Preflight answers the question of a browser whether it may send a request, with
// what methods are allowed ("GET, POST"), and reports whether it was one. Other
// requests it leaves alone. The fields that may be sent are Authorization,
// Content-Type, Last-Event-ID, If-None-Match and Prefer.
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
		asgi.Header{Name: "access-control-allow-headers", Value: "authorization, content-type, last-event-id, if-none-match, prefer"},
		asgi.Header{Name: "access-control-max-age", Value: "600"})}
	if !ok {
		start = &asgi.HTTPResponseStart{Status: 403, Headers: headers}
	}
	if x.Send(start) == nil {
		_ = x.Send(&asgi.HTTPResponseBody{}) // who has gone needs none
	}
	return true
}
