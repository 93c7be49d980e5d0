package asgitest

import (
	"net/url"
	"strings"

	"github.com/gale-server/gale/asgi"
)

// HTTPScope returns the scope of a request of HTTP/1.1, from 192.0.2.1:54321 to
// 192.0.2.2:80, on a server that offers every extension but TLS. target is a
// path with an optional query, as on the wire. Header names are lower-case.
func HTTPScope(method, target string, headers ...asgi.Header) *asgi.Scope {
	s := newScope(asgi.ScopeHTTP, target, headers)
	s.Method, s.Scheme = method, "http"
	s.Extensions = extensions(asgi.ExtEarlyHint, asgi.ExtTrailers, asgi.ExtPathSend, asgi.ExtZeroCopySend, asgi.ExtDrain)
	return s
}

// WebSocketScope returns the scope of a WebSocket, otherwise as HTTPScope does.
// Subprotocols are those of the sec-websocket-protocol fields.
func WebSocketScope(target string, headers ...asgi.Header) *asgi.Scope {
	s := newScope(asgi.ScopeWebSocket, target, headers)
	s.Scheme = "ws"
	for _, h := range headers {
		if h.Name != "sec-websocket-protocol" {
			continue
		}
		for name := range strings.SplitSeq(h.Value, ",") {
			s.Subprotocols = append(s.Subprotocols, strings.TrimSpace(name))
		}
	}
	s.Extensions = extensions(asgi.ExtDenialResponse, asgi.ExtDrain)
	return s
}

// LifespanScope returns the scope of a lifespan, with an empty State to fill.
func LifespanScope() *asgi.Scope {
	return &asgi.Scope{
		Type:        asgi.ScopeLifespan,
		SpecVersion: asgi.LifespanSpecVersion,
		State:       map[string]any{},
	}
}

func newScope(t asgi.ScopeType, target string, headers []asgi.Header) *asgi.Scope {
	rawPath, query, _ := strings.Cut(target, "?")
	path, err := url.PathUnescape(rawPath)
	if err != nil {
		path = rawPath
	}
	return &asgi.Scope{
		Type:        t,
		SpecVersion: asgi.SpecVersion,
		HTTPVersion: "1.1",
		Path:        strings.ToValidUTF8(path, "\uFFFD"),
		RawPath:     rawPath,
		QueryString: query,
		Headers:     headers,
		Client:      asgi.Address{Host: "192.0.2.1", Port: 54321},
		Server:      asgi.Address{Host: "192.0.2.2", Port: 80},
	}
}

func extensions(names ...string) map[string]any {
	m := make(map[string]any, len(names))
	for _, name := range names {
		m[name] = nil
	}
	return m
}
