package nethttp

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/gale-server/gale/asgi"
)

// What the application can do wrong beyond the order of its events.
var (
	errTunnel     = errors.New("nethttp: a 2xx to CONNECT would open a tunnel (RFC 9110 §9.3.6)")
	errStatus     = errors.New("nethttp: status is not final (RFC 9110 §15)")
	errFieldName  = errors.New("nethttp: header name is not a token (RFC 9110 §5.1)")
	errFieldValue = errors.New("nethttp: control character in a header value (RFC 9110 §5.5)")
	errLength     = errors.New("nethttp: invalid or repeated Content-Length (RFC 9110 §8.6)")
	errTooLong    = errors.New("nethttp: more body than Content-Length (RFC 9110 §8.6)")
	errTooShort   = errors.New("nethttp: less body than Content-Length (RFC 9110 §8.6)")
	errNoContent  = errors.New("nethttp: 205 has no content (RFC 9110 §15.3.6)")
	errFlood      = errors.New("nethttp: the application sends on while congested")
)

// errAborted is what an application returns when its response is to be cut
// without a word in the log, as a panic with http.ErrAbortHandler asks.
var errAborted = fmt.Errorf("nethttp: %w: %w", http.ErrAbortHandler, asgi.ErrDisconnected)

// fileError says that a file could not be read while it was being sent.
type fileError struct{ err error }

func (e *fileError) Error() string { return "nethttp: sending a file: " + e.err.Error() }
func (e *fileError) Unwrap() error { return e.err }

func isUnsupported(err error) bool { return errors.Is(err, http.ErrNotSupported) }
