package process

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/gale-server/gale/executor/subprocess"
)

// Pool runs jobs in worker processes, one at a time in each. Make one with
// [New].
//
// Safe for concurrent use.
type Pool struct {
	config     Config
	tokens     chan struct{} // one for every process there may be; who sends has one
	starter    *subprocess.Starter
	closing    chan struct{} // closed by the first Close: no more jobs
	quit       chan struct{} // closed when no worker is left
	closed     chan struct{} // closed when Close is through
	goroutines sync.WaitGroup
	quarantine *quarantine

	mu      sync.Mutex
	idle    []*child // the one used last is last
	live    map[*child]struct{}
	backoff backoff
	aborted bool // Close ran out of time: every worker is killed
	begun   bool // Close was called
	stats   Stats
}

// Stats are the figures of a [Pool]: first what is now, then what has been since
// it was made.
type Stats struct {
	Workers     int // processes, those that start or stop included
	Idle        int // processes without a job
	Waiting     int // jobs that wait for a process
	Quarantined int // jobs with payloads that are refused

	Started   uint64 // processes
	Replaced  uint64 // processes that ended because of MaxJobs or MaxResidentBytes
	Succeeded uint64 // jobs
	Failed    uint64 // jobs with an error of their own
	Crashed   uint64 // jobs that cost their worker
	Stopped   uint64 // jobs whose context was over, before or after they began
	Killed    uint64 // of those, jobs that did not stop
}

type spawned struct {
	child *child
	err   error
}

// New makes a pool. It starts no process: jobs do, when they need one.
func New(config Config) (*Pool, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	config.Command = slices.Clone(config.Command)
	config.Jobs = slices.Clone(config.Jobs)
	p := &Pool{
		config:     config,
		tokens:     make(chan struct{}, config.Workers),
		closing:    make(chan struct{}),
		quit:       make(chan struct{}),
		closed:     make(chan struct{}),
		live:       make(map[*child]struct{}),
		quarantine: newQuarantine(config.QuarantineAfter, config.QuarantineTime),
		backoff:    backoff{min: config.Backoff, max: max(config.Backoff, config.MaxBackoff)},
		starter:    subprocess.NewStarter(),
	}
	if config.HeartbeatInterval > 0 {
		p.goroutines.Add(1)
		go p.heartbeats()
	}
	return p, nil
}

// jobsPerWorker is MaxJobs less up to a tenth, or -1.
func (p *Pool) jobsPerWorker() int {
	n := p.config.MaxJobs
	if n == 0 {
		return -1
	}
	return n - rand.IntN(n/10+1)
}

// Do has a worker run the job name with payload as it is, and waits for its
// result. It starts a worker if none is free and there may be one more, and
// waits for one otherwise. payload is not retained; the result belongs to the
// caller.
//
// When ctx is over, a job that waits is given up, and one that runs is told. If
// it has not ended Config.KillAfter later its worker is killed, so Do returns
// soon in any case. A result that comes in that time is a result.
//
// The error is one of [CrashError], [ProtocolError], [RemoteError], [StartError],
// [DeadlineError], [CanceledError] and [QuarantinedError], always as a pointer, or
// wraps ErrTooLarge, ErrUnknownJob or ErrClosed.
func (p *Pool) Do(ctx context.Context, name string, payload []byte, opts ...Option) ([]byte, error) {
	if int64(len(payload)) > p.config.MaxPayloadBytes {
		return nil, fmt.Errorf("%w: %d bytes for job %q, the limit is %d", ErrTooLarge, len(payload), name, p.config.MaxPayloadBytes)
	}
	if err := p.quarantine.check(time.Now(), name, payload); err != nil {
		return nil, err
	}
	var o options
	for _, option := range opts {
		option(&o)
	}
	result, err := p.attempt(ctx, name, payload, &o)
	unsent, ok := err.(*notSent)
	if ok { // a worker that was idle had just died: not the fault of the job
		result, err = p.attempt(ctx, name, payload, &o)
		unsent, ok = err.(*notSent)
	}
	if ok {
		err = unsent.verdict
	}
	p.note(name, payload, err)
	return result, err
}

// note draws the conclusions from how a job ended.
func (p *Pool) note(name string, payload []byte, err error) {
	if err == nil {
		p.quarantine.succeeded(name, payload)
	}
	var crash *CrashError
	var garbage *ProtocolError
	var remote *RemoteError
	var deadline *DeadlineError
	var canceled *CanceledError
	p.mu.Lock()
	switch {
	case err == nil:
		p.stats.Succeeded++
		p.backoff.succeeded()
	case errors.As(err, &crash), errors.As(err, &garbage):
		p.stats.Crashed++
		p.backoff.failed(time.Now(), nil)
		defer p.quarantine.crashed(time.Now(), name, payload)
	case errors.As(err, &remote):
		p.stats.Failed++
		p.backoff.succeeded() // the worker is as it should be
	case errors.As(err, &deadline):
		p.stats.stopped(deadline.Killed)
	case errors.As(err, &canceled):
		p.stats.stopped(canceled.Killed)
	}
	p.mu.Unlock()
}

func (s *Stats) stopped(killed bool) {
	s.Stopped++
	if killed {
		s.Killed++
	}
}

