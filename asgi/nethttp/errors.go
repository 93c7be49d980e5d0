package nethttp

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/websocket"
)

// What the application can do wrong beyond the order of its events.
var (
	errStatus     = errors.New("nethttp: status is not final (RFC 9110 §15)")
	errFieldName  = errors.New("nethttp: header name is not a token (RFC 9110 §5.1)")
	errFieldValue = errors.New("nethttp: control character in a header value (RFC 9110 §5.5)")
	errLength     = errors.New("nethttp: invalid or repeated Content-Length (RFC 9110 §8.6)")
	errTooLong    = errors.New("nethttp: more body than Content-Length (RFC 9110 §8.6)")
	errTooShort   = errors.New("nethttp: less body than Content-Length (RFC 9110 §8.6)")
	errFlood      = errors.New("nethttp: the application sends on while congested")
	errSilent     = errors.New("nethttp: no answer to a ping")
)

// errAborted is what an application returns when its response is to be cut
// without a word in the log, as a panic with http.ErrAbortHandler asks.
var errAborted = fmt.Errorf("nethttp: %w: %w", http.ErrAbortHandler, asgi.ErrDisconnected)

// statusOf maps the error that ended a request before its response had begun to
// the status of the response. It is the one place that does.
func statusOf(err error) int {
	var handshake *websocket.HandshakeError
	var status interface{ HTTPStatus() int } // saturated executors, closed hubs, ...
	switch {
	case errors.As(err, &handshake):
		return handshake.Status
	case errors.As(err, &status):
		return status.HTTPStatus()
	default:
		return http.StatusInternalServerError
	}
}

// closeCodeOf maps the error that ended a WebSocket to the code of the close
// frame. It is the one place that does.
func closeCodeOf(err error) int {
	var peer *websocket.Error
	var code interface{ CloseCode() int }
	switch {
	case err == nil:
		return websocket.CloseNormal
	case errors.As(err, &peer):
		return peer.Code
	case errors.As(err, &code):
		return code.CloseCode()
	default:
		return websocket.CloseInternalError
	}
}

// reasonOf is the reason of the close frame for err.
func reasonOf(err error) string {
	var peer *websocket.Error
	switch {
	case errors.As(err, &peer):
		return peer.Reason
	case errors.Is(err, errSilent):
		return "no answer to a ping"
	default:
		return ""
	}
}

// ofPeer reports whether err is the doing of a peer that is gone, and no news
// for the log: the application's context was cancelled then.
func ofPeer(err error) bool {
	return errors.Is(err, asgi.ErrDisconnected) || errors.Is(err, context.Canceled)
}

// fileError says that a file could not be read while it was being sent.
type fileError struct{ err error }

func (e *fileError) Error() string { return "nethttp: sending a file: " + e.err.Error() }
func (e *fileError) Unwrap() error { return e.err }

func isUnsupported(err error) bool { return errors.Is(err, http.ErrNotSupported) }
