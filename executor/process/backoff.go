package process

import (
	"time"

	"github.com/gale-server/gale/executor/subprocess"
)

// backoff says when the next worker may be started.
//
// Not safe for concurrent use.
type backoff struct {
	min, max time.Duration
	failures int       // since the last job that succeeded
	until    time.Time // no start before
	err      *StartError
}

// failed notes that a worker ended badly; err is nil unless it did not even
// start. The first one that dies in a job costs no pause: it may well have been
// the job.
func (b *backoff) failed(now time.Time, err *StartError) {
	b.failures = min(b.failures+1, 64) // more make no difference
	b.err = err
	counted := b.failures
	if err == nil {
		counted--
	}
	b.until = now.Add(subprocess.Pause(counted, b.min, b.max))
}

// succeeded forgets what went wrong.
func (b *backoff) succeeded() { b.failures, b.until, b.err = 0, time.Time{}, nil }

// pause is how long no worker may be started, and the error of those who need
// one meanwhile; nil if they should wait.
func (b *backoff) pause(now time.Time) (time.Duration, error) {
	rest := b.until.Sub(now)
	if rest <= 0 {
		return 0, nil
	}
	if b.err == nil {
		return rest, nil
	}
	err := *b.err
	err.RetryAfter = rest
	return rest, &err
}
