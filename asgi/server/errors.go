package server

import (
	"context"
	"errors"
	"net/http"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/http1"
	"github.com/gale-server/gale/asgi/websocket"
)

var (
	errSlowHead = &http1.Error{Status: http.StatusRequestTimeout, Reason: "head did not arrive in time (RFC 9110 §15.5.9)"}
	errSlowBody = &http1.Error{Status: http.StatusRequestTimeout, Reason: "body arrives too slowly (RFC 9110 §15.5.9)"}
	errSilent   = errors.New("server: no answer to a ping")
)

// statusOf maps the error that ended a request before its response had begun to
// the status of the response. It is the one place that does.
func statusOf(err error) int {
	var peer *http1.Error
	var handshake *websocket.HandshakeError
	var status interface{ HTTPStatus() int } // saturated executors, closed hubs, ...
	switch {
	case errors.As(err, &peer):
		return peer.Status
	case errors.As(err, &handshake):
		return handshake.Status
	case errors.As(err, &status) && status.HTTPStatus() >= 400 && status.HTTPStatus() <= 599:
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

// ofPeer reports whether err, of an application whose peer is gone, is the
// peer's doing and no news for the log: its context was cancelled then.
func ofPeer(err error) bool {
	return errors.Is(err, asgi.ErrDisconnected) || errors.Is(err, context.Canceled)
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
