//go:build unix && !linux

package cgi

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Where there is no Linux a process has the limits of the server, and is reaped the
// moment it ends: what is left of its group is killed right after that.

const haveLimits = false

// pipe makes a pipe that no program inherits.
func pipe() (r, w int, err error) {
	var fds [2]int
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err = unix.Pipe(fds[:]); err == nil {
		unix.CloseOnExec(fds[0])
		unix.CloseOnExec(fds[1])
	}
	return fds[0], fds[1], err
}

// watch waits for what a process writes and for its end: a goroutine waits for that,
// and closes its end of a pipe.
type watch struct {
	end    int
	status chan syscall.WaitStatus
}

// epolls are for Linux.
type epolls struct{}

func (*epolls) close() {}

func (p *process) fork(_ *epolls, file string, attr *syscall.ProcAttr, _ Limits) error {
	end, w, err := pipe()
	if err != nil {
		return err
	}
	attr.Sys = &syscall.SysProcAttr{Setpgid: true}
	if p.pid, err = syscall.ForkExec(file, []string{file}, attr); err != nil {
		closeAll(end, w)
		return err
	}
	p.watch = watch{end: end, status: make(chan syscall.WaitStatus, 1)}
	go func() { // ends with the process
		p.watch.status <- wait4(p.pid)
		closeAll(w)
	}()
	return nil
}

func (w *watch) forget(int)    {}
func (p *process) closeWatch() { closeAll(p.watch.end) }

func (p *process) reap() syscall.WaitStatus { return <-p.watch.status }

// wait blocks until there is something to read, or the process has ended, or until
// the deadline; a zero one is none. That it has ended it tells once.
func (p *process) wait(deadline time.Time) (ready, error) {
	end := p.watch.end
	if p.exited {
		end = -1
	}
	fds := [...]unix.PollFd{ // those of -1 are ignored
		{Fd: int32(p.stdout), Events: unix.POLLIN},
		{Fd: int32(p.stderr), Events: unix.POLLIN},
		{Fd: int32(end), Events: unix.POLLIN},
	}
	for {
		n, err := unix.Poll(fds[:], milliseconds(deadline))
		switch {
		case err == unix.EINTR:
		case err != nil:
			return ready{}, os.NewSyscallError("poll", err)
		case n == 0 && !deadline.IsZero() && time.Now().Before(deadline): // it was too far off
		default:
			r := ready{stdout: fds[0].Revents != 0, stderr: fds[1].Revents != 0, exited: fds[2].Revents != 0}
			p.exited = p.exited || r.exited
			return r, nil
		}
	}
}

// waitEnd waits only for the end of the process.
func (p *process) waitEnd(deadline time.Time) error {
	out, errs := p.stdout, p.stderr
	p.stdout, p.stderr = -1, -1
	defer func() { p.stdout, p.stderr = out, errs }()
	_, err := p.wait(deadline)
	return err
}

// milliseconds is the time to a deadline as poll takes it, rounded up.
func milliseconds(deadline time.Time) int {
	if deadline.IsZero() {
		return -1
	}
	const most = 1 << 30
	left := time.Until(deadline)
	return int(min(max((left+time.Millisecond-1)/time.Millisecond, 0), most))
}
