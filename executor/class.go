package executor

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/alitto/pond/v2"

	"github.com/gale-server/gale/executor/internal/admission"
)

// Class is a bounded pool of workers with a bounded queue.
//
// Safe for concurrent use.
type Class struct {
	name   string
	config ClassConfig
	exec   *Executor
	pool   pond.Pool      // its tasks are workers, at most as many as there may be
	token  func()         // what the pool runs: worker, made once
	left   sync.WaitGroup // the workers; pond's own Stop needs a pool of the whole process

	mu      sync.Mutex
	work    sync.Cond // for parked workers: there may be something
	queue   *admission.Queue
	flights map[string]*task // with a key, not yet ended nor given up
	scopes  map[<-chan struct{}]*scope
	running []*task
	joined  int // futures beside the first ones of their tasks
	count   counters
	labels  labels

	limit    int // how many workers there may be
	workers  int // how many there are
	parked   int // of these, how many wait for work
	seeking  int // of these, how many were sent to look and have not looked yet
	raised   int // what GOMAXPROCS was raised by
	stopping bool

	alarm   *time.Timer // for whatever comes first of expiry and long run
	alarmAt time.Time   // zero if it is not set
}

func newClass(e *Executor, c ClassConfig) *Class {
	class := &Class{
		name:   c.Name,
		config: c,
		exec:   e,
		pool:   pond.NewPool(c.Workers, pond.WithoutPanicRecovery()),
		queue: admission.New(admission.Config{
			Workers:    c.Workers,
			Jobs:       c.QueueJobs,
			Bytes:      c.QueueBytes,
			RunBytes:   c.RunBytes,
			ClientJobs: c.ClientJobs,
			TurnBytes:  c.TurnBytes,
			Target:     c.TargetDelay,
			Interval:   c.DelayInterval,
		}),
		flights: make(map[string]*task),
		scopes:  make(map[<-chan struct{}]*scope),
		limit:   c.Workers,
	}
	class.work.L = &class.mu
	class.token = class.worker
	return class
}

// Name returns the class's name.
func (c *Class) Name() string { return c.name }

