package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/executor"
	"github.com/gale-server/gale/handlers"
)

// Error is an answer to a request that is not carried out, or to a job that
// failed through its client's fault.
//
// Safe for concurrent use: immutable.
type Error struct {
	Status     int           // of HTTP, 400 to 599
	Reason     string        // for the client to read
	RetryAfter time.Duration // when to try again; 0: nothing is said
}

func (e *Error) Error() string { return fmt.Sprintf("jobs: %d: %s", e.Status, e.Reason) }

// HTTPStatus returns Status.
func (e *Error) HTTPStatus() int { return e.Status }

// problem is an error as clients see it (RFC 9457, with the member retry_after,
// in seconds).
type problem struct {
	Title      string `json:"title"`
	Status     int    `json:"status"`
	Detail     string `json:"detail,omitempty"`
	RetryAfter int64  `json:"retry_after,omitempty"`
}

func newProblem(status int, detail string, retryAfter time.Duration) *problem {
	if status < 400 || status > 599 {
		status = http.StatusInternalServerError
	}
	return &problem{
		Title:      http.StatusText(status),
		Status:     status,
		Detail:     detail,
		RetryAfter: int64((retryAfter + time.Second - 1) / time.Second), // rounded up
	}
}

// problemOf maps an error of Accept, of the class or of a job to what its client
// is told: the one place that does. secret says that the client is not told all,
// so that it is to be logged.
func problemOf(err error) (p *problem, secret bool) {
	var (
		panicked  *executor.PanicError
		own       *Error
		saturated *executor.SaturatedError
		status    interface{ HTTPStatus() int }
	)
	switch {
	case errors.As(err, &panicked): // first: it wraps what was panicked with
		return newProblem(http.StatusInternalServerError, "the job failed", 0), true
	case errors.As(err, &own):
		return newProblem(own.Status, own.Reason, own.RetryAfter), false
	case errors.As(err, &saturated):
		return newProblem(saturated.HTTPStatus(), saturatedText(saturated), saturated.RetryAfter), false
	case errors.As(err, &status):
		if s := status.HTTPStatus(); s >= 400 && s < 500 {
			return newProblem(s, err.Error(), 0), false
		}
		return newProblem(status.HTTPStatus(), "the job failed", 0), true
	case errors.Is(err, executor.ErrClosed):
		return newProblem(http.StatusServiceUnavailable, "the server is shutting down", time.Second), false
	case errors.Is(err, context.DeadlineExceeded):
		return newProblem(http.StatusGatewayTimeout, "the job took too long", 0), false
	case errors.Is(err, context.Canceled):
		return newProblem(http.StatusServiceUnavailable, "the job was cancelled", time.Second), false
	default:
		return newProblem(http.StatusInternalServerError, "the job failed", 0), true
	}
}

func saturatedText(err *executor.SaturatedError) string {
	switch err.Reason {
	case executor.TooLarge:
		return "the job needs more memory than a job may have"
	case executor.ClientLimit:
		return "you have as many jobs as one client may have"
	case executor.QueueTime, executor.Overload:
		return "the job has waited too long and was not run"
	default:
		return "too many jobs are waiting"
	}
}

var noStore = asgi.Header{Name: "cache-control", Value: "no-store"}

// fail answers an HTTP exchange with a problem.
func (p *problem) fail(x asgi.Exchange, headers ...asgi.Header) {
	if p.RetryAfter > 0 {
		headers = append(headers, asgi.Header{Name: "retry-after", Value: strconv.FormatInt(p.RetryAfter, 10)})
	}
	respondJSON(x, p.Status, p, "application/problem+json", headers...)
}

// respondJSON answers with a value; an error means that the peer is gone, or has
// been seen to by handlers.Respond.
func respondJSON(x asgi.Exchange, status int, v any, contentType string, headers ...asgi.Header) error {
	headers = append(headers, asgi.Header{Name: "content-type", Value: contentType}, noStore)
	return handlers.Respond(x, status, append(encode(v), '\n'), headers...)
}

// encode marshals one of the package's own structs, which cannot fail.
func encode(v any) []byte {
	p, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return p
}
