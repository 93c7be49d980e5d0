package websocket

import (
	"slices"
	"strings"

	"github.com/gale-server/gale/asgi"
)

// ResponseHeaders appends to dst the header fields of the 101 response that
// accepts the handshake (https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2):
// those of the protocol, the subprotocol unless it is "", and extra, the
// application's own, in its order.
//
// The subprotocol must be one that the client offered, since a client must fail
// the connection otherwise. The fields of the handshake itself and those that
// frame a message are not the application's to set, and a name or value must be
// one that HTTP allows (RFC 9110 §5.1, §5.5), so that a value cannot smuggle in
// a line. The error is a *MessageError; dst is unchanged then.
func (u *Upgrade) ResponseHeaders(dst []asgi.Header, subprotocol string, extra []asgi.Header) ([]asgi.Header, error) {
	if subprotocol != "" && !slices.Contains(u.Subprotocols, subprotocol) {
		return dst, errSendSubprotocol
	}
	for i := range extra {
		if err := checkExtra(&extra[i]); err != nil {
			return dst, err
		}
	}
	dst = append(dst,
		asgi.Header{Name: "upgrade", Value: "websocket"},
		asgi.Header{Name: "connection", Value: "Upgrade"},
		asgi.Header{Name: "sec-websocket-accept", Value: u.Accept})
	if subprotocol != "" {
		dst = append(dst, asgi.Header{Name: "sec-websocket-protocol", Value: subprotocol})
	}
	return append(dst, extra...), nil
}

// checkExtra judges one header field of the application.
func checkExtra(h *asgi.Header) error {
	if !isToken(h.Name) {
		return errSendHeaderName
	}
	if !isFieldValue(h.Value) {
		return errSendHeaderValue
	}
	switch name := lowerString(h.Name); name {
	case "upgrade", "connection", "content-length", "transfer-encoding":
		return errSendHeaderOwned
	default:
		if strings.HasPrefix(name, "sec-websocket-") {
			return errSendHeaderOwned
		}
		return nil
	}
}
