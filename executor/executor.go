package executor

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
)

// Executor is a set of classes that are shut down together.
//
// Safe for concurrent use.
type Executor struct {
	log     *slog.Logger
	classes map[string]*Class
	nested  nestedWaits

	active   atomic.Int64  // jobs that were accepted and have not ended
	draining atomic.Bool   // only jobs of jobs are accepted
	idle     chan struct{} // has a value when active may have become 0
	ending   chan struct{} // has a value while somebody shuts down
}

// New returns an executor. It starts nothing: goroutines and threads come with
// the first jobs. Whoever makes an executor ends it with [Executor.Shutdown].
func New(c Config) (*Executor, error) {
	e := &Executor{
		log:     c.Logger,
		classes: make(map[string]*Class),
		idle:    make(chan struct{}, 1),
		ending:  make(chan struct{}, 1),
	}
	if e.log == nil {
		e.log = slog.Default()
	}
	for _, cc := range c.Classes {
		if e.classes[cc.Name] != nil {
			return nil, fmt.Errorf("executor: Config: two classes %s", cc.Name)
		}
		if err := e.add(cc); err != nil {
			return nil, err
		}
	}
	for _, cc := range []ClassConfig{{Name: CPU, CPU: true}, {Name: Blocking}} {
		if e.classes[cc.Name] == nil {
			if err := e.add(cc); err != nil {
				return nil, err
			}
		}
	}
	return e, nil
}

func (e *Executor) add(cc ClassConfig) error {
	cc, err := cc.withDefaults()
	if err != nil {
		return err
	}
	e.classes[cc.Name] = newClass(e, cc)
	return nil
}

// Class returns the class of that name. It panics if there is none: the names are
// those of Config.Classes, [CPU] and [Blocking], so the program has a mistake, and
// this is where it shows.
func (e *Executor) Class(name string) *Class {
	if e == nil {
		panic("executor: Class of a nil Executor: New makes one")
	}
	c := e.classes[name]
	if c == nil {
		panic(fmt.Sprintf("executor: there is no class %q; there are %s", name,
			strings.Join(slices.Sorted(maps.Keys(e.classes)), ", ")))
	}
	return c
}

// Stats returns the state of every class, by name.
func (e *Executor) Stats() []Stats {
	var all []Stats
	for _, name := range slices.Sorted(maps.Keys(e.classes)) {
		all = append(all, e.classes[name].Stats())
	}
	return all
}

// Shutdown ends the executor: it accepts no more jobs, but for those that jobs
// submit, and blocks until every job has ended and every goroutine and thread is
// gone.
//
// When ctx is done first, what waits fails with ErrClosed and what runs is
// signalled through its context, with the cause ErrClosed; Shutdown then returns
// ctx's cause, wrapped, without waiting for it: Go cannot stop a function, and
// its worker ends when it does. A further call waits on.
func (e *Executor) Shutdown(ctx context.Context) error {
	e.draining.Store(true)
	select {
	case e.ending <- struct{}{}:
		defer func() { <-e.ending }()
	case <-ctx.Done():
		return fmt.Errorf("executor: shutdown: %w", context.Cause(ctx))
	}
	err := e.waitIdle(ctx)
	for _, c := range e.classes {
		c.stop(ErrClosed)
	}
	if err != nil {
		return fmt.Errorf("executor: shutdown: %d jobs still run: %w", e.active.Load(), err)
	}
	for _, c := range e.classes {
		c.left.Wait() // at once: its workers have nothing left to do
	}
	return nil
}

// Close is a Shutdown that runs nothing that waits: it fails with ErrClosed.
func (e *Executor) Close(ctx context.Context) error {
	e.draining.Store(true)
	for _, c := range e.classes {
		c.CancelQueued()
	}
	return e.Shutdown(ctx)
}

func (e *Executor) waitIdle(ctx context.Context) error {
	for e.active.Load() > 0 {
		select {
		case <-e.idle:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// enter counts a job that is about to be accepted. Either it sees that the
// executor drains, or whoever drains it sees the job.
func (e *Executor) enter(nested bool) error {
	e.active.Add(1)
	if e.draining.Load() && !nested {
		e.leave()
		return ErrClosed
	}
	return nil
}

// leave counts a job that has ended.
func (e *Executor) leave() {
	if e.active.Add(-1) == 0 && e.draining.Load() {
		select {
		case e.idle <- struct{}{}:
		default:
		}
	}
}
