package python

import (
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gale-server/gale/executor/subprocess"
	source "github.com/gale-server/gale/handlers/python/worker"
)

// pool is the worker processes of an application: it starts them, replaces those that
// end, and ends them. It passes no requests.
//
// Each worker has a slot, whose goroutine watches it: see slot.run.
//
// Safe for concurrent use.
type pool struct {
	config  *Config
	onReady func() // a worker has become ready; set before start, called on any goroutine
	boot    string // the program of python -c; tests have others
	sources map[string]string
	classes []string // of Config.Executor

	deliver func(w *worker, number int, theirs *os.File) // gives a worker its end of a link; tests have others

	extensions         []string // of ASGI that gale offers
	restBeforeWeighing time.Duration

	wsgi    atomic.Bool               // what the worker that was ready last has
	serving atomic.Pointer[[]*worker] // never nil; replaced as a whole under mu

	// Of one life of the pool, from start to stop.
	starter    *subprocess.Starter
	slots      []*slot
	quit       chan struct{} // closed by stop: nothing is replaced any more
	watching   chan struct{} // closed when changes of the application are seen
	goroutines sync.WaitGroup

	reloading sync.Mutex // one reload at a time

	mu     sync.Mutex
	state  poolState
	python interpreter
	lastID int
	live   map[*worker]struct{} // processes that are not gone
	ending error                // every process that starts is killed for this reason
	broken error                // why the last start failed; nil after one that did not
	change chan struct{}        // closed when serving or broken have changed
}

type poolState uint8

const (
	resting poolState = iota
	starting
	running
	stopping
)

// newPool returns a pool that has started nothing. config has every default put in.
func newPool(config *Config) *pool {
	p := &pool{
		config: config, onReady: func() {}, boot: source.Boot(), sources: source.Sources(), restBeforeWeighing: time.Minute,
		classes: classNames(config.Executor), deliver: func(w *worker, number int, theirs *os.File) { w.control.link(number, theirs) },
		live: map[*worker]struct{}{}, change: make(chan struct{}),
	}
	p.serving.Store(new([]*worker))
	return p
}

// ready returns the workers that may get requests. The slice is not to be changed.
func (p *pool) ready() []*worker { return *p.serving.Load() }

// failure is why no worker is ready, as far as it is known: the last one did not
// start. It is nil if one is ready, or about to be.
func (p *pool) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.ready()) > 0 {
		return nil
	}
	return p.broken
}

// start starts the workers, and waits until all are ready. The error is that of the
// first one that cannot start; then none is left. With Config.Watch an application that
// does not start is no error: its next change may mend it.
func (p *pool) start(ctx context.Context) error {
	p.mu.Lock()
	if p.state != resting {
		p.mu.Unlock()
		return errors.New("python: the workers are started already")
	}
	p.state, p.ending, p.broken, p.quit = starting, nil, nil, make(chan struct{})
	p.watching = make(chan struct{})
	p.mu.Unlock()
	python, err := p.config.findInterpreter(ctx)
	if err != nil {
		p.rest()
		return err
	}
	subprocess.KeepInherited()
	p.mu.Lock()
	p.python = python
	p.mu.Unlock()
	p.starter = subprocess.NewStarter()
	p.slots = make([]*slot, p.config.Workers)
	for i := range p.slots {
		p.slots[i] = newSlot(p)
	}
	if err := p.startAll(ctx); err != nil && (!p.config.Watch || ctx.Err() != nil) {
		p.clear()
		return err
	}
	p.mu.Lock()
	p.state = running
	p.mu.Unlock()
	for _, s := range p.slots {
		p.goroutines.Go(s.run) // ends with quit
	}
	p.goroutines.Go(p.tend) // the same
	if p.config.Watch {
		p.goroutines.Go(p.watch) // the same
	}
	return nil
}

