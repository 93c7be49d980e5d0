package websocket

import (
	"crypto/sha1"
	"encoding/base64"
	"strings"

	"github.com/gale-server/gale/asgi"
)

// Request is what the opening handshake looks at: an HTTP/1 request that was
// parsed by somebody else. Header names are lower-case.
//
// Not safe for concurrent use: Headers is borrowed.
type Request struct {
	Method  string
	Minor   int // of the HTTP version: 1 for HTTP/1.1
	Headers []asgi.Header
	HasBody bool // a body follows the head, even an empty chunked one
}

// Upgrade is a valid opening handshake that waits for the application's word.
// ResponseHeaders turns it into the answer. It borrows from the request's
// header values.
//
// Safe for concurrent use: immutable.
type Upgrade struct {
	Accept       string   // the value of Sec-WebSocket-Accept
	Subprotocols []string // offered by the client, most wanted first
	Origin       string   // the value of Origin, "" if absent: for CheckOrigin
	Host         string   // the value of Host
}

// maxSubprotocols bounds the offer of a client. Clients offer a handful; the
// bound keeps a header full of commas from becoming a slice many times its size.
const maxSubprotocols = 64

// IsUpgrade reports whether the request asks for the WebSocket protocol at all:
// Upgrade names it and Connection says that Upgrade is meant for this hop. It
// says nothing about whether the handshake is valid.
func IsUpgrade(headers []asgi.Header) bool {
	return listHolds(headers, "upgrade", "websocket") && listHolds(headers, "connection", "upgrade")
}

// CheckUpgrade judges the opening handshake by
// https://www.rfc-editor.org/rfc/rfc6455#section-4.2.1. The error is a
// *HandshakeError. It does not judge the origin: see CheckOrigin.
func CheckUpgrade(r *Request) (Upgrade, error) {
	if r.Method != "GET" {
		return Upgrade{}, errMethod
	}
	if r.Minor < 1 {
		return Upgrade{}, errHTTPVersion
	}
	if r.HasBody {
		return Upgrade{}, errBody
	}
	if !IsUpgrade(r.Headers) {
		return Upgrade{}, errNoUpgrade
	}
	host, hosts := field(r.Headers, "host")
	if hosts != 1 {
		return Upgrade{}, errHost
	}
	// A field that must stand alone is refused when it is repeated (§11.3): two
	// readers of one request must not choose different ones.
	version, versions := field(r.Headers, "sec-websocket-version")
	if versions > 1 {
		return Upgrade{}, errVersionRepeated
	}
	if version != "13" {
		return Upgrade{}, errVersion
	}
	key, keys := field(r.Headers, "sec-websocket-key")
	if keys != 1 || !validKey(key) {
		return Upgrade{}, errKey
	}
	origin, origins := field(r.Headers, "origin")
	if origins > 1 {
		return Upgrade{}, errOriginRepeated
	}
	subprotocols, failure := offeredSubprotocols(r.Headers)
	if failure != nil {
		return Upgrade{}, failure
	}
	return Upgrade{Accept: AcceptKey(key), Subprotocols: subprotocols, Origin: origin, Host: host}, nil
}

// keyLength is that of 16 bytes in base64.
const keyLength = 24

// validKey reports whether key is 16 bytes in base64 (RFC 6455 §4.2.1, 5).
func validKey(key string) bool {
	if len(key) != keyLength {
		return false
	}
	var text [keyLength]byte
	var raw [keyLength / 4 * 3]byte
	copy(text[:], key)
	n, err := base64.StdEncoding.Decode(raw[:], text[:])
	return err == nil && n == 16
}

// acceptGUID is the constant of RFC 6455 §4.2.2.
const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// AcceptKey returns the value of Sec-WebSocket-Accept for a key: the base64 of
// the SHA-1 of the key and a constant (RFC 6455 §4.2.2). It costs one
// allocation, the string.
func AcceptKey(key string) string {
	var joined [keyLength + len(acceptGUID)]byte
	sum := sha1.Sum(append(append(joined[:0], key...), acceptGUID...))
	var text [28]byte
	base64.StdEncoding.Encode(text[:], sum[:])
	return string(text[:])
}

// offeredSubprotocols collects the client's offer over all its header lines,
// in order (RFC 6455 §11.3.4).
func offeredSubprotocols(headers []asgi.Header) ([]string, *HandshakeError) {
	var offered []string
	for i := range headers {
		if headers[i].Name != "sec-websocket-protocol" {
			continue
		}
		for element := range strings.SplitSeq(headers[i].Value, ",") {
			name := trim(element)
			if name == "" {
				continue // an empty list element is ignored (RFC 9110 §5.6.1)
			}
			if !isToken(name) || len(offered) == maxSubprotocols {
				return nil, errSubprotocol
			}
			offered = append(offered, name)
		}
	}
	return offered, nil
}
