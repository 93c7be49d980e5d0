package asgi

import "maps"

// ScopeType names the protocol of a scope: the key "type" of an ASGI scope.
type ScopeType string

// The scope types of the specification.
const (
	ScopeHTTP      ScopeType = "http"
	ScopeWebSocket ScopeType = "websocket"
	ScopeLifespan  ScopeType = "lifespan"
)

// The versions every scope of this package declares. Spec version 2.5 promises
// that a send after the peer is gone fails promptly (2.4) and that a
// websocket.disconnect carries the peer's reason (2.5).
const (
	Version             = "3.0"
	SpecVersion         = "2.5"
	LifespanSpecVersion = "2.0"
)

// Scope holds the immutable facts of one request or connection. It is given to
// the application once and shared by whoever holds it: middleware that changes
// a scope changes a copy ([Scope.Copy]).
//
// Which fields are set depends on Type:
//
//	field         http  websocket  lifespan
//	Method         x
//	HTTPVersion    x       x                  "1.0", "1.1", "2"
//	Scheme         x       x                  "http", "https", "ws", "wss"
//	Path           x       x                  percent-decoded, invalid UTF-8 as U+FFFD, no query; begins with RootPath
//	RawPath        x       x                  as it was on the wire, no query; lossless
//	QueryString    x       x                  still percent-encoded, without '?'
//	RootPath       x       x                  where the application is mounted (WSGI's SCRIPT_NAME)
//	Headers        x       x                  names lower-case, order and repetition kept
//	Client,Server  x       x                  the two ends; zero when unknown
//	Subprotocols           x                  offered by the client, in its order
//	State          x       x          x       see below
//	Extensions     x       x                  extension name to its data, which may be nil
//
// State is the map the application filled during its lifespan; every scope has
// a shallow copy. It is nil when the application has no lifespan.
//
// See https://asgi.readthedocs.io/en/latest/specs/www.html#http-connection-scope.
//
// Safe for concurrent use as long as nobody writes to it.
type Scope struct {
	Type         ScopeType
	SpecVersion  string
	HTTPVersion  string
	Method       string
	Scheme       string
	Path         string
	RawPath      string
	QueryString  string
	RootPath     string
	Headers      []Header
	Client       Address
	Server       Address
	Subprotocols []string
	State        map[string]any
	Extensions   map[string]any
}

// Address is one end of a connection: an IP address with its port, or the path
// of a Unix socket with port 0. The zero Address is unknown.
//
// Safe for concurrent use: immutable.
type Address struct {
	Host string
	Port int
}

// Header returns the value of the first field called name, which must be
// lower-case, and whether there is one.
func (s *Scope) Header(name string) (value string, ok bool) {
	for i := range s.Headers {
		if s.Headers[i].Name == name {
			return s.Headers[i].Value, true
		}
	}
	return "", false
}

// Supports reports whether the server offers the named extension.
func (s *Scope) Supports(extension string) bool {
	_, ok := s.Extensions[extension]
	return ok
}

// Copy returns a copy for middleware to change. Its maps are its own; headers
// and subprotocols are shared until they are replaced.
func (s *Scope) Copy() *Scope {
	c := *s
	c.State = maps.Clone(s.State)
	c.Extensions = maps.Clone(s.Extensions)
	c.Headers = s.Headers[:len(s.Headers):len(s.Headers)]
	c.Subprotocols = s.Subprotocols[:len(s.Subprotocols):len(s.Subprotocols)]
	return &c
}

// Lasting returns a copy of what the connection is, without what its request said:
// no Headers, QueryString and Subprotocols. It is for who needs a scope for as long
// as a connection lasts: a whole one keeps up to the server's limit of a request's
// head in memory, 64 KiB, and so does an application in coroutine form that uses its
// scope to the end. A single string of a scope may be kept as it is.
func (s *Scope) Lasting() *Scope {
	c := *s
	c.Headers, c.QueryString, c.Subprotocols = nil, "", nil
	return &c
}

// The names under which a server offers its extensions in [Scope.Extensions].
const (
	ExtDenialResponse = "websocket.http.response"
	ExtEarlyHint      = "http.response.early_hint"
	ExtTrailers       = "http.response.trailers"
	ExtPathSend       = "http.response.pathsend"
	ExtZeroCopySend   = "http.response.zerocopysend"
	ExtTLS            = "tls"
	ExtDrain          = "gale.drain"
)

// TLS is the data of the extension "tls", present only on TLS connections.
//
// See https://asgi.readthedocs.io/en/latest/specs/tls.html.
//
// Safe for concurrent use: immutable.
type TLS struct {
	ServerCert      string   // PEM; "" when unknown
	ClientCertChain []string // PEM, leaf first
	ClientCertName  string   // RFC 4514 distinguished name of the leaf
	ClientCertError string   // why verification failed, when the server let the client in
	Version         uint16   // 0x0303, 0x0304; 0 when unknown
	CipherSuite     uint16   // 0 when unknown
}
