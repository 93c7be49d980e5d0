package server

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/http1"
	"github.com/gale-server/gale/asgi/internal/engine"
)

var httpExtensions = map[string]any{
	asgi.ExtEarlyHint:    nil,
	asgi.ExtTrailers:     nil,
	asgi.ExtPathSend:     nil,
	asgi.ExtZeroCopySend: nil,
	asgi.ExtDrain:        nil,
}

var webSocketExtensions = map[string]any{
	asgi.ExtDenialResponse: nil,
	asgi.ExtDrain:          nil,
}

// fillScope makes an http scope of a head. headers has room for the fields.
func (h *httpConn) fillScope(s *asgi.Scope, head *http1.Head, headers []asgi.Header) {
	srv := h.c.w.srv
	method, rawPath, query, fields := head.Copy(headers)
	*s = asgi.Scope{
		Type:        asgi.ScopeHTTP,
		SpecVersion: asgi.SpecVersion,
		HTTPVersion: "1.1",
		Method:      method,
		Scheme:      "http",
		Path:        decodePath(srv.cfg.RootPath, rawPath),
		RawPath:     rawPath,
		QueryString: query,
		RootPath:    srv.cfg.RootPath,
		Headers:     fields,
		Client:      h.client,
		Server:      h.server,
		Extensions:  httpExtensions,
	}
	if head.Minor() == 0 {
		s.HTTPVersion = "1.0"
	}
	srv.cfg.proxies.Apply(s)
	if srv.state != nil {
		s.State = maps.Clone(srv.state)
	}
}

// decodePath decodes a raw path once. The machine has refused malformed
// percent-encoding; bytes that are not UTF-8 become U+FFFD.
func decodePath(root, raw string) string {
	path := raw
	if strings.IndexByte(raw, '%') >= 0 {
		path, _ = url.PathUnescape(raw)
	}
	if !utf8.ValidString(path) {
		path = strings.ToValidUTF8(path, "\uFFFD")
	}
	if root == "" {
		return path
	}
	return root + path
}

// webSocketScope turns the http scope of an upgrade request into that of the
// WebSocket.
func webSocketScope(s *asgi.Scope, subprotocols []string) *asgi.Scope {
	c := *s
	c.Type = asgi.ScopeWebSocket
	c.Method = ""
	c.Scheme = engine.WebSocketScheme(s.Scheme)
	c.Headers = slices.Clone(s.Headers) // those of s may lie within its own memory, which would stay
	c.Subprotocols = subprotocols
	c.Extensions = webSocketExtensions
	return &c
}
