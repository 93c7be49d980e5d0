package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"

	"github.com/gale-server/gale/executor/process/wire"
	"github.com/gale-server/gale/executor/subprocess"
)

// Why a worker was killed, apart from what has an error of its own.
var (
	errNotSent   = errors.New("it did not take the job")
	errStopped   = errors.New("the job did not stop")
	errAbandoned = errors.New("nobody waits for the job")
)

// notSent is the error for a job that its worker never had in full, since the
// worker was dead or died. The job may have another try.
type notSent struct{ verdict error }

func (e *notSent) Error() string { return e.verdict.Error() }

// run has the worker run a job.
func (c *child) run(ctx context.Context, name string, payload []byte, o *options) ([]byte, error) {
	if !c.jobs[name] {
		return nil, fmt.Errorf("%w: %q", ErrUnknownJob, name)
	}
	number, done, err := c.send(ctx, name, payload)
	defer done()
	if err != nil {
		c.kill(errNotSent)
		c.end(0)
		verdict := c.verdict(ctx, name)
		var crash *CrashError
		if errors.As(verdict, &crash) {
			return nil, &notSent{verdict}
		}
		return nil, verdict
	}
	var progressErr error
	reports := 0
	for {
		ev, ok := c.next()
		if ev.Type == wire.Progress {
			reports++
		}
		switch {
		case reports > c.pool.config.MaxProgress:
			c.kill(&wire.PeerError{Reason: fmt.Sprintf("more than %d reports of progress", c.pool.config.MaxProgress)})
			c.end(0)
			return nil, c.verdict(ctx, name)
		case !ok:
			if progressErr != nil {
				return nil, progressErr
			}
			return nil, c.verdict(ctx, name)
		case ev.Type == wire.Progress:
			if o.progress == nil || progressErr != nil {
				continue
			}
			if progressErr = o.progress(ev.data); progressErr != nil {
				c.cancel(number)
			}
		case progressErr != nil:
			return nil, progressErr
		case ev.Type == wire.Result:
			return c.result(ctx, name, ev)
		default:
			return nil, failed(ctx, name, ev.Failure)
		}
	}
}

// send gives the worker a job. done ends it for the pool.
func (c *child) send(ctx context.Context, name string, payload []byte) (number uint64, done func(), err error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.said.Reset()
	if c.jobsLeft > 0 {
		c.jobsLeft--
	}
	c.mu.Lock()
	c.runs++
	number = c.runs
	c.running = number
	size := int64(len(payload))
	inMemory := c.machine.Memory() && size > inlineBytes
	c.mu.Unlock()
	if inMemory {
		if _, err := c.input.WriteAt(payload, 0); err != nil {
			inMemory = false // the machine is short of memory: the pipe needs less
		}
	}
	// A context that ends while we write kills the worker, if it takes too long.
	unwatch := context.AfterFunc(ctx, func() { c.cancel(number) })
	c.watchCPU(number)
	done = func() {
		unwatch()
		c.over(number)
		if inMemory && size > retainedBytes {
			release(c.input, retainedBytes, size)
		}
	}
	c.mu.Lock()
	frame, err := c.machine.AppendJob(c.frame[:0], name, size, inMemory)
	c.frame = frame
	c.mu.Unlock()
	if err != nil {
		return number, done, err
	}
	if inMemory {
		payload = nil
	}
	return number, done, writeFrame(c.stdin, frame, payload)
}

// cancel tells the worker that the job is not wanted any more, and kills it if
// it does not stop.
func (c *child) cancel(number uint64) {
	c.mu.Lock()
	if c.running == number && c.timer == nil {
		c.timer = time.AfterFunc(c.pool.config.KillAfter, func() { c.killJob(number, errStopped) })
	}
	c.mu.Unlock()
	_ = c.write(func(dst []byte) ([]byte, error) {
		if c.running != number {
			return dst, wire.ErrState
		}
		return c.machine.AppendCancel(dst)
	}, nil)
}

