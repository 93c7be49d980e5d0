package cgi

import (
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is a program that runs, the leader of a process group of its own. One
// goroutine waits for what it writes and for its end; any may terminate it.
type process struct {
	pid    int
	stdout int // descriptors that are read; -1 once closed
	stderr int
	watch  watch
	exited bool // it has ended, and is not reaped

	// complete says that nobody writes any more: a read that does not fill its buffer is
	// the last.
	complete bool

	mu     sync.Mutex
	reaped bool        // from then on the pid may be another's
	kill   *time.Timer // of SIGKILL, once it was told to end
}

// command says what is started.
type command struct {
	file   string
	dir    string
	env    []string
	stdin  *os.File
	limits Limits
}

// start starts a program. It blocks until the program is executed, which no disk
// delays much. Go's fork shares memory as vfork does: its cost does not depend on the
// size of this process. Every descriptor but the three is closed on execution.
func start(from *epolls, c command) (*process, error) {
	out, outWrite, err := pipe()
	if err != nil {
		return nil, err
	}
	errs, errsWrite, err := pipe()
	if err != nil {
		closeAll(out, outWrite)
		return nil, err
	}
	p := &process{stdout: out, stderr: errs}
	err = p.fork(from, c.file, &syscall.ProcAttr{
		Dir:   c.dir,
		Env:   c.env,
		Files: []uintptr{c.stdin.Fd(), uintptr(outWrite), uintptr(errsWrite)},
	}, c.limits)
	closeAll(outWrite, errsWrite)
	if err != nil {
		closeAll(out, errs)
		return nil, err
	}
	return p, nil
}

func closeAll(fds ...int) {
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}

// ready says what a process has to tell.
type ready struct {
	stdout, stderr, exited bool
}

func (r ready) any() bool { return r.stdout || r.stderr || r.exited }

// readOutput and readErrors read what is there; 0 is the end.
func (p *process) readOutput(buf []byte) (int, error) { return p.read(&p.stdout, buf) }
func (p *process) readErrors(buf []byte) (int, error) { return p.read(&p.stderr, buf) }

func (p *process) read(fd *int, buf []byte) (int, error) {
	for {
		n, err := unix.Read(*fd, buf)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return 0, os.NewSyscallError("read", err)
		case n == 0, p.complete && n < len(buf):
			p.closeRead(fd)
		}
		return n, nil
	}
}

func (p *process) closeRead(fd *int) {
	if *fd >= 0 {
		p.watch.forget(*fd)
		_ = unix.Close(*fd)
		*fd = -1
	}
}

// terminate tells the process group to end, and ends it by force once grace has
// passed. It may be called more than once, and after the end.
func (p *process) terminate(grace time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped || p.kill != nil {
		return
	}
	p.signal(unix.SIGTERM)
	p.kill = time.AfterFunc(grace, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if !p.reaped {
			p.signal(unix.SIGKILL)
		}
	})
}

// signal signals the group. Until the leader is reaped nobody else can have its
// number.
func (p *process) signal(s syscall.Signal) { _ = unix.Kill(-p.pid, s) }

// finish blocks until the process has ended, kills what is left of its group, and
// reaps it. Nothing of it is left then, but for processes that have made a group of
// their own.
func (p *process) finish() syscall.WaitStatus {
	p.closeRead(&p.stdout)
	p.closeRead(&p.stderr)
	for !p.exited {
		if _, err := p.wait(time.Time{}); err != nil {
			break // reap waits
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.signal(unix.SIGKILL)
	status := p.reap()
	p.closeWatch()
	p.reaped = true
	if p.kill != nil {
		p.kill.Stop()
	}
	return status
}

// wait4 reaps a process.
func wait4(pid int) (status syscall.WaitStatus) {
	for {
		if _, err := syscall.Wait4(pid, &status, 0, nil); err != syscall.EINTR {
			return status
		}
	}
}
