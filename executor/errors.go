package executor

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/executor/internal/admission"
)

var (
	// ErrSaturated is what every [SaturatedError] is, for errors.Is.
	ErrSaturated = errors.New("executor: saturated")

	// ErrClosed says that the executor is shutting down: the job was refused, or
	// it was waiting when the time for shutting down was over.
	ErrClosed = errors.New("executor: closed")

	// ErrDeadlock says that a job waits for another one that could never start,
	// since every worker of its class is held by jobs that wait like this one.
	ErrDeadlock = errors.New("executor: nested job would wait for ever")

	errGoexit  = errors.New("executor: job called runtime.Goexit")
	errNoJob   = errors.New("executor: job without a function")
	errNoClass = errors.New("executor: job for a nil Class: Executor.Class returns one")
)

// Reason says why a job was not run.
type Reason uint8

// Reasons. QueueTime and Overload befall jobs that were accepted and waited.
const (
	QueueFull   Reason = iota + 1 // as many jobs as may wait are waiting
	BytesHeld                     // its Cost does not fit beside what others hold
	ClientLimit                   // its client has as many jobs as one may have
	JoinLimit                     // as many futures as may wait for jobs of others do
	TooLarge                      // its Cost or RunCost is above what the class can ever hold
	QueueTime                     // it waited for its MaxQueueTime
	Overload                      // it waited too long in a queue that stands
	reasons
)

var reasonNames = [reasons]string{"", "queue full", "bytes held", "client limit", "join limit", "too large", "queue time", "overload"}

func (r Reason) String() string {
	if r < reasons {
		return reasonNames[r]
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

func reasonOf(r admission.Reason) Reason {
	switch r {
	case admission.Jobs:
		return QueueFull
	case admission.Bytes:
		return BytesHeld
	case admission.Client:
		return ClientLimit
	case admission.TooLarge:
		return TooLarge
	case admission.Expired:
		return QueueTime
	case admission.Standing:
		return Overload
	}
	panic("executor: no reason")
}

// SaturatedError says that a class has no room for a job, or had none in time.
// The job has not run and will not. It is an ErrSaturated for errors.Is.
//
// Safe for concurrent use: immutable.
type SaturatedError struct {
	Class      string
	Reason     Reason
	RetryAfter time.Duration // when to try again, at the earliest; 0 for TooLarge, which is for ever
	Waited     time.Duration // how long the job was waiting
}

func (e *SaturatedError) Error() string {
	return fmt.Sprintf("executor: class %s is saturated: %s", e.Class, e.Reason)
}

// Is reports whether target is ErrSaturated.
func (e *SaturatedError) Is(target error) bool { return target == ErrSaturated }

// HTTPStatus returns the status that answers a request which ended with the
// error: 503 (RFC 9110, section 15.6.4); 413 if it is too large; 429 (RFC 6585,
// section 4) if it is its client that has too many.
func (e *SaturatedError) HTTPStatus() int {
	switch e.Reason {
	case TooLarge:
		return http.StatusRequestEntityTooLarge
	case ClientLimit:
		return http.StatusTooManyRequests
	}
	return http.StatusServiceUnavailable
}

// HTTPHeaders returns the fields that go with the status: Retry-After in seconds,
// rounded up (RFC 9110, section 10.2.3), where there is a time to come back.
func (e *SaturatedError) HTTPHeaders() []asgi.Header {
	if e.RetryAfter <= 0 {
		return nil
	}
	seconds := (e.RetryAfter + time.Second - 1) / time.Second
	return []asgi.Header{{Name: "retry-after", Value: strconv.FormatInt(int64(seconds), 10)}}
}

// CloseCode returns the code that closes a WebSocket which ended with the error:
// 1013, try again later, or 1009, message too big.
func (e *SaturatedError) CloseCode() int {
	if e.Reason == TooLarge {
		return 1009
	}
	return 1013
}

// PanicError is a panic of a job, recovered: it costs the job, never the process.
//
// Safe for concurrent use: immutable.
type PanicError struct {
	Value any
	Stack []byte // as of runtime/debug.Stack
}

func (e *PanicError) Error() string { return fmt.Sprintf("executor: job panicked: %v", e.Value) }

// Unwrap returns the panic's value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}