// killJob kills the worker if it still runs that job.
func (c *child) killJob(number uint64, cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running == number {
		c.kill(cause)
	}
}

// over ends the job for those who watch it.
func (c *child) over(number uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running != number {
		return
	}
	c.running = 0
	for _, t := range []*time.Timer{c.timer, c.cpu} {
		if t != nil {
			t.Stop()
		}
	}
	c.timer, c.cpu = nil, nil
}

// watchCPU kills the worker once it has used more processor time than a job may.
func (c *child) watchCPU(number uint64) {
	limit := c.pool.config.MaxCPUTime
	if limit == 0 {
		return
	}
	used, ok := subprocess.CPUTime(c.pid)
	if !ok {
		return
	}
	end := used + limit
	var look func()
	look = func() {
		used, ok := subprocess.CPUTime(c.pid)
		switch {
		case !ok:
		case used >= end:
			c.killJob(number, ErrCPUTime)
		default:
			c.mu.Lock()
			if c.running == number {
				c.cpu = time.AfterFunc(soonest(end-used), look)
			}
			c.mu.Unlock()
		}
	}
	c.mu.Lock()
	c.cpu = time.AfterFunc(soonest(limit), look)
	c.mu.Unlock()
}

// soonest is how long it takes at least to use so much processor time.
func soonest(rest time.Duration) time.Duration {
	return max(rest/time.Duration(runtime.NumCPU()), 10*time.Millisecond)
}

// result is the payload of a result.
func (c *child) result(ctx context.Context, name string, ev event) ([]byte, error) {
	if !ev.Memory {
		return ev.data, nil
	}
	p := make([]byte, ev.Size)
	if _, err := c.output.ReadAt(p, 0); err != nil { // it was killed meanwhile
		c.kill(errAbandoned)
		c.end(0)
		return nil, c.verdict(ctx, name)
	}
	if ev.Size > retainedBytes {
		release(c.output, retainedBytes, ev.Size)
	}
	return p, nil
}

// failed is the error for a job whose worker says that it has no result.
func failed(ctx context.Context, name string, f wire.Failure) error {
	if f.Kind == wire.Canceled && ctx.Err() != nil {
		return stopped(ctx, name, false)
	}
	return &RemoteError{Job: name, Message: f.Message, Panic: f.Kind == wire.Panicked, Stack: f.Stack, kind: f.Kind}
}

// stopped is the error for a job whose context is over.
func stopped(ctx context.Context, name string, killed bool) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &DeadlineError{Job: name, Killed: killed}
	}
	return &CanceledError{Job: name, Killed: killed, Cause: context.Cause(ctx)}
}

// verdict is the error for a job whose worker is gone.
func (c *child) verdict(ctx context.Context, name string) error {
	c.mu.Lock()
	cause, sample, midFrame := c.process.Cause(), c.sample, c.machine.Partial()
	c.mu.Unlock()
	said := c.said.Bytes()
	var peer *wire.PeerError
	switch {
	case cause == errStopped && ctx.Err() != nil:
		return stopped(ctx, name, true)
	case errors.Is(cause, ErrClosed):
		return fmt.Errorf("job %q was killed: %w", name, ErrClosed)
	case errors.As(cause, &peer), cause == errLingers:
		return &ProtocolError{Job: name, PID: c.pid, Err: cause, Sample: sample, Stderr: string(said)}
	}
	crash := &CrashError{Job: name, PID: c.pid, State: c.process.State(), MidFrame: midFrame, Stderr: string(said), Reason: cause}
	if cause == nil && c.pool.config.MaxMemoryBytes > 0 && outOfMemory(said) {
		crash.Reason = ErrMemory
	}
	return crash
}

func brokenPipe(err error) bool { return errors.Is(err, syscall.EPIPE) || errors.Is(err, os.ErrClosed) }
