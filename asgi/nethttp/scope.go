package nethttp

import (
	"crypto/tls"
	"encoding/pem"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/internal/engine"
)

// makeScope makes an http scope of a request; raw is its path.
func (h *Handler) makeScope(r *http.Request, raw string) *asgi.Scope {
	s := &asgi.Scope{
		Type:        asgi.ScopeHTTP,
		SpecVersion: asgi.SpecVersion,
		HTTPVersion: "1.1",
		Method:      r.Method,
		Scheme:      "http",
		Path:        decodePath(h.cfg.RootPath, raw),
		RawPath:     raw,
		QueryString: r.URL.RawQuery,
		RootPath:    h.cfg.RootPath,
		Headers:     scopeHeaders(r),
		Client:      parseAddress(r.RemoteAddr),
		State:       maps.Clone(h.state),
		Extensions:  httpExtensions,
	}
	switch {
	case r.ProtoMajor >= 2:
		s.HTTPVersion = "2"
	case !r.ProtoAtLeast(1, 1):
		s.HTTPVersion = "1.0"
	}
	if addr, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		s.Server = parseAddress(addr.String())
	}
	if r.TLS != nil {
		s.Scheme = "https"
		s.Extensions = maps.Clone(httpExtensions)
		s.Extensions[asgi.ExtTLS] = tlsOf(r.TLS)
	}
	h.cfg.proxies.Apply(s)
	return s
}

// webSocketScope turns the http scope of an upgrade request into that of the
// WebSocket.
func webSocketScope(s *asgi.Scope, subprotocols []string) {
	s.Type = asgi.ScopeWebSocket
	s.Method = ""
	s.Subprotocols = subprotocols
	extensions := webSocketExtensions
	s.Scheme = engine.WebSocketScheme(s.Scheme)
	if data, ok := s.Extensions[asgi.ExtTLS]; ok {
		extensions = maps.Clone(extensions)
		extensions[asgi.ExtTLS] = data
	}
	s.Extensions = extensions
}

var httpExtensions = func() map[string]any {
	extensions := map[string]any{
		asgi.ExtEarlyHint: nil,
		asgi.ExtTrailers:  nil,
		asgi.ExtPathSend:  nil,
		asgi.ExtDrain:     nil,
	}
	if engine.CanDuplicate {
		extensions[asgi.ExtZeroCopySend] = nil
	}
	return extensions
}()

var webSocketExtensions = map[string]any{
	asgi.ExtDenialResponse: nil,
	asgi.ExtDrain:          nil,
}

// decodePath decodes a raw path once; bytes that are not UTF-8 become U+FFFD.
func decodePath(root, raw string) string {
	path, err := url.PathUnescape(raw)
	if err != nil { // such a request was refused
		path = raw
	}
	if !utf8.ValidString(path) {
		path = strings.ToValidUTF8(path, "\uFFFD")
	}
	return root + path
}

// scopeHeaders puts together again what net/http takes apart. It has lost the
// order of names, so they are sorted, behind the host.
func scopeHeaders(r *http.Request) []asgi.Header {
	headers := make([]asgi.Header, 0, len(r.Header)+4)
	if r.Host != "" || r.ProtoMajor == 1 && r.ProtoMinor == 1 { // which must have the field; it may be empty
		headers = append(headers, asgi.Header{Name: "host", Value: r.Host})
	}
	for _, key := range slices.Sorted(maps.Keys(r.Header)) {
		name := strings.ToLower(key)
		for _, value := range r.Header[key] {
			headers = append(headers, asgi.Header{Name: name, Value: value})
		}
	}
	for _, coding := range r.TransferEncoding {
		headers = append(headers, asgi.Header{Name: "transfer-encoding", Value: coding})
	}
	if len(r.Trailer) > 0 {
		names := strings.Join(slices.Sorted(maps.Keys(r.Trailer)), ", ")
		headers = append(headers, asgi.Header{Name: "trailer", Value: strings.ToLower(names)})
	}
	return headers
}

func parseAddress(s string) asgi.Address {
	addr, err := netip.ParseAddrPort(s)
	if err != nil {
		return asgi.Address{Host: strings.TrimPrefix(s, "@")} // a Unix socket; "@" has no name
	}
	return asgi.Address{Host: addr.Addr().Unmap().String(), Port: int(addr.Port())}
}

func tlsOf(state *tls.ConnectionState) *asgi.TLS {
	t := &asgi.TLS{Version: state.Version, CipherSuite: state.CipherSuite}
	for _, cert := range state.PeerCertificates {
		block := &pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}
		t.ClientCertChain = append(t.ClientCertChain, string(pem.EncodeToMemory(block)))
	}
	if len(state.PeerCertificates) > 0 {
		t.ClientCertName = state.PeerCertificates[0].Subject.String()
	}
	return t
}
