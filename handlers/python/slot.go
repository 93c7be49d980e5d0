package python

import (
	"context"
	"errors"
	"time"

	"github.com/gale-server/gale/executor/subprocess"
)

// slot is the place of one worker: there is a process in it, or one is about to be
// started. Its goroutine owns all fields but the channels.
type slot struct {
	pool     *pool
	worker   *worker // nil: none
	tired    string  // why the worker is to be replaced; "": it is not
	failures int     // since a worker lived long enough
	hopeless bool    // the last start failed

	expiries chan expiry  // of workers; has room for one
	renewals chan renewal // of Reload
}

// expiry says that a worker has had its share, and why.
type expiry struct {
	of  *worker
	why string
}

// renewal asks for a new worker now. The answer is why there is none, or nil.
type renewal struct {
	why    string
	answer chan<- error // has room for it
}

func newSlot(p *pool) *slot {
	return &slot{pool: p, expiries: make(chan expiry, 1), renewals: make(chan renewal)}
}

// run watches the worker of the slot until the pool stops:
//
//  1. If there is none, or it is tired, a new one is started; after failures there is a
//     pause first, which grows.
//  2. If the new one is ready it takes the place, and the old one ends when its streams
//     have. If it does not start the old one stays.
//  3. If a worker dies, the slot is empty.
func (s *slot) run() {
	for {
		var died <-chan struct{}
		if s.worker != nil {
			died = s.worker.gone
		}
		start, stop := s.nextStart()
		select {
		case <-s.pool.quit:
			stop()
			return
		case <-died:
			s.lost()
		case <-start:
			_ = s.renew(s.tired) // it is logged
		case e := <-s.expiries:
			if e.of == s.worker {
				s.tired = e.why
			}
		case r := <-s.renewals:
			r.answer <- s.renew(r.why)
		}
		stop()
	}
}

// nextStart is when a worker is to be started; it blocks for ever if none is. stop
// gives it up.
func (s *slot) nextStart() (at <-chan time.Time, stop func()) {
	config := s.pool.config
	if s.worker != nil && s.tired == "" || s.hopeless && config.Watch { // what does not start needs a change
		return nil, func() {}
	}
	timer := time.NewTimer(subprocess.Pause(s.failures-1, config.Backoff, config.MaxBackoff))
	return timer.C, func() { timer.Stop() }
}

// lost empties the slot whose worker has died.
func (s *slot) lost() {
	w := s.worker
	s.worker, s.tired = nil, ""
	age := time.Since(w.born)
	if age >= s.pool.config.MaxBackoff {
		s.failures = 0
	}
	s.failures++ // the first one costs no pause
	if !s.pool.over() {
		w.log.Error("python: a worker died", "pid", w.pid, "reason", w.ending(), "age", age.Round(time.Millisecond))
	}
}

// renew starts a worker, and has it take the place of the one that is there.
func (s *slot) renew(why string) error {
	p := s.pool
	w, err := p.startWorker(s)
	s.hopeless = err != nil
	switch {
	case p.over():
		return ErrClosed // whoever stops the pool ends the worker
	case err != nil:
		s.failures = max(s.failures+1, 2)
		p.startFailed(err)
		return err
	}
	old := s.worker
	s.worker, s.tired = w, ""
	p.swap(old, w)
	if old != nil {
		old.takeNoMore()
		old.log.Info("python: a worker is replaced", "by", w.id, "reason", why)
		p.goroutines.Go(old.retire) // ends with the worker
	}
	return nil
}

// ask asks the slot for a new worker, and waits until it is ready, or ctx is over: then
// the start goes on.
func (s *slot) ask(ctx context.Context, why string) error {
	answer := make(chan error, 1)
	select {
	case s.renewals <- renewal{why, answer}:
	case <-s.pool.quit:
		return ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// reload replaces the workers one by one by such as have the code of now. If one does
// not start, its error is returned, and logged, and the workers that are left go on with
// the old code.
func (p *pool) reload(ctx context.Context) error {
	p.reloading.Lock()
	defer p.reloading.Unlock()
	p.mu.Lock()
	state := p.state
	p.mu.Unlock()
	if state != running {
		return ErrClosed
	}
	python, err := p.config.findInterpreter(ctx)
	if err != nil {
		p.startFailed(err)
		return err
	}
	p.mu.Lock()
	p.python = python
	p.mu.Unlock()
	for _, s := range p.slots {
		err := s.ask(ctx, "reload")
		var start *StartError
		if errors.As(err, &start) && len(p.ready()) > 0 {
			p.config.Logger.Error("python: the application was not reloaded: the workers that are there go on")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// over reports whether the pool is stopping, or does not run at all.
func (p *pool) over() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state == resting || p.state == stopping
}