// attempt runs a job on one worker.
func (p *Pool) attempt(ctx context.Context, name string, payload []byte, o *options) ([]byte, error) {
	if err := p.acquire(ctx, name); err != nil {
		return nil, err
	}
	c, err := p.take(ctx, name)
	if err != nil {
		return nil, err
	}
	defer p.give(c) // also if the caller's progress function panics
	return c.run(ctx, name, payload, o)
}

// acquire waits for the right to have a process.
func (p *Pool) acquire(ctx context.Context, name string) error {
	switch {
	case ctx.Err() != nil:
		return stopped(ctx, name, false)
	case isClosed(p.closing):
		return ErrClosed
	}
	select {
	case p.tokens <- struct{}{}:
		return nil
	default:
	}
	p.waiting(1)
	defer p.waiting(-1)
	select {
	case p.tokens <- struct{}{}:
		return nil
	case <-ctx.Done():
		return stopped(ctx, name, false)
	case <-p.closing:
		return ErrClosed
	}
}

func (p *Pool) waiting(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stats.Waiting += n
}

// release gives back what acquire got.
func (p *Pool) release() { <-p.tokens }

func isClosed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

// take is an idle worker, or a new one. It needs what acquire got; if it fails
// that is given back.
func (p *Pool) take(ctx context.Context, name string) (*child, error) {
	for {
		p.mu.Lock()
		if n := len(p.idle); n > 0 {
			c := p.idle[n-1]
			p.idle = p.idle[:n-1]
			p.mu.Unlock()
			return c, nil
		}
		pause, err := p.backoff.pause(time.Now())
		p.mu.Unlock()
		if err == nil && pause == 0 {
			return p.start(ctx, name)
		}
		if err == nil {
			err = p.sleep(ctx, name, pause)
		}
		if err != nil {
			p.release()
			return nil, err
		}
	}
}

// sleep waits until a worker may be started.
func (p *Pool) sleep(ctx context.Context, name string, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return stopped(ctx, name, false)
	case <-p.closing:
		return ErrClosed
	}
}

// start starts a worker. If ctx is over first the worker goes on starting, for
// others: else jobs with little time could keep a slow one from ever being ready.
func (p *Pool) start(ctx context.Context, name string) (*child, error) {
	result := make(chan spawned, 1)
	p.goroutines.Add(1)
	go func() { // ends with the start, which has a timeout; Close waits for it
		defer p.goroutines.Done()
		c, err := p.startWorker()
		result <- spawned{c, err}
	}()
	select {
	case r := <-result:
		if r.err != nil {
			p.release()
		}
		return r.child, r.err
	case <-ctx.Done():
		p.goroutines.Add(1)
		go func() { // the same
			defer p.goroutines.Done()
			if r := <-result; r.err != nil {
				p.release()
			} else {
				p.give(r.child)
			}
		}()
		return nil, stopped(ctx, name, false)
	}
}

// startWorker starts a process and waits until it is ready.
func (p *Pool) startWorker() (*child, error) {
	c, err := p.spawn()
	if err != nil {
		return nil, p.startFailed(err, "")
	}
	p.mu.Lock()
	p.live[c] = struct{}{}
	p.stats.Started++
	aborted := p.aborted
	p.mu.Unlock()
	p.goroutines.Add(3) // they end with the process
	go func() { defer p.goroutines.Done(); c.read() }()
	go func() { defer p.goroutines.Done(); c.follow(p.logger(c)) }()
	go func() { defer p.goroutines.Done(); c.wait() }()
	if aborted {
		c.kill(ErrClosed)
	}
	if err := c.greet(); err != nil {
		c.kill(err)
		c.end(0)
		return nil, p.startFailed(err, string(c.said.Bytes()))
	}
	return c, nil
}

func (p *Pool) logger(c *child) *slog.Logger { return p.config.Logger.With("worker", c.pid) }

func (p *Pool) startFailed(err error, stderr string) error {
	if errors.Is(err, ErrClosed) {
		return ErrClosed
	}
	failure := &StartError{Command: p.config.Command, Err: err, Stderr: stderr}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.backoff.failed(time.Now(), failure)
	return failure
}

// give takes back a worker whose job is over, and what acquire got.
func (p *Pool) give(c *child) {
	if p.keep(c) {
		p.release()
		return
	}
	p.goroutines.Add(1)
	go func() { // ends with the process, which is dying or has KillAfter to end
		defer p.goroutines.Done()
		c.end(p.config.KillAfter)
		p.release()
	}()
}

// keep makes c idle, unless it is dead or had its share.
func (p *Pool) keep(c *child) bool {
	usable, tired := c.judge()
	p.mu.Lock()
	defer p.mu.Unlock()
	if tired {
		p.stats.Replaced++
	}
	if _, alive := p.live[c]; !usable || tired || !alive {
		return false
	}
	p.idle = append(p.idle, c)
	return true
}

// forget is called when c is gone.
func (p *Pool) forget(c *child) {
	p.mu.Lock()
	i := slices.Index(p.idle, c)
	if i >= 0 {
		p.idle = slices.Delete(p.idle, i, i+1)
	}
	delete(p.live, c)
	p.mu.Unlock()
	if i >= 0 {
		p.logger(c).Warn("process: an idle worker died", "state", c.process.State().String(), "reason", c.process.Cause())
	}
}

// Stats are the figures of the pool.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	s := p.stats
	s.Workers, s.Idle = len(p.live), len(p.idle)
	p.mu.Unlock()
	s.Quarantined = p.quarantine.size(time.Now())
	return s
}
