package process

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gale-server/gale/executor/internal/priority"
	"github.com/gale-server/gale/executor/process/wire"
	"github.com/gale-server/gale/executor/subprocess"
)

const (
	// inlineBytes is how long a payload may be before it goes through memory. A
	// pipe takes 64 KiB at once and more in turns; with 64 KiB here a payload of
	// that size took 360 us there and back, with 16 KiB it takes 140.
	inlineBytes = 16 << 10
	// retainedBytes is how much of each shared memory a worker keeps between
	// jobs, so that the kernel need not clear pages for every payload.
	retainedBytes = 1 << 20
	// weighInterval is how often, at most, we look at a worker's memory.
	weighInterval = 20 * time.Millisecond
	// exitTime is how long a process may take to end after its stdout has.
	exitTime = 2 * time.Second
	// lastWords is how long we read on after a worker has died, if something it
	// started, outside its process group, still holds its pipes.
	lastWords = 250 * time.Millisecond
)

// child is one worker process, seen from the pool. Three goroutines belong to
// it: read, follow, and wait, which ends last, once the process is
// gone, and closes gone.
type child struct {
	pool           *Pool
	pid            int
	process        *subprocess.Process
	stdin          *os.File
	stdout, stderr *os.File
	input, output  *os.File // shared memory, or nil
	said           subprocess.Capture
	jobs           map[string]bool // by name, from its hello
	jobsLeft       int             // until it is replaced; negative is no limit
	weighed        time.Time       // when its memory was last looked at

	events chan event    // what read leaves to the goroutine that runs the job
	eof    chan struct{} // closed by read: there will be no more
	quiet  chan struct{} // closed by follow
	gone   chan struct{} // closed by wait: reaped, all files closed

	stalled atomic.Bool // read waits for the goroutine that runs the job
	missed  int         // heartbeats without a sign of life; owned by the pool's beat

	writing sync.Mutex // to stdin; taken before mu
	mu      sync.Mutex
	machine *wire.Machine
	frame   []byte      // being written
	running uint64      // number of the job under way, 0 is none
	runs    uint64      // jobs so far
	timer   *time.Timer // kills the worker if the job does not stop
	cpu     *time.Timer // looks at its processor time
	sample  string      // what it wrote that was not the protocol
}

// event is what the goroutine that runs a job gets from the one that reads.
type event struct {
	wire.Event
	data []byte // a copy
}

// spawn starts a process.
func (p *Pool) spawn() (*child, error) {
	c := &child{
		pool: p, machine: wire.NewHost(), jobsLeft: p.jobsPerWorker(),
		events: make(chan event, 4), eof: make(chan struct{}), quiet: make(chan struct{}), gone: make(chan struct{}),
	}
	cmd, err := p.command()
	if err != nil {
		return nil, err
	}
	var theirs []*os.File
	closeAll := func(files ...*os.File) {
		for _, f := range files {
			if f != nil {
				_ = f.Close()
			}
		}
	}
	defer func() { closeAll(theirs...) }()
	var pipeErr error
	pipe := func() (r, w *os.File) {
		r, w, err := os.Pipe()
		pipeErr = errors.Join(pipeErr, err)
		return r, w
	}
	var stdin, stdout, stderr *os.File
	stdin, c.stdin = pipe()
	c.stdout, stdout = pipe()
	c.stderr, stderr = pipe()
	theirs = []*os.File{stdin, stdout, stderr}
	if pipeErr != nil {
		closeAll(c.stdin, c.stdout, c.stderr)
		return nil, pipeErr
	}
	c.shareMemory()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, stderr
	if c.input != nil {
		cmd.ExtraFiles = []*os.File{c.input, c.output} // descriptors 3 and 4
	}
	if c.process, err = p.starter.Start(cmd); err != nil {
		closeAll(c.stdin, c.stdout, c.stderr, c.input, c.output)
		return nil, err
	}
	c.pid = c.process.PID()
	return c, nil
}

// shareMemory makes the memory for payloads. Without it they go through pipes.
func (c *child) shareMemory() {
	in, err := newMemory(c.pool.config.MaxPayloadBytes)
	if err != nil {
		return
	}
	out, err := newMemory(c.pool.config.MaxPayloadBytes)
	if err != nil {
		_ = in.Close()
		return
	}
	c.input, c.output = in, out
}

// command is what is executed.
func (p *Pool) command() (*exec.Cmd, error) {
	var cmd *exec.Cmd
	if len(p.config.Command) > 0 {
		cmd = exec.Command(p.config.Command[0], p.config.Command[1:]...)
	} else {
		path, err := selfPath()
		if err != nil {
			return nil, err
		}
		cmd = &exec.Cmd{Path: path, Args: []string{os.Args[0], "(gale worker)"}}
	}
	cmd.Dir = p.config.Dir
	cmd.Env = append(subprocess.Environ(p.config.Env, workerEnv), workerEnv+"=1")
	return cmd, nil
}

// greet brings a started process to where it can take jobs.
func (c *child) greet() error {
	config := &c.pool.config
	var problems error
	if config.Nice > 0 {
		problems = priority.LowerProcess(c.pid, config.Nice)
	}
	if err := errors.Join(problems, subprocess.LimitFiles(c.pid, config.MaxFiles)); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err // else it is gone already, and why is found out below
	}
	hello := wire.HostHello{MaxPayloadBytes: config.MaxPayloadBytes, InlineBytes: inlineBytes, Nice: config.Nice}
	hello.MemoryLimitBytes = config.MaxMemoryBytes - config.MaxMemoryBytes/8
	if c.input != nil {
		hello.Memory = &wire.Memory{Input: 3, Output: 4, Bytes: config.MaxPayloadBytes}
	}
	timeout := time.AfterFunc(config.StartTimeout, func() { c.kill(errSlowStart) })
	defer timeout.Stop()
	if err := c.write(func(dst []byte) ([]byte, error) { return c.machine.AppendHostHello(dst, hello) }, nil); err != nil {
		return c.startFailure(err)
	}
	ev, ok := c.next()
	if !ok {
		return c.startFailure(nil)
	}
	if ev.Type == wire.Error {
		return fmt.Errorf("it says %q", ev.Failure.Message)
	}
	return c.accept(ev.Worker)
}

