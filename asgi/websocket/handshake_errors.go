package websocket

import "github.com/gale-server/gale/asgi"

// HandshakeError says why an opening handshake is refused, as the HTTP response
// to send. It holds no bytes of the peer.
//
// Safe for concurrent use: immutable; Headers must not be changed.
type HandshakeError struct {
	Status  int           // of the response: 400, 403, 405 or 426
	Headers []asgi.Header // that the response must have beside its framing
	Reason  string        // what is wrong, and the clause that says so
}

func (e *HandshakeError) Error() string { return "websocket: " + e.Reason }

// HTTPStatus returns Status.
func (e *HandshakeError) HTTPStatus() int { return e.Status }

// upgradeRequired is owed by every 426 (RFC 9110 §15.5.22).
var upgradeRequired = []asgi.Header{
	{Name: "upgrade", Value: "websocket"},
	{Name: "connection", Value: "Upgrade"},
	// RFC 6455 §4.4: the versions this server speaks.
	{Name: "sec-websocket-version", Value: "13"},
}

// What the peer can do wrong in its handshake.
var (
	errMethod = &HandshakeError{Status: 405, Headers: []asgi.Header{{Name: "allow", Value: "GET"}},
		Reason: "method of the handshake is not GET (RFC 6455 §4.2.1)"}
	errNoUpgrade = &HandshakeError{Status: 426, Headers: upgradeRequired,
		Reason: "request does not ask for the upgrade (RFC 6455 §4.2.1)"}
	errVersion = &HandshakeError{Status: 426, Headers: upgradeRequired,
		Reason: "version is not 13 (RFC 6455 §4.4)"}
	errVersionRepeated = &HandshakeError{Status: 400,
		Reason: "Sec-WebSocket-Version is repeated (RFC 6455 §11.3.5)"}
	errHTTPVersion = &HandshakeError{Status: 400,
		Reason: "handshake is older than HTTP/1.1 (RFC 6455 §4.2.1)"}
	errBody = &HandshakeError{Status: 400,
		Reason: "handshake has a body (RFC 6455 §4.2.1)"}
	errHost = &HandshakeError{Status: 400,
		Reason: "Host is missing or repeated (RFC 6455 §4.2.1)"}
	errKey = &HandshakeError{Status: 400,
		Reason: "Sec-WebSocket-Key is not one value of 16 bytes (RFC 6455 §4.2.1)"}
	errOriginRepeated = &HandshakeError{Status: 400,
		Reason: "Origin is repeated (RFC 6454 §7.3)"}
	errSubprotocol = &HandshakeError{Status: 400,
		Reason: "Sec-WebSocket-Protocol is not a list of at most 64 tokens (RFC 6455 §11.3.4)"}
	errForeignOrigin = &HandshakeError{Status: 403,
		Reason: "origin is foreign (RFC 6455 §10.2)"}
)

// What the application can do wrong when it accepts.
var (
	errSendSubprotocol = &MessageError{"subprotocol was not offered by the client (RFC 6455 §4.2.2)"}
	errSendHeaderOwned = &MessageError{"header belongs to the handshake (ASGI websocket.accept)"}
	errSendHeaderName  = &MessageError{"header name is not a token (RFC 9110 §5.1)"}
	errSendHeaderValue = &MessageError{"header value has a control character (RFC 9110 §5.5)"}
)
