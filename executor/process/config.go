package process

import (
	"errors"
	"log/slog"
	"math"
	"runtime"
	"time"

	"github.com/gale-server/gale/executor/process/wire"
)

// Config tunes a [Pool]. The zero value is ready: a worker for every processor,
// each this program again. In every field zero means the default; what a
// negative value means is said there.
//
// Not safe for concurrent use; [New] takes a copy.
type Config struct {
	// Workers bounds the processes, those that start or stop included. Default:
	// the number of processors. A negative value is an error.
	Workers int

	// Command is the program and its arguments; it speaks the worker protocol
	// (PROTOCOL.md) and is the worker itself, not a shell that starts it.
	// Default: this program again, whose main must call [Main] first.
	Command []string

	// Env is the environment, as "name=value". Default: that of this process.
	// GALE_WORKER=1 is added, and what the service manager told this process
	// about its sockets (LISTEN_FDS, NOTIFY_SOCKET and the like) is left out.
	Env []string

	// Dir is the working directory. Default: that of this process.
	Dir string

	// Jobs are names of jobs that every worker must have; one that has not does
	// not start. Default: none. A worker that is this program again must have
	// the very same jobs in any case.
	Jobs []string

	// Nice is the niceness of the workers, 1 to 19. Default: 19, so that a busy
	// worker never takes a processor from an event loop that wants it; as with a cpu
	// class of package executor, this program's own threads get the shortest time
	// slice, too. Negative: that of this process.
	Nice int

	// MaxPayloadBytes bounds a job's payload and its result. Default: 64 MiB.
	// A negative value is an error.
	MaxPayloadBytes int64

	// MaxMemoryBytes bounds the address space that a worker may add to what it
	// has when it is ready (RLIMIT_AS): allocating more fails, in the worker. Go
	// allocates it in steps of 64 MiB. Default: 2 GiB. Negative: no bound. Linux
	// only.
	MaxMemoryBytes int64

	// MaxResidentBytes is how much memory a worker may hold when a job is over;
	// one that holds more is replaced. Default: 512 MiB, which few programs need
	// between jobs unless they leak. Negative: no bound. Linux only.
	MaxResidentBytes int64

	// MaxCPUTime bounds the processor time of one job, all threads of the worker
	// added up; a worker that takes more is killed. Default: no bound, since the
	// deadline of the job's context bounds it too. Linux only.
	MaxCPUTime time.Duration

	// MaxFiles bounds the descriptors of a worker (RLIMIT_NOFILE). Default: 256.
	// Negative: the limit of this process. Linux only.
	MaxFiles int

	// MaxJobs is after how many jobs a worker is replaced, less up to a tenth by
	// chance, so that the workers are not all replaced at once. Default: never.
	MaxJobs int

	// MaxProgress bounds the reports of progress of one job; a worker that sends
	// more is killed. Each costs this process a turn, also if nobody listens.
	// Default: 1,000,000, one each millisecond for 16 minutes. Negative: no bound.
	MaxProgress int

	// StartTimeout bounds the time from the start of a worker to its hello.
	// Default: 30 s, since at a niceness of 19 an import may take a while.
	// Negative: no limit.
	StartTimeout time.Duration

	// HeartbeatInterval is how often a worker is asked whether it lives, busy or
	// not; HeartbeatTimeout after how long without any sign it is killed. The job
	// does not answer, a thread beside it does, so a long job is no silent worker;
	// in Python, a C extension that keeps the interpreter lock that long is.
	// Default: 2 s and 20 s. Negative: it is never asked, never killed.
	HeartbeatInterval time.Duration
	HeartbeatTimeout  time.Duration

	// KillAfter is how long a job has to end after it was told that its context
	// is over; then its worker is killed, with all of its process group. It is
	// also how long a worker without a job may take to exit. Default: 1 s.
	// Negative: it is killed at once.
	KillAfter time.Duration

	// Backoff is the pause before a worker is started when the last two ended
	// badly; it doubles with every further one, up to MaxBackoff, until a job
	// succeeds. Default: 100 ms and 10 s. A negative value is an error.
	Backoff    time.Duration
	MaxBackoff time.Duration

	// QuarantineAfter is how many workers the same job with the same payload may
	// cost before it is refused, for QuarantineTime from the last one. Default: 3
	// and 10 min. Negative: it is never refused.
	QuarantineAfter int
	QuarantineTime  time.Duration

	// Logger receives what no caller can be told, and what workers write to
	// their stderr, line by line (a worker's stdout goes there too). Default:
	// slog.Default().
	Logger *slog.Logger
}

// withDefaults returns c with every default put in and every "no limit" written
// as a limit that is never reached, or as zero where that means to do nothing.
func (c Config) withDefaults() (Config, error) {
	if c.Workers < 0 || c.MaxPayloadBytes < 0 || c.Backoff < 0 || c.MaxBackoff < 0 {
		return c, errors.New("process: a negative value of Workers, MaxPayloadBytes or Backoff")
	}
	if c.Nice > 19 {
		return c, errors.New("process: a niceness above 19")
	}
	if c.MaxPayloadBytes > wire.MaxPayloadBytes {
		return c, errors.New("process: MaxPayloadBytes is more than the protocol can say")
	}
	if c.Command != nil && len(c.Command) == 0 {
		return c, errors.New("process: a Command without a program")
	}
	fill(&c.Workers, runtime.NumCPU(), 0)
	fill(&c.Nice, 19, 0)
	fill(&c.MaxPayloadBytes, 64<<20, 0)
	fill(&c.MaxMemoryBytes, 2<<30, 0)
	fill(&c.MaxResidentBytes, 512<<20, math.MaxInt64)
	fill(&c.MaxCPUTime, 0, 0)
	fill(&c.MaxFiles, 256, 0)
	fill(&c.MaxJobs, 0, 0)
	fill(&c.MaxProgress, 1_000_000, math.MaxInt)
	fill(&c.StartTimeout, 30*time.Second, math.MaxInt64)
	fill(&c.HeartbeatInterval, 2*time.Second, 0)
	fill(&c.HeartbeatTimeout, 20*time.Second, math.MaxInt64)
	fill(&c.KillAfter, time.Second, 0)
	fill(&c.Backoff, 100*time.Millisecond, 0)
	fill(&c.MaxBackoff, 10*time.Second, 0)
	fill(&c.QuarantineAfter, 3, 0)
	fill(&c.QuarantineTime, 10*time.Minute, math.MaxInt64)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c, nil
}

// fill puts what zero and what a negative value stand for.
func fill[T int | int64 | time.Duration](field *T, zero, negative T) {
	switch {
	case *field == 0:
		*field = zero
	case *field < 0:
		*field = negative
	}
}
