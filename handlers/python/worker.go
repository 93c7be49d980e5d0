package python

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gale-server/gale/executor/subprocess"
)

const (
	// exitTime is how long a process may take to end after its control socket has.
	exitTime = 2 * time.Second
	// lastWords is how long we read on after a worker has died, if something it
	// started, outside its process group, still holds its output.
	lastWords = 250 * time.Millisecond
)

// worker is one process. Four goroutines belong to it: two for each direction of its
// control socket, one for its output, and one that reaps it and ends last.
//
// Safe for concurrent use.
type worker struct {
	pool    *pool
	id      int // 1, 2, ...: no two workers of a pool have the same
	pid     int
	info    info // set before it is ready
	log     *slog.Logger
	process *subprocess.Process
	control *control
	output  *os.File
	said    subprocess.Capture // until it is ready
	calls   *calls
	jobs    *jobs
	born    time.Time
	slot    *slot
	share   share
	expired atomic.Bool // a successor was asked for
	load    load

	// streams are those that go on, in units of stream, and whether the worker is
	// retiring: then no stream begins.
	streams atomic.Int64
	began   atomic.Int64  // streams so far
	idle    chan struct{} // has a value when a retiring worker may have no stream left

	spoke    atomic.Bool   // it has said that it is ready, or why it is not
	greeting chan error    // the same
	quiet    chan struct{} // closed when its output has ended
	ended    chan struct{} // closed when its control socket has ended
	reaped   chan struct{} // closed when the process has ended
	gone     chan struct{} // closed when nothing of it is left

	mu      sync.Mutex
	links   []*os.File // copies of gale's ends
	dead    bool       // its links have ended
	stopped bool       // it was told to stop
}

// info is what a worker says about itself when it is ready.
type info struct {
	Python, Implementation string
	Mode                   string // asgi or wsgi
	Loop                   string
	Lifespan               bool
	Jobs                   []string
}

const (
	retiringFlag = 1
	stream       = 2
)

// begin counts a stream that is about to be handed to the worker. It is false if the
// worker takes no more: another one is to be chosen.
func (w *worker) begin() bool {
	if w.streams.Add(stream)&retiringFlag != 0 {
		w.end()
		return false
	}
	if w.began.Add(1) >= w.share.requests {
		w.expire("it has had as many requests as it may")
	}
	return true
}

// end counts the end of a stream that has begun.
func (w *worker) end() {
	if w.streams.Add(-stream) == retiringFlag {
		w.tellIdle()
	}
}

func (w *worker) tellIdle() {
	select {
	case w.idle <- struct{}{}:
	default:
	}
}

// retiring reports whether the worker takes no more streams.
func (w *worker) retiring() bool { return w.streams.Load()&retiringFlag != 0 }

// spawn starts a process and gives it its greeting. Its first answer comes to
// w.greeting.
func (p *pool) spawn(s *slot) (*worker, error) {
	python := p.interpreter()
	w := &worker{
		pool: p, slot: s, id: p.nextID(), born: time.Now(), share: p.config.share(),
		idle: make(chan struct{}, 1), greeting: make(chan error, 1),
		quiet: make(chan struct{}), ended: make(chan struct{}), reaped: make(chan struct{}), gone: make(chan struct{}),
	}
	w.log = p.config.Logger.With("worker", w.id)
	ours, theirs, err := socketPair("control")
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	conn, err := unixConn(ours)
	if err != nil {
		return nil, err
	}
	output, theirOutput, err := os.Pipe()
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	defer theirOutput.Close()
	cmd := &exec.Cmd{
		Path: python.path, Args: []string{python.path, "-c", p.boot},
		Dir: p.config.Dir, Env: subprocess.Environ(p.config.Env),
		Stdout: theirOutput, Stderr: theirOutput, ExtraFiles: []*os.File{theirs}, // descriptor 3
	}
	if w.process, err = p.starter.Start(cmd); err != nil {
		_ = conn.Close()
		_ = output.Close()
		return nil, err
	}
	w.pid, w.output = w.process.PID(), output
	w.control, w.calls, w.jobs = newControl(conn), newCalls(w), newJobs(w)
	p.enter(w)
	p.goroutines.Go(func() { defer close(w.quiet); w.readOutput() })
	p.goroutines.Go(func() { defer close(w.ended); w.readControl() })
	p.goroutines.Go(w.control.write)
	p.goroutines.Go(w.wait)
	return w, nil
}

