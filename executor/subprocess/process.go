package subprocess

import (
	"os"
	"os/exec"
	"runtime"
	"sync"
)

// Starter starts processes. The kernel kills a process when the thread that started
// it ends, so a Starter keeps a thread until Close.
//
// Safe for concurrent use.
type Starter struct {
	starts chan start
	quit   chan struct{}
	ended  chan struct{}
}

type start struct {
	cmd   *exec.Cmd
	reply chan<- error
}

// NewStarter returns a Starter, which is to be closed.
func NewStarter() *Starter {
	s := &Starter{starts: make(chan start), quit: make(chan struct{}), ended: make(chan struct{})}
	go s.run() // ends with Close, which waits for it
	return s
}

func (s *Starter) run() {
	defer close(s.ended)
	runtime.LockOSThread() // the thread ends with the goroutine
	for {
		select {
		case <-s.quit:
			return
		case start := <-s.starts:
			start.reply <- start.cmd.Start()
		}
	}
}

// Start starts cmd as the leader of a process group. Its SysProcAttr is overwritten.
// Files that it gets are *os.File, for nobody copies. The caller must call
// [Process.Reap]. After Close the error is os.ErrClosed.
func (s *Starter) Start(cmd *exec.Cmd) (*Process, error) {
	cmd.SysProcAttr = attributes()
	reply := make(chan error, 1)
	select {
	case s.starts <- start{cmd, reply}:
	case <-s.quit:
		return nil, os.ErrClosed
	}
	if err := <-reply; err != nil {
		return nil, err
	}
	return &Process{process: cmd.Process, pid: cmd.Process.Pid}, nil
}

// Close ends the thread. On Linux it kills the processes that are left; commonly none
// is. It is called once.
func (s *Starter) Close() {
	close(s.quit)
	<-s.ended
}

// Process is a process that runs, or has ended.
//
// Safe for concurrent use.
type Process struct {
	process *os.Process
	pid     int

	mu     sync.Mutex
	cause  error
	reaped bool
	state  *os.ProcessState
}

// PID is its number, and that of its group.
func (p *Process) PID() int { return p.pid }

// Kill kills the process and all of its group by SIGKILL. The first cause is
// remembered. It does nothing once the process was reaped.
func (p *Process) Kill(cause error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return
	}
	if p.cause == nil {
		p.cause = cause
	}
	killGroup(p.pid)
}

// Cause is why it was killed; nil if nobody here did.
func (p *Process) Cause() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cause
}

// Reaped reports whether Reap is through.
func (p *Process) Reaped() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reaped
}

// State is how it ended, once it was reaped; nil if somebody else reaped it.
func (p *Process) State() *os.ProcessState {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

// Reap waits for the end of the process, and kills what is left of its group. As long
// as the process is not reaped its number names no other process or group. Reap is
// called once.
func (p *Process) Reap() {
	if !waitExit(p.pid) { // a system that cannot wait without reaping
		state, _ := p.process.Wait()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.state, p.reaped = state, true
		killGroup(p.pid)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	killGroup(p.pid)
	p.state, _ = p.process.Wait() // at once
	p.reaped = true
}
