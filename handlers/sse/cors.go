package sse

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers"
)

// validOrigin reports whether an origin is written as browsers write it
// (https://www.rfc-editor.org/rfc/rfc6454#section-6.2), or is "*".
func validOrigin(origin string) bool {
	u, err := url.Parse(origin)
	return origin == "*" || err == nil && u.Scheme != "" && u.Host != "" && u.Scheme+"://"+u.Host == origin
}

// sharing returns the fields that let the page of a foreign origin read the
// answer, if it may; nil for everybody else.
//
// See https://fetch.spec.whatwg.org/#http-cors-protocol.
func (h *Handler) sharing(scope *asgi.Scope) []asgi.Header {
	if len(h.config.AllowedOrigins) == 0 {
		return nil
	}
	vary := asgi.Header{Name: "vary", Value: "origin"}
	switch origin, ok := scope.Header("origin"); {
	case !ok:
		return []asgi.Header{vary}
	case slices.Contains(h.config.AllowedOrigins, origin) && origin != "*":
		return []asgi.Header{
			{Name: "access-control-allow-origin", Value: origin},
			{Name: "access-control-allow-credentials", Value: "true"},
			vary,
		}
	case slices.Contains(h.config.AllowedOrigins, "*"):
		return []asgi.Header{{Name: "access-control-allow-origin", Value: "*"}, vary}
	default:
		return []asgi.Header{vary}
	}
}

// allowed answers a request that is not for a stream: a browser's question
// whether a script may send a token in a field, or a mistake.
func (h *Handler) allowed(scope *asgi.Scope, x asgi.Exchange) {
	allow := asgi.Header{Name: "allow", Value: "GET, HEAD, OPTIONS"}
	if scope.Method != http.MethodOptions {
		refuse(x, http.StatusMethodNotAllowed, "", badRequest("a stream is asked for with GET"), append(h.sharing(scope), allow))
		return
	}
	_ = handlers.Respond(x, http.StatusNoContent, nil, append(h.sharing(scope), allow,
		asgi.Header{Name: "access-control-allow-methods", Value: "GET"},
		asgi.Header{Name: "access-control-allow-headers", Value: "authorization, cache-control, last-event-id"},
		asgi.Header{Name: "access-control-max-age", Value: "600"})...)
}
