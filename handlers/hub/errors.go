package hub

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/gale-server/gale/asgi"
)

// ErrorCode is what a program goes by.
type ErrorCode string

// The codes of errors.
const (
	BadRequest   ErrorCode = "bad_request"    // not in the form that the transport asks for
	BadChannel   ErrorCode = "bad_channel"    // no name of a channel: see ValidChannel
	BadToken     ErrorCode = "bad_token"      // it is not ours, malformed, or of another client
	TokenExpired ErrorCode = "token_expired"  // it was good once
	BadCursor    ErrorCode = "bad_cursor"     // forged, damaged, or of other channels
	NotAllowed   ErrorCode = "not_allowed"    // to this client, in this channel
	NotFound     ErrorCode = "not_found"      // there is nothing of that name
	NotThere     ErrorCode = "not_subscribed" // to this channel
	TooLarge     ErrorCode = "too_large"      // a publication above Config.MaxPublishBytes
	TooMany      ErrorCode = "too_many"       // subscriptions, clients, channels: as many as there may be
	TooFast      ErrorCode = "too_fast"       // above a rate; RetryAfter says how long to wait
	TooSlow      ErrorCode = "too_slow"       // the client does not take its messages
	Replaced     ErrorCode = "replaced"       // a newer connection of the same session has its place
	Disconnected ErrorCode = "disconnected"   // by the server's operator
	Draining     ErrorCode = "draining"       // the server is about to stop
	Unavailable  ErrorCode = "unavailable"    // the broker cannot be reached
	Internal     ErrorCode = "internal"       // a fault of the server's; it is in its log
)

// Error is why something was not done, or is over. It is told to clients.
//
// Safe for concurrent use: immutable.
type Error struct {
	Code       ErrorCode
	Text       string        // for people
	RetryAfter time.Duration // zero: there is no use in trying again, or nobody knows when
}

func (e *Error) Error() string { return "hub: " + e.Text }

// answers maps a code to the HTTP status and the WebSocket close code that say so.
// The close codes of our own are from the range for private use
// (https://www.rfc-editor.org/rfc/rfc6455#section-7.4.2).
var answers = map[ErrorCode]struct{ status, close int }{
	BadRequest:   {http.StatusBadRequest, 1008},
	BadChannel:   {http.StatusBadRequest, 1008},
	BadToken:     {http.StatusUnauthorized, 4401},
	TokenExpired: {http.StatusUnauthorized, 4401},
	BadCursor:    {http.StatusBadRequest, 1008},
	NotAllowed:   {http.StatusForbidden, 4403},
	NotFound:     {http.StatusNotFound, 1008},
	NotThere:     {http.StatusConflict, 1008},
	TooLarge:     {http.StatusRequestEntityTooLarge, 1009},
	TooMany:      {http.StatusServiceUnavailable, 1013},
	TooFast:      {http.StatusTooManyRequests, 1008},
	TooSlow:      {http.StatusServiceUnavailable, 4408},
	Replaced:     {http.StatusConflict, 4409},
	Disconnected: {http.StatusForbidden, 4410},
	Draining:     {http.StatusServiceUnavailable, 1012},
	Unavailable:  {http.StatusServiceUnavailable, 1013},
	Internal:     {http.StatusInternalServerError, 1011},
}

// HTTPStatus is the status that says so; 500 for a code that is not ours.
func (e *Error) HTTPStatus() int {
	if a, ok := answers[e.Code]; ok {
		return a.status
	}
	return http.StatusInternalServerError
}

// CloseCode is the close code that says so.
func (e *Error) CloseCode() int {
	if a, ok := answers[e.Code]; ok {
		return a.close
	}
	return 1011
}

// HTTPHeaders is Retry-After, in seconds rounded up, if there is use in it.
func (e *Error) HTTPHeaders() []asgi.Header {
	if e.RetryAfter <= 0 {
		return nil
	}
	s := (e.RetryAfter + time.Second - 1) / time.Second
	return []asgi.Header{{Name: "retry-after", Value: strconv.FormatInt(int64(s), 10)}}
}

// AsError returns err as one for clients: itself if it is an *Error or wraps one,
// else one that reveals nothing.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: Unavailable, Text: "the server cannot do it now", RetryAfter: time.Second}
}

// asError is AsError for an error that may be nil.
func asError(err error) error {
	if err == nil {
		return nil
	}
	return AsError(err)
}
