package cgi

import (
	"errors"
	"fmt"
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

// reap takes what is left of a process that has ended.
func (p *process) reap() syscall.WaitStatus { return wait4(p.pid) }