// startAll starts a worker for each slot. If one fails, or ctx is over, the others are
// killed.
func (p *pool) startAll(ctx context.Context) error {
	unwatch := context.AfterFunc(ctx, func() { p.kill(context.Cause(ctx)) })
	defer unwatch()
	var first error
	var once sync.Once
	var starts sync.WaitGroup
	for _, s := range p.slots {
		starts.Go(func() { // ends with the start, which has a timeout
			w, err := p.startWorker(s)
			if err != nil {
				once.Do(func() { first = err })
				p.kill(ErrClosed)
			}
			s.worker = w
		})
	}
	starts.Wait()
	if first != nil {
		for _, s := range p.slots {
			s.worker, s.hopeless = nil, true
		}
		p.allowStarts()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		p.startFailed(first)
		return first
	}
	for _, s := range p.slots {
		p.swap(nil, s.worker)
	}
	return nil
}

// stop ends all workers: it tells them to end what there is, and kills those that are
// left when Config.StopTimeout is over, or ctx is: then the error is that of ctx.
// Nothing of them is left when stop returns. A pool that is not started is no error.
func (p *pool) stop(ctx context.Context) error {
	p.mu.Lock()
	if p.state != running {
		p.mu.Unlock()
		return nil
	}
	p.state = stopping
	p.serving.Store(new([]*worker))
	close(p.quit)
	all := slices.Collect(maps.Keys(p.live))
	p.ending = ErrClosed
	p.mu.Unlock()
	unwatch := context.AfterFunc(ctx, func() { p.kill(ErrClosed) })
	var ends sync.WaitGroup
	for _, w := range all {
		ends.Go(func() { w.stop() })
	}
	ends.Wait()
	var err error
	if !unwatch() {
		err = context.Cause(ctx)
	}
	p.clear()
	return err
}

// clear ends what is left of the life of the pool.
func (p *pool) clear() {
	p.kill(ErrClosed)
	p.goroutines.Wait()
	p.starter.Close()
	p.rest()
}

func (p *pool) rest() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state = resting
	p.changed()
}

// kill kills every process, and those that are about to start, until allowStarts.
func (p *pool) kill(why error) {
	p.mu.Lock()
	p.ending = why
	p.mu.Unlock()
	for _, w := range p.all() {
		w.process.Kill(why)
	}
}

func (p *pool) allowStarts() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ending = nil
}

// drain tells the workers that this process is about to stop, within some time.
func (p *pool) drain(within time.Duration) {
	for _, w := range p.ready() {
		w.control.drain(within)
	}
}

// all returns the workers whose processes are not gone.
func (p *pool) all() []*worker {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Collect(maps.Keys(p.live))
}

func (p *pool) interpreter() interpreter {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.python
}

func (p *pool) nextID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lastID++
	return p.lastID
}

// enter is called when w has a process, and leave when it is gone.
func (p *pool) enter(w *worker) {
	p.mu.Lock()
	p.live[w] = struct{}{}
	ending := p.ending
	p.mu.Unlock()
	if ending != nil {
		w.process.Kill(ending)
	}
}

func (p *pool) leave(w *worker) {
	p.swap(w, nil)
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.live, w)
}

// swap takes a worker out of those that are ready, and puts one in; each may be nil.
func (p *pool) swap(out, in *worker) {
	p.mu.Lock()
	ready := slices.Clone(p.ready())
	at := slices.Index(ready, out)
	if at >= 0 {
		ready = slices.Delete(ready, at, at+1)
	}
	came := in != nil && p.state != stopping
	if came {
		ready = append(ready, in)
		p.wsgi.Store(in.info.Mode == "wsgi")
		p.broken = nil
	}
	if came || at >= 0 {
		p.serving.Store(&ready)
		p.changed()
	}
	p.mu.Unlock()
	if came {
		p.onReady()
	}
}

// changed wakes those who wait for a worker.
func (p *pool) changed() {
	close(p.change)
	p.change = make(chan struct{})
}

// startFailed logs why a worker did not start, and remembers it.
func (p *pool) startFailed(err error) {
	p.mu.Lock()
	p.broken = err
	p.changed()
	p.mu.Unlock()
	logStartError(p.config.Logger, err)
}
