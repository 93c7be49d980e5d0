package cgi

import (
	"errors"
	"fmt"
)

// Error says why a request got no response of a program's, or not the whole of it.
// The server logs it, and answers with its status if no response had begun.
//
// Safe for concurrent use: immutable.
type Error struct {
	Script string // its path below the handler's mount, or its file
	Status int
	Err    error
}

func (e *Error) Error() string {
	if e.Script == "" {
		return fmt.Sprintf("cgi: %v", e.Err)
	}
	return fmt.Sprintf("cgi: %s: %v", e.Script, e.Err)
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// HTTPStatus returns Status.
func (e *Error) HTTPStatus() int { return e.Status }

// ErrClosed says that the handler is closed.
var ErrClosed error = &Error{Status: 503, Err: errors.New("handler is closed")}

// What a client is told of a path stays the same, whatever lies there.
var (
	errNotFound      = &Error{Status: 404, Err: errors.New("no such script")}
	errForbidden     = &Error{Status: 403, Err: errors.New("not a program that may be run")}
	errBodyTooLarge  = &Error{Status: 413, Err: errors.New("request body too large")}
	errSpoolFull     = &Error{Status: 503, Err: errors.New("too many request bodies are kept (Config.MaxSpoolBytes)")}
	errEnvTooLarge   = &Error{Status: 431, Err: errors.New("request header fields too large")}
	errRedirectLoop  = errors.New("too many local redirects")
	errNoRedirection = errors.New("local redirect to a path that this handler does not serve (Config.Redirect)")
)

// Why a program is ended, or its output is not read to the end.
var (
	errHeaderTimeout = errors.New("no header in time (Config.HeaderTimeout)")
	errTimeout       = errors.New("runs for too long (Config.Timeout)")
	errOutputLimit   = errors.New("writes too much (Config.MaxOutputBytes)")
)
