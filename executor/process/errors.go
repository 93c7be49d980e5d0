package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/gale-server/gale/executor/process/wire"
)

// What went wrong, where it needs no further facts; compare with errors.Is.
var (
	// ErrClosed: the pool is closed or closing.
	ErrClosed = errors.New("process: the pool is closed")
	// ErrTooLarge: a payload or a result is longer than Config.MaxPayloadBytes.
	ErrTooLarge = errors.New("process: payload is too large")
	// ErrUnknownJob: the workers have no job of that name.
	ErrUnknownJob = errors.New("process: no such job")
	// ErrMemory: the job wanted more memory than Config.MaxMemoryBytes. A
	// [*CrashError] or a [*RemoteError] wraps it.
	ErrMemory = errors.New("it exceeded its memory limit")
	// ErrCPUTime: the job took more than Config.MaxCPUTime. A [*CrashError]
	// wraps it.
	ErrCPUTime = errors.New("it exceeded its processor time")
	// ErrNoHeartbeat: the worker gave no sign of life for
	// Config.HeartbeatTimeout. A [*CrashError] wraps it.
	ErrNoHeartbeat = errors.New("it gave no sign of life")
)

// CrashError says that the worker died while it ran the job, by itself or
// because it broke a limit. Only this job is lost.
type CrashError struct {
	Job    string
	PID    int
	State  *os.ProcessState // exit status or signal, and what it used
	Stderr string           // what it wrote to stderr during the job: the start and the end of it
	// MidFrame says that what it wrote last was the start of a message only.
	MidFrame bool
	Reason   error // ErrMemory, ErrCPUTime, ErrNoHeartbeat, or nil: nobody here killed it
}

// Error says how the worker ended, with the line of stderr that says most.
func (e *CrashError) Error() string {
	text := fmt.Sprintf("process: worker %d died during job %q: ", e.PID, e.Job)
	if e.Reason != nil {
		text += e.Reason.Error() + ": "
	}
	if e.State == nil { // somebody else reaped it
		return text + "nobody knows how" + quoteLine(e.Stderr)
	}
	text += e.State.String()
	if status, ok := e.State.Sys().(syscall.WaitStatus); ok && e.Reason == nil && status.Signaled() && status.Signal() == syscall.SIGKILL {
		text += " (not by the pool: by the kernel, if memory was short, or by somebody else)"
	}
	if e.MidFrame {
		text += ", in the middle of a message"
	}
	return text + quoteLine(e.Stderr)
}

// Unwrap is the reason.
func (e *CrashError) Unwrap() error { return e.Reason }

// DeadlineError says that the deadline of the job's context came before its
// result.
type DeadlineError struct {
	Job    string
	Killed bool // the job did not end when it was told to, and its worker was killed
}

// Error says whether the worker was killed.
func (e *DeadlineError) Error() string { return "process: the deadline of " + over(e.Job, e.Killed) }

// Unwrap is context.DeadlineExceeded.
func (e *DeadlineError) Unwrap() error { return context.DeadlineExceeded }

// CanceledError says that the job's context was canceled before its result.
type CanceledError struct {
	Job    string
	Killed bool  // as in DeadlineError
	Cause  error // context.Cause
}

// Error says whether the worker was killed.
func (e *CanceledError) Error() string { return "process: the context of " + over(e.Job, e.Killed) }

// Unwrap is context.Canceled and the cause.
func (e *CanceledError) Unwrap() []error { return []error{context.Canceled, e.Cause} }

func over(job string, killed bool) string {
	if killed {
		return fmt.Sprintf("job %q is over; it did not stop, and its worker was killed", job)
	}
	return fmt.Sprintf("job %q is over", job)
}

// ProtocolError says that the worker wrote something to its stdout that is not
// the worker protocol, and was killed. Often that is a print.
type ProtocolError struct {
	Job    string // "" if it had none
	PID    int
	Err    error  // what is wrong
	Sample string // the start of what was read last, at most 64 bytes
	Stderr string // as in CrashError
}

// Error quotes the sample.
func (e *ProtocolError) Error() string {
	return fmt.Sprintf("process: worker %d broke the protocol during job %q: %v; it wrote %q", e.PID, e.Job, e.Err, e.Sample)
}

// Unwrap is what is wrong.
func (e *ProtocolError) Unwrap() error { return e.Err }

// QuarantinedError says that the job was not run, because it cost several
// workers with this very payload.
type QuarantinedError struct {
	Job     string
	Crashes int       // how many workers it cost
	Until   time.Time // when it will be tried again
}

// Error says how many workers it cost.
func (e *QuarantinedError) Error() string {
	return fmt.Sprintf("process: job %q with this payload is in quarantine: it cost %d workers", e.Job, e.Crashes)
}

// RemoteError is the error that the job returned, or its panic. The worker
// lives.
type RemoteError struct {
	Job     string
	Message string
	Panic   bool   // it panicked; in Python, it raised an exception that it did not mean to
	Stack   string // where, if the worker says so
	kind    wire.FailureKind
}

// Error is the message of the job.
func (e *RemoteError) Error() string {
	if e.Panic {
		return fmt.Sprintf("process: job %q panicked: %s", e.Job, e.Message)
	}
	return fmt.Sprintf("process: job %q: %s", e.Job, e.Message)
}

// Is makes the error ErrMemory if the job could not get memory, and
// ErrUnknownJob if the worker does not have it.
func (e *RemoteError) Is(target error) bool {
	return e.kind == wire.NoMemory && target == ErrMemory || e.kind == wire.Unknown && target == ErrUnknownJob
}

// StartError says that no worker could be started: the program is missing, exits
// before it is ready, takes longer than Config.StartTimeout, has other jobs, or
// speaks another version of the protocol (a [*wire.VersionError]).
type StartError struct {
	Command    []string
	Err        error
	Stderr     string        // as in CrashError, from the start on
	RetryAfter time.Duration // how long the pool will not try again
}

// Error says what failed, with the line of stderr that says most.
func (e *StartError) Error() string {
	return fmt.Sprintf("process: worker %q does not start: %v%s", e.Command, e.Err, quoteLine(e.Stderr))
}

// Unwrap is what failed.
func (e *StartError) Unwrap() error { return e.Err }

// lastWord is how the Go runtime starts to say why it ends the program.
var lastWord = regexp.MustCompile(`^(fatal error|panic|SIG[A-Z0-9]+): `)

// quoteLine is the line of a worker's last words that says most: the first that
// starts as the Go runtime does when it dies, else the last one.
func quoteLine(stderr string) string {
	line := ""
	for l := range strings.Lines(stderr) {
		if l = strings.TrimSpace(l); l == "" {
			continue
		}
		line = l
		if lastWord.MatchString(l) {
			break
		}
	}
	if line == "" {
		return ""
	}
	return fmt.Sprintf("; stderr: %q", line[:min(len(line), 200)])
}

// outOfMemory says whether a worker's last words are those of a program that
// could not get memory.
func outOfMemory(stderr []byte) bool {
	for _, sign := range []string{
		"out of memory", "cannot allocate memory", "Cannot allocate memory", "MemoryError", "std::bad_alloc",
		"too many address space collisions", // a Go program with the race detector
	} {
		if bytes.Contains(stderr, []byte(sign)) {
			return true
		}
	}
	return false
}
