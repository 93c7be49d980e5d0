package python

import (
	"errors"
	"fmt"
	"strings"
)

// What went wrong, where it needs no further facts; compare with errors.Is.
var (
	// ErrClosed: the workers are stopping, or were never started.
	ErrClosed = errors.New("python: the workers are stopped")
	// ErrBusy: every worker has as many jobs as Config.MaxJobs.
	ErrBusy = errors.New("python: every worker has as many jobs as it may")
	// ErrUnknownJob: no worker has a job of that name.
	ErrUnknownJob = errors.New("python: no such job")
	// ErrTooLarge: the payload of a job, or the value of a call, does not fit into a
	// message.
	ErrTooLarge = errors.New("python: payload is too large")

	errSlowStart = errors.New("it was not ready within Config.StartTimeout")
	errSlowStop  = errors.New("it did not end within Config.StopTimeout")
	errBlocked   = errors.New("its event loop stood still for Config.BlockTimeout")
	errHungUp    = errors.New("it closed its control socket, descriptor 3")
)

// StartError says why the application does not start.
type StartError struct {
	// Kind is "interpreter", "version", "import", "attribute", "factory", "lifespan",
	// "timeout" or "exit".
	Kind    string
	Message string // one line
	Trace   string // the traceback of Python, of several lines; or empty
	Advice  string // one line; or empty
	Output  string // what the worker wrote to stdout and stderr: the start and the end of it
	Err     error  // what failed here; or nil
}

// Error is the message and the advice. The traceback is in the log.
func (e *StartError) Error() string {
	text := "python: " + e.Message
	if line := lastLine(e.Output); e.Trace == "" && line != "" {
		text += fmt.Sprintf("; it wrote %q", line)
	}
	if e.Advice != "" {
		text += "; " + e.Advice
	}
	return text
}

// Unwrap is what failed here.
func (e *StartError) Unwrap() error { return e.Err }

// CrashError says that the worker died while it ran the job. Only what it did is lost.
type CrashError struct {
	Job    string
	Worker int
	PID    int
	Reason string // how it ended
}

// Error says how the worker ended.
func (e *CrashError) Error() string {
	return fmt.Sprintf("python: worker %d died during job %q: %s", e.Worker, e.Job, e.Reason)
}

// JobError is the exception that a job raised. The worker lives.
type JobError struct {
	Job     string
	Kind    string // the name of the exception's class
	Message string
}

// Error is the exception.
func (e *JobError) Error() string {
	return fmt.Sprintf("python: job %q raised %s: %s", e.Job, e.Kind, e.Message)
}

// lastLine is the last line that is not empty, at most 200 bytes of it.
func lastLine(text string) string {
	last := ""
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			last = line
		}
	}
	return last[:min(len(last), 200)]
}
