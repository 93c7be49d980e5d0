package jobs

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/executor"
)

// Config says what the jobs are and within which limits. The zero value of every
// field but Class and Accept means its default; a negative number is refused by
// [New] unless the field says what it means.
//
// Safe for concurrent use while nobody changes it.
type Config struct {
	// Class runs the jobs. Required.
	Class *executor.Class

	// Accept makes a job of a request, or an error that says what is wrong with
	// it: see [Error], and the package comment for what becomes of others.
	// Required. It is called on a loop and must not block; it is the place to
	// look at a picture's header and set what the job costs.
	//
	// The job's Run returns a [Result]; a []byte, a string or nil stand for
	// results of the types application/octet-stream, text/plain and none, and
	// any other value is answered as JSON. Run reports its progress with
	// executor.Report; only the percentage is passed on. A Client left empty is
	// what Config.Client said, a Cost of 0 the length of the body, a zero Deadline
	// that of JobTimeout. A MaxQueueTime of 0 is no limit but the deadline: who
	// was answered with 202 has not gone, however long the queue is.
	Accept func(*Request) (executor.Job, error)

	// Client says who makes a request, "" for nobody in particular: whose turn
	// its jobs take, and whose jobs GET <base>/events shows. It is called on a loop and must
	// not block; an error is answered as one of Accept is. Whoever can make
	// it return a name sees the jobs of that name, so it checks a credential, or
	// the name is a secret. Default: nobody.
	Client func(*asgi.Scope) (string, error)

	// MaxBodyBytes bounds the body of a request; a larger one is answered with
	// 413. Default 16 MiB: a large photograph.
	MaxBodyBytes int64

	// MaxUploadBytes bounds the memory of all bodies that are being received;
	// what does not fit is answered with 503. Default 256 MiB: as much as a
	// class holds for jobs that wait.
	MaxUploadBytes int64

	// MaxWait bounds what a client may wait for one answer; a longer wait is
	// shortened. Default 55 s: proxies give up after 60.
	MaxWait time.Duration

	// JobTimeout is the deadline of a job whose Deadline Accept has not set, from
	// its acceptance on. Default 5 min: who has waited longer has gone.
	// Negative: none.
	JobTimeout time.Duration

	// MaxJobs bounds the jobs that are known, ended ones included. A new job
	// takes the place of the one that ended first, which is then forgotten
	// before its time; if none has ended the request is answered with 503.
	// Default 10,000: some ten MiB without their results.
	MaxJobs int

	// KeepResults is how long a job is known after its end. Default 5 min: a
	// client that was cut off comes back sooner.
	KeepResults time.Duration

	// MaxResultBytes bounds the memory of all results, those that are being sent
	// included. A new result takes the place of the oldest ones that are not being
	// sent; their jobs stay known, their results are answered with 410. One for
	// which there is no room then fails its job with 503, one larger than all the
	// room with 500. Default 256 MiB: some hundred pictures.
	MaxResultBytes int64

	// MaxFollowers bounds the exchanges that wait for changes of one job, or of
	// one client's jobs; a further one is answered with 503. Default 1000: each
	// of them is told of each change.
	MaxFollowers int

	// PositionInterval is how often the place of a waiting job in the queue is
	// looked up while somebody follows it; of many such jobs, and in a long queue,
	// some have their turn in each interval. Default 1 s: what a page shows
	// without flicker.
	PositionInterval time.Duration

	// Heartbeat is the silence after which a comment is sent on an event stream.
	// Default 20 s: the strictest proxies drop a silent connection after 30.
	Heartbeat time.Duration

	// MaxStreamAge bounds the life of an event stream, less up to a fifth by
	// chance so that not all come back at once; the client connects again by
	// itself. Default 10 min: proxies and address books change. Negative: no
	// bound.
	MaxStreamAge time.Duration

	// Logger takes why jobs failed, where that is not for the client to know. It is
	// called on loops, and must not wait for its writer. Default: slog.Default().
	Logger *slog.Logger
}

// positionBatch is how many places are looked up in one interval at most.
const positionBatch = 100

func (c Config) withDefaults() (Config, error) {
	if c.Class == nil || c.Accept == nil {
		return c, errors.New("jobs: Config: Class and Accept are required")
	}
	if c.Client == nil {
		c.Client = func(*asgi.Scope) (string, error) { return "", nil }
	}
	standard(&c.MaxBodyBytes, 16<<20)
	standard(&c.MaxUploadBytes, 256<<20)
	standard(&c.MaxWait, 55*time.Second)
	standard(&c.JobTimeout, 5*time.Minute)
	standard(&c.MaxJobs, 10_000)
	standard(&c.KeepResults, 5*time.Minute)
	standard(&c.MaxResultBytes, 256<<20)
	standard(&c.MaxFollowers, 1000)
	standard(&c.PositionInterval, time.Second)
	standard(&c.Heartbeat, 20*time.Second)
	standard(&c.MaxStreamAge, 10*time.Minute)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	for _, limit := range []int64{
		c.MaxBodyBytes, c.MaxUploadBytes, int64(c.MaxWait), int64(c.MaxJobs), int64(c.KeepResults),
		c.MaxResultBytes, int64(c.MaxFollowers), int64(c.PositionInterval), int64(c.Heartbeat),
	} {
		if limit < 0 {
			return c, fmt.Errorf("jobs: Config: a limit is negative: %d", limit)
		}
	}
	return c, nil
}

func standard[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