// startWorker starts a process and waits until it is ready.
func (p *pool) startWorker(s *slot) (*worker, error) {
	w, err := p.spawn(s)
	if err != nil {
		return nil, &StartError{Kind: "exit", Message: "a worker does not start: " + err.Error(), Err: err}
	}
	if err := w.greet(); err != nil {
		w.process.Kill(err)
		<-w.gone
		return nil, err
	}
	w.log.Info("python: a worker is ready", "pid", w.pid, "python", w.info.Python, "mode", w.info.Mode, "loop", w.info.Loop,
		"after", time.Since(w.born).Round(time.Millisecond))
	return w, nil
}

// greet brings a started process to where it can take requests. No line of the
// application runs before the limits are set.
func (w *worker) greet() error {
	config := w.pool.config
	if err := w.limit(); err != nil {
		return &StartError{Kind: "exit", Message: "a worker cannot be limited: " + err.Error(), Err: err}
	}
	w.control.hello(w.pool.hello())
	timeout := time.AfterFunc(config.StartTimeout, func() { w.process.Kill(errSlowStart) })
	defer timeout.Stop()
	select {
	case err := <-w.greeting:
		return err
	case <-w.gone:
		return w.startFailure()
	}
}

// startFailure says why a worker that is gone never was ready.
func (w *worker) startFailure() error {
	e := &StartError{Kind: "exit", Output: string(w.said.Bytes()), Err: w.process.Cause()}
	switch e.Err {
	case ErrClosed:
		return ErrClosed
	case errSlowStart:
		e.Kind, e.Message = "timeout", "the application was not ready within "+w.pool.config.StartTimeout.String()
		e.Advice = "look at what it does when it is imported, and at its lifespan.startup, or give it more time"
	case nil:
		e.Message = fmt.Sprintf("a worker ended before it was ready: %v", w.process.State())
	default:
		e.Message = "a worker ended before it was ready: " + e.Err.Error()
	}
	return e
}

// limit sets the limits of the process.
func (w *worker) limit() error {
	config := w.pool.config
	files := 0
	if config.MaxFiles < noLimit {
		files = config.MaxFiles
	}
	err := subprocess.LimitFiles(w.pid, files)
	if err == nil && config.MaxMemoryBytes < noLimit {
		err = subprocess.LimitMemory(w.pid, config.MaxMemoryBytes)
	}
	if errors.Is(err, syscall.ESRCH) || errors.Is(err, os.ErrNotExist) {
		return nil // it is gone: why is found out by who waits for it
	}
	return err
}

// wait reaps the worker and cleans up behind it.
func (w *worker) wait() {
	w.process.Reap()
	close(w.reaped)
	deadline := time.Now().Add(lastWords)
	_ = w.output.SetReadDeadline(deadline)
	_ = w.control.conn.SetReadDeadline(deadline)
	<-w.quiet
	<-w.ended
	_ = w.output.Close()
	w.control.close()
	w.endLinks()
	w.calls.stop()
	w.jobs.stop(w.ending())
	w.pool.leave(w)
	close(w.gone)
}

// ending says how the worker ended.
func (w *worker) ending() string {
	text := "nobody knows how"
	if state := w.process.State(); state != nil {
		text = state.String()
	}
	if cause := w.process.Cause(); cause != nil {
		text = cause.Error()
	}
	return text
}

// fail ends a worker that has broken the protocol. Its links end.
func (w *worker) fail(err error) { w.process.Kill(fmt.Errorf("it broke the protocol: %w", err)) }

// openLink makes a link to the worker: the end that is gale's, which does not block. The
// other one is sent to the worker, which may not have taken it when openLink returns.
func (w *worker) openLink() (*os.File, error) {
	ours, theirs, err := socketPair("link")
	if err != nil {
		return nil, err
	}
	// A child of the worker that left its process group may hold the worker's end. Ours
	// is told the end of the link by a copy, which whoever has the link may not close.
	handle, err := duplicate(ours)
	if err != nil {
		_ = ours.Close()
		_ = theirs.Close()
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead {
		_ = handle.Close()
		_ = ours.Close()
		_ = theirs.Close()
		return nil, ErrClosed
	}
	w.links = append(w.links, handle)
	w.pool.deliver(w, len(w.links), theirs)
	return ours, nil
}

// endLinks ends the links of a worker that is gone.
func (w *worker) endLinks() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dead = true
	for _, link := range w.links {
		shutDown(link)
		_ = link.Close()
	}
	w.links = nil
}