var errSlowStart = errors.New("it was not ready within Config.StartTimeout")

// startFailure says why there is no hello.
func (c *child) startFailure(err error) error {
	<-c.gone
	switch {
	case c.process.Cause() != nil:
		return c.process.Cause()
	case err != nil && !errors.Is(err, os.ErrClosed) && !brokenPipe(err):
		return err
	}
	return fmt.Errorf("it ended before it was ready: %v", c.process.State())
}

// accept judges a worker by its hello.
func (c *child) accept(hello wire.WorkerHello) error {
	c.jobs = make(map[string]bool, len(hello.Jobs))
	for _, name := range hello.Jobs {
		c.jobs[name] = true
	}
	config := &c.pool.config
	if len(config.Command) == 0 {
		_, digest := jobs()
		if digest != hello.Registry {
			return errors.New("it has other jobs than this process")
		}
	}
	for _, name := range config.Jobs {
		if !c.jobs[name] {
			return fmt.Errorf("it has no job %q", name)
		}
	}
	if config.Nice > 0 { // again, for threads that were being made
		_ = priority.LowerProcess(c.pid, config.Nice)
	}
	if config.MaxMemoryBytes > 0 {
		return subprocess.LimitMemory(c.pid, config.MaxMemoryBytes)
	}
	return nil
}

// write appends a frame and writes it, with the payload behind it.
func (c *child) write(appendFrame func(dst []byte) ([]byte, error), payload []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.mu.Lock()
	frame, err := appendFrame(c.frame[:0])
	c.frame = frame
	c.mu.Unlock()
	if err != nil {
		return err
	}
	return writeFrame(c.stdin, frame, payload)
}

// read takes what the worker says, until it says no more.
func (c *child) read() {
	defer close(c.eof)
	defer close(c.events)
	buf := make([]byte, 64<<10)
	for {
		n, err := c.stdout.Read(buf)
		for p := buf[:n]; len(p) > 0; {
			taken, err := c.take(p)
			if err != nil {
				c.mu.Lock()
				c.sample = string(p[:min(len(p), 64)])
				c.mu.Unlock()
				c.kill(err)
				return
			}
			p = p[taken:]
		}
		if err != nil {
			return
		}
	}
}

func (c *child) take(p []byte) (int, error) {
	c.mu.Lock()
	ev, err := c.machine.Next(p)
	c.mu.Unlock()
	if err != nil || ev.Type == wire.NeedData || ev.Type == wire.Pong {
		return ev.N, err
	}
	out := event{Event: ev, data: bytes.Clone(ev.Data)}
	select {
	case c.events <- out:
	default:
		c.stalled.Store(true)
		c.events <- out
		c.stalled.Store(false)
	}
	return ev.N, nil
}

// next is the next event, or false if there will be none: the worker is dead or
// as good as dead.
func (c *child) next() (event, bool) {
	ev, ok := <-c.events
	if !ok {
		c.end(exitTime)
	}
	return ev, ok
}

// end waits for a worker that has nothing more to do or to say, and kills it if
// it does not end by itself in time.
func (c *child) end(grace time.Duration) {
	_ = c.stdin.Close()
	timer := time.AfterFunc(grace, func() { c.kill(errLingers) })
	defer timer.Stop()
	for range c.events { // nobody wants these any more, and read must go on
	}
	<-c.gone
}

var errLingers = errors.New("it closed its stdout and did not end")

// kill kills the worker and all of its group, and remembers why.
func (c *child) kill(cause error) { c.process.Kill(cause) }

// judge says, after a job, whether the worker can have another, and whether it
// had enough of them. It belongs to the goroutine that had the job.
func (c *child) judge() (usable, tired bool) {
	c.mu.Lock()
	busy := c.machine.Busy()
	c.mu.Unlock()
	if busy {
		c.kill(errAbandoned)
	}
	usable = c.process.Cause() == nil && !c.process.Reaped()
	if c.jobsLeft == 0 {
		return usable, usable
	}
	// Asking the kernel takes longer than a short job, and a leak takes time.
	if now := time.Now(); usable && now.Sub(c.weighed) > weighInterval {
		c.weighed = now
		_, resident, err := subprocess.Memory(c.pid)
		tired = err == nil && resident > c.pool.config.MaxResidentBytes
	}
	return usable, tired
}

// follow keeps what the worker writes to stderr, and logs it line by line, until it
// ends.
func (c *child) follow(log *slog.Logger) {
	defer close(c.quiet)
	subprocess.Lines(io.TeeReader(c.stderr, &c.said), func(line []byte) {
		log.Info("process: worker wrote", "line", string(line))
	})
}

// wait reaps the worker and cleans up behind it.
func (c *child) wait() {
	c.process.Reap()
	deadline := time.Now().Add(lastWords)
	_ = c.stdout.SetReadDeadline(deadline)
	_ = c.stderr.SetReadDeadline(deadline)
	<-c.eof
	<-c.quiet
	_ = c.stdin.Close()
	_ = c.stdout.Close()
	_ = c.stderr.Close()
	if c.input != nil {
		_ = c.input.Close()
		_ = c.output.Close()
	}
	c.pool.forget(c)
	close(c.gone)
}
