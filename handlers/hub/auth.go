package hub

import (
	"net/url"
	"strings"

	"github.com/gale-server/gale/asgi"
)

// Authenticate is the connect hook: it says who a client is, of whom there is a
// scope and a token, which is "" for none, or why it may not come in; an *Error is
// told to it. It is called on loops and must not block.
type Authenticate func(scope *asgi.Scope, token string) (Identity, error)

// Anyone lets everybody in as nobody in particular, who may do the same.
func Anyone(grants Grants) Authenticate {
	return func(*asgi.Scope, string) (Identity, error) { return Identity{Grants: grants}, nil }
}

// TokenOf returns the token of a request: of its Authorization field, if that says
// Bearer (https://www.rfc-editor.org/rfc/rfc6750#section-2.1), else of the
// parameter token, for browsers cannot set fields of an EventSource or WebSocket.
func TokenOf(scope *asgi.Scope) string {
	if value, ok := scope.Header("authorization"); ok {
		if scheme, token, _ := strings.Cut(value, " "); strings.EqualFold(scheme, "Bearer") {
			return strings.TrimLeft(token, " ") // 1*SP (RFC 9110, section 11.4); what is behind it belongs to it
		}
	}
	query, _ := url.ParseQuery(scope.QueryString)
	return query.Get("token")
}