// Submit hands a job to the class and never blocks: the job is accepted, and the
// future gets its result, or it is refused with a *SaturatedError, ErrClosed, or
// the cause of ctx if that is done.
//
// ctx is the context of whoever wants the result, such as that of a connection's
// application. When it is done the future fails with its cause; the job leaves
// the queue at once, or its own context is cancelled if it runs. A job that is to
// outlive its connection is submitted with context.WithoutCancel(ctx).
func (c *Class) Submit(ctx context.Context, job Job) (*Future, error) {
	if c == nil {
		return nil, errNoClass
	}
	if job.Run == nil {
		return nil, errNoJob
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	parent := taskOf(ctx)
	if parent != nil && !parent.runs() {
		parent = nil // its context outlived it
	}
	if err := c.exec.enter(parent != nil); err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.count.closed++
		return nil, err
	}
	var release context.CancelFunc
	if !job.Deadline.IsZero() {
		ctx, release = context.WithDeadline(ctx, job.Deadline)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	f, err := c.place(ctx, &job)
	if err != nil {
		if release != nil {
			release()
		}
		c.exec.leave()
		return nil, err
	}
	f.parent, f.release, f.limit = parent, release, max(job.Reports, 0)
	c.follow(ctx, f)
	c.dispatch()
	return f, nil
}

// place makes a future of a job's task: a new one, or one that has its key.
func (c *Class) place(ctx context.Context, job *Job) (*Future, error) {
	now := time.Now()
	if c.stopping {
		c.count.closed++
		return nil, ErrClosed
	}
	if t := c.flights[job.Key]; t != nil {
		return c.join(t, job, now)
	}
	t := &task{Context: ctx, class: c, run: job.Run, key: job.Key, label: job.Label}
	t.Item = admission.Item{
		Value:   t,
		Band:    job.Priority.band(),
		Client:  job.Client,
		Cost:    max(job.Cost, 0),
		RunCost: max(job.RunCost, 0),
		Patient: job.MaxQueueTime != 0,
	}
	if wait := orDefault(job.MaxQueueTime, c.config.MaxQueueTime, endless); wait != endless {
		t.Expires = now.Add(wait)
	}
	if why := c.queue.Offer(&t.Item, now); why != admission.Accepted {
		return nil, c.refuse(reasonOf(why))
	}
	if job.Key != "" {
		t.Context = context.WithoutCancel(ctx) // it may come to run for others
		c.flights[job.Key] = t
	}
	c.count.accepted++
	c.raise()
	c.watch(now, t.Expires)
	f := &t.future
	f.task = t
	t.only[0] = f
	t.futures = t.only[:]
	return f, nil
}

// join makes a future of a task that waits or runs.
func (c *Class) join(t *task, job *Job, now time.Time) (*Future, error) {
	if c.joined >= c.config.QueueJobs+c.limit {
		return nil, c.refuse(JoinLimit)
	}
	c.joined++
	c.count.joined++
	c.exec.leave() // its task is counted
	f := &Future{task: t, joined: true}
	t.futures = append(t.futures, f)
	c.queue.Promote(&t.Item, job.Priority.band(), now)
	return f, nil
}

func (c *Class) refuse(why Reason) error {
	c.count.rejected[why]++
	return c.saturated(why, 0)
}

func (c *Class) saturated(why Reason, waited time.Duration) error {
	err := &SaturatedError{Class: c.name, Reason: why, Waited: waited}
	if why != TooLarge {
		err.RetryAfter = c.retryAfter()
	}
	return err
}

// retryAfter is how long the class needs for what waits now: then a client that
// comes back finds a queue that has been emptied once.
func (c *Class) retryAfter() time.Duration {
	const least, most = time.Second, time.Minute
	perWorker := time.Duration(c.queue.Waiting()/c.limit + 1)
	if run := c.queue.MeanRun(); run < most/perWorker {
		return max(least, run*perWorker)
	}
	return most
}

// dispatch sends as many workers to look for work as there are jobs that wait,
// and workers that have nothing to do.
func (c *Class) dispatch() {
	for c.seeking < c.queue.Waiting() && !c.queue.Blocked() {
		switch {
		case c.parked > 0:
			c.parked--
			c.work.Signal()
		case c.workers < c.limit:
			c.workers++
			c.left.Add(1)
			if err := c.pool.Go(c.token); err != nil {
				panic("executor: " + err.Error()) // it has no bound of its own, and is never stopped
			}
		default:
			return
		}
		c.seeking++
	}
}

// Resize changes the number of workers, at least 1. Fewer take effect as jobs
// end.
func (c *Class) Resize(workers int) {
	workers = max(workers, 1)
	c.mu.Lock()
	c.limit = workers
	c.queue.SetWorkers(workers)
	if !c.stopping {
		c.pool.Resize(workers)
		if c.raised > 0 {
			c.setRaised(workers)
		}
		c.dispatch()
		c.wakeAll() // some may be too many
	}
	c.mu.Unlock()
	c.exec.nested.sweep()
}

// wakeAll lets parked workers look whether they are still wanted.
func (c *Class) wakeAll() {
	c.seeking += c.parked
	c.parked = 0
	c.work.Broadcast()
}

// CancelQueued cancels every job that waits, and returns their number. Their
// futures fail with context.Canceled, or with ErrClosed when the executor is
// being shut down.
func (c *Class) CancelQueued() int {
	why := error(context.Canceled)
	if c.exec.draining.Load() {
		why = ErrClosed
	}
	var settled batch
	c.mu.Lock()
	n := c.cancelQueued(why, &settled)
	c.mu.Unlock()
	settled.deliver(c)
	return n
}

func (c *Class) cancelQueued(why error, settled *batch) int {
	items := c.queue.Items()
	for _, it := range items {
		c.giveUp(it.Value.(*task), why, settled)
	}
	return len(items)
}

// stop cancels what is left, with a cause, and lets the workers go.
func (c *Class) stop(why error) {
	var settled batch
	c.mu.Lock()
	c.stopping = true
	c.cancelQueued(why, &settled)
	for _, t := range c.running {
		c.giveUp(t, why, &settled)
	}
	c.setRaised(0)
	c.wakeAll()
	if c.alarm != nil {
		c.alarm.Stop()
	}
	c.mu.Unlock()
	settled.deliver(c)
}

// giveUp fails every future of a task.
func (c *Class) giveUp(t *task, why error, settled *batch) {
	for _, f := range slices.Clone(t.futures) {
		c.detach(f, why, settled)
	}
}

// detach fails one future. A task without futures leaves the queue, or is told
// that nobody waits for it.
func (c *Class) detach(f *Future, why error, settled *batch) {
	if f.settled {
		return
	}
	t := f.task
	c.settle(f, nil, why, settled)
	t.futures = slices.DeleteFunc(t.futures, func(other *Future) bool { return other == f })
	if len(t.futures) > 0 {
		return
	}
	if c.flights[t.key] == t {
		delete(c.flights, t.key)
	}
	if c.queue.Remove(&t.Item) {
		c.count.cancelled++
		c.end(t, settled)
		c.dispatch() // it may have stood in the way of another
		return
	}
	c.count.abandoned++
	settled.cancel(t.cancel, why)
}

// drop fails the futures of tasks that the queue has dropped.
func (c *Class) drop(items []*admission.Item, now time.Time, settled *batch) {
	for _, it := range items {
		t := it.Value.(*task)
		why := reasonOf(it.Reason)
		c.count.rejected[why]++
		err := c.saturated(why, now.Sub(it.Arrived()))
		c.fulfil(t, nil, err, settled)
		c.end(t, settled)
	}
}

// fulfil gives all futures of a task its result.
func (c *Class) fulfil(t *task, value any, err error, settled *batch) {
	for _, f := range t.futures {
		c.settle(f, value, err, settled)
	}
	t.futures = nil
}

// end forgets a task that has ended, or never begins.
func (c *Class) end(t *task, settled *batch) {
	t.state = ended
	t.run = nil
	if c.flights[t.key] == t {
		delete(c.flights, t.key)
	}
	settled.ended++
}

// runs reports whether the task is running.
func (t *task) runs() bool {
	t.class.mu.Lock()
	defer t.class.mu.Unlock()
	return t.state == running
}

// watch sets the alarm, unless it comes earlier already.
func (c *Class) watch(now, at time.Time) {
	if at.IsZero() || c.stopping || !c.alarmAt.IsZero() && !at.Before(c.alarmAt) {
		return
	}
	c.alarmAt = at
	if c.alarm == nil {
		c.alarm = time.AfterFunc(at.Sub(now), c.ring)
		return
	}
	c.alarm.Reset(at.Sub(now))
}

// ring does what the time has come for.
func (c *Class) ring() {
	var settled batch
	var long []longRun
	c.mu.Lock()
	now := time.Now()
	c.alarmAt = time.Time{}
	c.drop(c.queue.Expire(now), now, &settled)
	c.dispatch() // what was dropped may have stood in the way
	c.watch(now, c.queue.NextExpiry())
	for _, t := range c.running {
		switch due := t.began.Add(c.config.LongRun); {
		case t.reported:
		case c.config.LongRun == endless:
		case now.Before(due):
			c.watch(now, due)
		default:
			t.reported = true
			long = append(long, longRun{t.label, now.Sub(t.began)})
		}
	}
	c.mu.Unlock()
	settled.deliver(c)
	for _, l := range long {
		c.exec.log.Warn("executor job runs long", "class", c.name, "job", l.label, "for", l.ran,
			"hint", "goroutine profile, label "+classLabel+"="+c.name)
	}
}

// longRun is a job that is to be logged.
type longRun struct {
	label string
	ran   time.Duration
}
