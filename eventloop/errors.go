package eventloop

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// The reasons handed to [Protocol.Closed]; compare with errors.Is.
var (
	// ErrAborted: we dropped the conn (Conn.Abort).
	ErrAborted = errors.New("eventloop: aborted locally")
	// ErrReset: the peer reset the conn, hung up both directions, or the
	// network gave it up.
	ErrReset = errors.New("eventloop: connection reset by peer")
	// ErrWriteTimeout: the peer took nothing for Config.WriteTimeout, or not
	// everything within Config.CloseTimeout of a close.
	ErrWriteTimeout = errors.New("eventloop: peer does not read")
	// ErrOutboxFull: the protocol wrote on above Config.OutboxBytes.
	ErrOutboxFull = errors.New("eventloop: outbox is full")
	// ErrShutdown: the group stopped before the conn had closed in good order.
	ErrShutdown = errors.New("eventloop: shut down")
)

// PanicError reports a panic that escaped a Protocol method, a timer or a
// posted function; it ended the conn it ran for.
type PanicError struct {
	Value any    // what was passed to panic
	Stack []byte // of the goroutine that panicked
}

// Error names the value; the stack is in the log.
func (e *PanicError) Error() string { return fmt.Sprintf("eventloop: panic: %v", e.Value) }

// Unwrap is the value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// ioError says why a read, a write or a shutdown failed. Whatever the kernel
// says, the peer is no longer reachable.
func ioError(err error) error {
	if err == unix.ECONNRESET || err == unix.EPIPE {
		return ErrReset
	}
	return fmt.Errorf("%w (%v)", ErrReset, err)
}
