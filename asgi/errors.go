package asgi

import (
	"errors"
	"fmt"
	"runtime/debug"
)

var (
	// ErrDisconnected is returned by send once the peer is gone. It is no fault
	// of the application: a server that gets it back does not log it.
	ErrDisconnected = errors.New("asgi: peer disconnected")

	// ErrForeignGoroutine is returned when receive, send or an Exchange's method
	// is called from a goroutine that does not own the exchange. Other
	// goroutines use Exchange.Post, or the application runs under Goroutine.
	ErrForeignGoroutine = errors.New("asgi: called from a goroutine that does not own the exchange")

	// ErrNilEvent is returned when what is sent is nil, or a nil pointer.
	ErrNilEvent = errors.New("asgi: the event to send is nil")

	// ErrIncomplete says that an application ended before its response did.
	ErrIncomplete = errors.New("asgi: application ended before its response was complete")

	// ErrUnsupportedScope is what an application returns for a scope type it
	// does not know (ASGI: "raise an exception").
	ErrUnsupportedScope = errors.New("asgi: unsupported scope type")

	errLoopStopped = errors.New("asgi: loop stopped")
	errGoexit      = errors.New("asgi: application called runtime.Goexit")
)

// PanicError is a panic of an application, or a call of runtime.Goexit, stopped
// at the boundary: it costs the exchange, never the process.
//
// Safe for concurrent use: immutable.
type PanicError struct {
	Value any
	Stack []byte // as of runtime/debug.Stack
}

// Recovered makes an error of what recover returned to a deferred function whose
// caller did not return: nil stands for runtime.Goexit.
func Recovered(value any) *PanicError {
	if value == nil {
		value = errGoexit
	}
	return &PanicError{Value: value, Stack: debug.Stack()}
}

func (e *PanicError) Error() string { return fmt.Sprintf("asgi: application panicked: %v", e.Value) }

// Unwrap returns the panic's value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}
