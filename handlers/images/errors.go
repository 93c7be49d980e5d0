package images

import (
	"context"
	"errors"
	"fmt"
)

// Fault says who broke which rule. Safe for concurrent use.
type Fault uint8

const (
	// RequestFault: what is asked for is wrong, whatever the picture (400).
	RequestFault Fault = iota + 1
	// SizeFault: the file has too many bytes (413).
	SizeFault
	// FormatFault: the file is no picture of an accepted format, or uses a
	// feature of it that is not supported (415).
	FormatFault
	// PictureFault: the picture is damaged, lies about itself, or is over a limit
	// on pixels, memory or frames (422).
	PictureFault
)

// Error is what the client did wrong: its request, or its picture. Everything
// else that the package returns is the end of a context. Safe for concurrent use.
type Error struct {
	Fault  Fault
	Reason string // a clause for the client to read; holds none of its bytes
	Err    error  // what the decoder said, or nil
}

// Error implements error. The text is fit to be shown to the client.
func (e *Error) Error() string { return "images: " + e.Reason }

// Unwrap returns what the decoder said. It is for logs: it may hold bytes of
// the picture.
func (e *Error) Unwrap() error { return e.Err }

// HTTPStatus returns the status of a response that tells the client: 400, 413,
// 415 or 422.
func (e *Error) HTTPStatus() int {
	switch e.Fault {
	case RequestFault:
		return 400
	case SizeFault:
		return 413
	case FormatFault:
		return 415
	case PictureFault:
		return 422
	}
	return 500
}

// StatusOf returns the status of a response to err: that of the Error in it, 503
// (Service Unavailable) if a deadline passed or the work was cancelled, 500 for
// any other error and 200 for none.
func StatusOf(err error) int {
	var e *Error
	switch {
	case err == nil:
		return 200
	case errors.As(err, &e):
		return e.HTTPStatus()
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return 503
	}
	return 500
}

func fail(fault Fault, format string, args ...any) error {
	return &Error{Fault: fault, Reason: fmt.Sprintf(format, args...)}
}

func damaged(f Format, err error) error {
	return &Error{Fault: PictureFault, Reason: "the " + f.String() + " picture is damaged or cut short", Err: err}
}
