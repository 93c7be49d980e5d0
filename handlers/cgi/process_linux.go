package cgi

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

const haveLimits = true

// pipe makes a pipe that no program inherits.
func pipe() (r, w int, err error) {
	var fds [2]int
	err = unix.Pipe2(fds[:], unix.O_CLOEXEC)
	return fds[0], fds[1], err
}

// keepInherited keeps from programs what this process has inherited itself: what Go opens
// is closed on execution, but not what was open before. It needs Linux 5.11, and helps
// nothing before.
func keepInherited() { _ = unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) }

// exitWatch tells when a process has ended, by a descriptor of it.
type exitWatch struct {
	fd int // readable once the process has ended
}

var errNoPidfd = errors.New("the kernel gives no descriptors of processes: Linux 5.4 is required")

// fork starts a program. With limits it is traced until they are set, which is before
// its first instruction: prlimit(2) after the start would let it run without them for a
// moment, in which it could fork.
func (e *exitWatch) fork(file string, argv []string, attr *syscall.ProcAttr, limits Limits) (pid int, err error) {
	e.fd = -1
	attr.Sys = &syscall.SysProcAttr{Setpgid: true, PidFD: &e.fd}
	if limits.given() {
		attr.Sys.Ptrace = true
		runtime.LockOSThread() // the tracer is a thread
		defer runtime.UnlockOSThread()
	}
	if pid, err = syscall.ForkExec(file, argv, attr); err != nil {
		return 0, err
	}
	if e.fd < 0 {
		err = errNoPidfd
	} else if limits.given() {
		err = limitTraced(pid, limits)
	}
	if err != nil {
		_ = unix.Kill(pid, unix.SIGKILL)
		wait4(pid)
		e.close()
		return 0, err
	}
	return pid, nil
}

// limitTraced sets the limits of a process that stops as its program is executed, and
// lets it go.
func limitTraced(pid int, limits Limits) error {
	var status syscall.WaitStatus
	for {
		_, err := syscall.Wait4(pid, &status, 0, nil)
		switch {
		case err == syscall.EINTR:
			continue
		case err != nil:
			return fmt.Errorf("wait for a traced program: %w", err)
		case !status.Stopped():
			return errors.New("program ended before its limits were set")
		case status.StopSignal() != syscall.SIGTRAP: // a signal of somebody's
			if err := syscall.PtraceCont(pid, int(status.StopSignal())); err != nil {
				return fmt.Errorf("continue a traced program: %w", err)
			}
			continue
		}
		break
	}
	if err := setLimits(pid, limits); err != nil {
		return fmt.Errorf("limits: %w", err)
	}
	return syscall.PtraceDetach(pid)
}

// setLimits sets limits, but raises none. Memory of a limited process is not written
// to a core file.
func setLimits(pid int, limits Limits) error {
	for _, l := range []struct {
		resource int
		n        int64
	}{
		{unix.RLIMIT_AS, limits.MemoryBytes},
		{unix.RLIMIT_CPU, limits.CPUSeconds},
		{unix.RLIMIT_NOFILE, limits.Files},
		{unix.RLIMIT_FSIZE, limits.FileBytes},
	} {
		if l.n <= 0 {
			continue
		}
		var old unix.Rlimit
		if err := unix.Prlimit(pid, l.resource, nil, &old); err != nil {
			return err
		}
		n := min(uint64(l.n), old.Max)
		if err := unix.Prlimit(pid, l.resource, &unix.Rlimit{Cur: n, Max: n}, nil); err != nil {
			return err
		}
	}
	return unix.Prlimit(pid, unix.RLIMIT_CORE, &unix.Rlimit{}, nil)
}

// await blocks until the process has ended, and leaves it to be reaped.
func (e *exitWatch) await() {
	fds := []unix.PollFd{{Fd: int32(e.fd), Events: unix.POLLIN}}
	for {
		if _, err := unix.Poll(fds, -1); err != unix.EINTR {
			return
		}
	}
}

// reap takes what is left of a process that has ended.
func (e *exitWatch) reap(pid int) syscall.WaitStatus {
	status := wait4(pid)
	e.close()
	return status
}

func (e *exitWatch) close() { closeOnce(&e.fd) }
