// Package engine holds what every engine decides alike: what an error means to
// the peer, and to the log. The functions are safe for concurrent use.
package engine

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/websocket"
)

// ErrSilent ends a WebSocket whose peer did not answer a ping.
var ErrSilent = errors.New("asgi: no answer to a ping")

// StatusOf maps the error that ended a request before its response had begun to
// the status of the response: what the error itself says with a method
// HTTPStatus, of the protocol machines, a saturated executor and the like, else
// 500. It is the one place that does.
func StatusOf(err error) int {
	var of statusError
	if errors.As(err, &of) {
		if status := of.HTTPStatus(); status >= 400 && status <= 599 {
			return status
		}
	}
	return http.StatusInternalServerError
}

// statusError is an error that names a status.
type statusError interface {
	error
	HTTPStatus() int
}

// OfRequest reports whether err is an answer to what the peer has asked for, by a
// status of 4xx, and no failure of the application, as a panic is.
func OfRequest(err error) bool {
	var p *asgi.PanicError
	status := StatusOf(err)
	return status >= 400 && status < 500 && !errors.As(err, &p)
}

// maxText bounds the text of an error that is told to the peer, in bytes.
const maxText = 1 << 10

// TextOf is the body of the response that StatusOf and HeadersOf are of. An error
// that blames the peer tells it why; it does not tell what it was wrapped in. All
// else is ours, and no business of a stranger.
func TextOf(err error) string {
	var of statusError
	if !OfRequest(err) || !errors.As(err, &of) || of.Error() == "" {
		return http.StatusText(StatusOf(err)) + "\n"
	}
	text := of.Error()
	return strings.ToValidUTF8(text[:min(len(text), maxText)], "") + "\n"
}

// HeadersOf returns the fields that go with StatusOf: what the error itself says
// with a method HTTPHeaders, as a saturated executor when to come back.
func HeadersOf(err error) []asgi.Header {
	var of interface{ HTTPHeaders() []asgi.Header }
	if errors.As(err, &of) {
		return of.HTTPHeaders()
	}
	return nil
}

// CloseCodeOf maps the error that ended a WebSocket to the code of the close
// frame: what the error itself says with a method CloseCode, else 1011; 1000
// without an error. It is the one place that does.
func CloseCodeOf(err error) int {
	var of interface{ CloseCode() int }
	switch {
	case err == nil:
		return websocket.CloseNormal
	case errors.As(err, &of):
		return of.CloseCode()
	default:
		return websocket.CloseInternalError
	}
}

// ReasonOf is the reason of the close frame for err: only what the peer itself
// did is told to it.
func ReasonOf(err error) string {
	var peer *websocket.Error
	switch {
	case errors.As(err, &peer):
		return peer.Reason
	case errors.Is(err, ErrSilent):
		return "no answer to a ping"
	default:
		return ""
	}
}

// OfPeer reports whether err, of an application whose peer is gone, is the
// peer's doing and no news for the log: its context was cancelled then.
func OfPeer(err error) bool {
	return errors.Is(err, asgi.ErrDisconnected) || errors.Is(err, context.Canceled)
}

// Silent reports whether err is how an http.Handler cuts its response short
// without a word in the log.
func Silent(err error) bool { return errors.Is(err, http.ErrAbortHandler) }
