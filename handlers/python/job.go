package python

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/gale-server/gale/handlers/python/internal/wire"
)

// run has a Python handler run the job name, which the application registered by
// @gale.job, and returns what it returned. It runs on the worker that has the fewest
// jobs; if none is ready, run waits for one, at most Config.StartTimeout.
//
// When ctx is over the worker is told that nobody waits any more, and the error is that
// of ctx. Else it is a [*JobError], a [*CrashError], or wraps ErrUnknownJob, ErrBusy,
// ErrTooLarge or ErrClosed. A job is not tried again: it may have done something.
func (p *pool) run(ctx context.Context, name string, payload []byte) ([]byte, error) {
	if len(name)+len(payload) > wire.MaxMessageBytes-100 {
		return nil, fmt.Errorf("%w: %d bytes for job %q", ErrTooLarge, len(payload), name)
	}
	if err := p.awaitReady(ctx); err != nil {
		return nil, err
	}
	workers := slices.Clone(p.ready())
	slices.SortFunc(workers, func(a, b *worker) int { return a.jobs.load() - b.jobs.load() })
	err := fmt.Errorf("%w: %q", ErrUnknownJob, name)
	for _, w := range workers {
		if !w.jobs.has(name) || !w.begin() {
			continue
		}
		defer w.end()
		j, ok := w.jobs.start(name, payload)
		if !ok {
			err = ErrBusy
			continue
		}
		return w.jobs.wait(ctx, j)
	}
	return nil, err
}

// awaitReady waits until there is a worker.
func (p *pool) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, p.config.StartTimeout, ErrClosed)
	defer cancel()
	for {
		p.mu.Lock()
		change, state, broken := p.change, p.state, p.broken
		p.mu.Unlock()
		switch {
		case len(p.ready()) > 0:
			return nil
		case state != running && state != starting:
			return ErrClosed
		case broken != nil:
			return broken
		}
		select {
		case <-change:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// jobs are those that one worker runs for this process.
//
// Safe for concurrent use.
type jobs struct {
	worker *worker

	mu      sync.Mutex
	names   []string // of the handlers
	last    int64
	running map[int64]*job
	dead    string // how the worker ended
}

type job struct {
	id     int64
	name   string
	result chan *wire.Result // has room; closed without one if the worker died
}

func newJobs(w *worker) *jobs { return &jobs{worker: w, running: map[int64]*job{}} }

// announce says which handlers the worker has, and whether it says who may subscribe.
func (j *jobs) announce(names []string, subscribe bool) {
	if subscribe {
		names = append(names, subscribeJob)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.names = names
}

// add says which handlers the worker has beside those that it has announced.
func (j *jobs) add(names []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.names = append(j.names, names...)
}

func (j *jobs) has(name string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Contains(j.names, name)
}

func (j *jobs) load() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.running)
}

// start hands a job to the worker; it is false if that has as many as it may.
func (j *jobs) start(name string, payload []byte) (*job, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.running) >= j.worker.pool.config.MaxJobs {
		return nil, false
	}
	j.last++
	job := &job{id: j.last, name: name, result: make(chan *wire.Result, 1)}
	if j.dead != "" {
		close(job.result)
		return job, true
	}
	j.running[job.id] = job
	j.worker.control.job(job.id, name, payload)
	return job, true
}

// wait waits for the result of a job.
func (j *jobs) wait(ctx context.Context, job *job) ([]byte, error) {
	select {
	case r, ok := <-job.result:
		switch {
		case !ok:
			return nil, &CrashError{Job: job.name, Worker: j.worker.id, PID: j.worker.pid, Reason: j.worker.ending()}
		case !r.OK:
			return nil, &JobError{Job: job.name, Kind: r.Kind, Message: r.Message}
		}
		return r.Value, nil
	case <-ctx.Done():
		j.mu.Lock()
		defer j.mu.Unlock()
		if j.running[job.id] != nil {
			delete(j.running, job.id)
			j.worker.control.cancel(job.id)
		}
		return nil, context.Cause(ctx)
	}
}

// settle takes a result. One that nobody waits for is dropped.
func (j *jobs) settle(r *wire.Result) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if job := j.running[r.ID]; job != nil {
		delete(j.running, r.ID)
		job.result <- r
	}
}

// stop fails what the worker did when it ended.
func (j *jobs) stop(how string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.dead = how
	for id, job := range j.running {
		delete(j.running, id)
		close(job.result)
	}
}
