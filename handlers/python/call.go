package python

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/gale-server/gale/executor"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/python/internal/wire"
)

// Job is what gale.run of the client module may run, on a class of Config.Executor. ctx
// is over when nobody waits any more. The payload is its own. Do of a pool of package
// executor/process makes one that runs in a process:
//
//	func(ctx context.Context, p []byte) ([]byte, error) { return pool.Do(ctx, "resize", p) }
type Job func(ctx context.Context, payload []byte) ([]byte, error)

// maxValueBytes bounds the data in an answer, which has to fit into a message.
const maxValueBytes = wire.MaxMessageBytes - 64<<10

// calls are those of one worker's client module that are under way.
//
// Safe for concurrent use.
type calls struct {
	worker *worker
	ctx    context.Context // over when the worker is
	cancel context.CancelFunc

	mu      sync.Mutex
	running int
}

func newCalls(w *worker) *calls {
	c := &calls{worker: w}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// stop gives up what the worker has asked for: it is gone.
func (c *calls) stop() { c.cancel() }

// start begins to answer a call. It does not wait. What the worker says of itself counts
// at once: before it is ready, if it says so before.
func (c *calls) start(f *wire.Call) {
	if f.Method == "handlers" {
		value, err := c.answer(f)
		c.reply(f, value, err)
		return
	}
	c.mu.Lock()
	ok := c.running < c.worker.pool.config.MaxCalls
	if ok {
		c.running++
	}
	c.mu.Unlock()
	if !ok {
		c.worker.control.refuse(f.ID, "saturated", "the worker has as many calls under way as it may")
		return
	}
	c.worker.pool.goroutines.Go(func() { // ends with the call, or soon after the worker
		value, err := c.answer(f)
		c.mu.Lock()
		c.running--
		c.mu.Unlock()
		c.reply(f, value, err)
	})
}

// reply tells what came of a call.
func (c *calls) reply(f *wire.Call, value any, err error) {
	if err != nil {
		kind, message := refusal(err)
		c.worker.control.refuse(f.ID, kind, message)
		return
	}
	c.worker.control.reply(f.ID, value)
}

// badCall says that a call is not of the form that its method has, or not allowed.
type badCall string

func (e badCall) Error() string { return string(e) }

// refusal is how an error is told to the client module: a kind, and a text.
func refusal(err error) (kind, message string) {
	var saturated *executor.SaturatedError
	var told *hub.Error
	var bad badCall
	switch {
	case errors.As(err, &bad):
		return "rejected", err.Error()
	case errors.As(err, &saturated):
		return "saturated", err.Error()
	case errors.Is(err, executor.ErrClosed), errors.Is(err, ErrClosed):
		return "unavailable", err.Error()
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return "timeout", err.Error()
	case !errors.As(err, &told):
		return "failed", err.Error()
	}
	switch told.Code {
	case hub.TooMany, hub.TooFast:
		return "saturated", told.Text
	case hub.Unavailable, hub.Draining:
		return "unavailable", told.Text
	case hub.Internal:
		return "failed", told.Text
	}
	return "rejected", told.Text
}

// answer does what a call asks for.
func (c *calls) answer(f *wire.Call) (any, error) {
	config := c.worker.pool.config
	switch f.Method {
	case "publish", "broadcast", "history", "presence":
		if config.Hub == nil {
			return nil, badCall("there is no hub: gale was started without one")
		}
	}
	args := arguments{f.Payload, nil}
	var value any
	var err error
	switch f.Method {
	case "publish":
		value, err = publish(config.Hub, &args)
	case "broadcast":
		value, err = broadcast(config.Hub, &args)
	case "history":
		value, err = history(c.ctx, config.Hub, &args)
	case "presence":
		value, err = presence(c.ctx, config.Hub, &args)
	case "run":
		value, err = c.run(&args)
	case "handlers":
		err = c.handlers(&args)
	default:
		return nil, badCall(fmt.Sprintf("there is no method %q", f.Method))
	}
	if args.err != nil {
		return nil, badCall(fmt.Sprintf("%s: %v", f.Method, args.err))
	}
	return value, err
}

// handlers takes what the worker answers.
func (c *calls) handlers(args *arguments) error {
	options := args.dict(args.payload)
	subscribe, jobs := args.flag(options, "subscribe"), args.strings(options["jobs"])
	if args.err == nil {
		c.worker.jobs.announce(jobs, subscribe)
	}
	return nil
}

// run runs a job of Config.Jobs on a class of Config.Executor.
func (c *calls) run(args *arguments) (any, error) {
	list := args.list(args.payload, 4)
	class, name, payload := args.text(list[0]), args.text(list[1]), args.bytes(list[2])
	timeout := args.seconds(args.dict(list[3]), "timeout")
	if args.err != nil {
		return nil, nil
	}
	pool := c.worker.pool
	job := pool.config.Jobs[name]
	switch {
	case !slices.Contains(pool.classes, class):
		return nil, badCall(fmt.Sprintf("there is no class %q of workers", class))
	case job == nil:
		return nil, badCall(fmt.Sprintf("there is no job %q", name))
	}
	ctx := c.ctx
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	out, err := executor.Run(ctx, pool.config.Executor.Class(class),
		func(ctx context.Context) ([]byte, error) { return job(ctx, payload) },
		executor.Job{Label: "python " + name, Cost: int64(len(payload))})
	if err == nil && len(out) > maxValueBytes {
		err = fmt.Errorf("%w: the result has %d bytes", ErrTooLarge, len(out))
	}
	if out == nil {
		out = []byte{}
	}
	return out, err
}

// classNames are the classes of an executor, which may be nil.
func classNames(e *executor.Executor) (names []string) {
	if e == nil {
		return nil
	}
	for _, s := range e.Stats() {
		names = append(names, s.Class)
	}
	return names
}

// await waits for what start gets to settle, or for the end of ctx.
func await[T any](ctx context.Context, start func(settle func(T, error))) (value T, err error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	start(func(v T, err error) { done <- result{v, err} })
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		return value, context.Cause(ctx)
	}
}
