//go:build unix && !linux

package cgi

import (
	"syscall"

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

func keepInherited() {} // what was open before this process began is theirs, too

// exitWatch tells when a process has ended: a goroutine waits for it, and closes its
// end of a pipe.
type exitWatch struct {
	fd     int
	status chan syscall.WaitStatus
}

func (e *exitWatch) fork(file string, argv []string, attr *syscall.ProcAttr, _ Limits) (pid int, err error) {
	r, w, err := pipe()
	if err != nil {
		return 0, err
	}
	attr.Sys = &syscall.SysProcAttr{Setpgid: true}
	if pid, err = syscall.ForkExec(file, argv, attr); err != nil {
		closeAll(r, w)
		return 0, err
	}
	e.fd, e.status = r, make(chan syscall.WaitStatus, 1)
	go func() { // ends with the process
		e.status <- wait4(pid)
		closeAll(w)
	}()
	return pid, nil
}

func (e *exitWatch) await() { e.status <- <-e.status }

func (e *exitWatch) reap(int) syscall.WaitStatus {
	closeOnce(&e.fd)
	return <-e.status
}
