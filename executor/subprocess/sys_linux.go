package subprocess

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// attributes of a process: a group of its own, and death with the thread that started
// it.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL}
}

// waitExit blocks until pid has ended, leaves it to be reaped, and says whether that
// was possible.
func waitExit(pid int) bool {
	for {
		if err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != unix.EINTR {
			return err == nil
		}
	}
}

// killGroup kills the group that pid leads.
func killGroup(pid int) { _ = unix.Kill(-pid, unix.SIGKILL) }

// KeepInherited keeps from processes what this one has inherited itself: what Go opens
// is closed on execution, but not what was open before, such as listeners of a service
// manager. Linux 5.11 or later; before, and elsewhere, it does nothing.
func KeepInherited() { _ = unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) }

// LimitFiles bounds the descriptors of pid, if files is not 0, and forbids core dumps.
// Linux only.
func LimitFiles(pid, files int) error {
	if err := limit(pid, unix.RLIMIT_CORE, 0); err != nil {
		return err
	}
	if files == 0 {
		return nil
	}
	return limit(pid, unix.RLIMIT_NOFILE, uint64(files))
}

// LimitMemory bounds the address space of pid to what it has and bytes more. Linux
// only.
func LimitMemory(pid int, bytes int64) error {
	size, _, err := Memory(pid)
	if err != nil {
		return err
	}
	return limit(pid, unix.RLIMIT_AS, uint64(size)+uint64(bytes))
}

// limit sets a limit, but raises none.
func limit(pid, resource int, n uint64) error {
	var old unix.Rlimit
	if err := unix.Prlimit(pid, resource, nil, &old); err != nil {
		return fmt.Errorf("limits: %w", err)
	}
	n = min(n, old.Max)
	if err := unix.Prlimit(pid, resource, &unix.Rlimit{Cur: n, Max: n}, nil); err != nil {
		return fmt.Errorf("limits: %w", err)
	}
	return nil
}

// Memory is the address space of pid and what of it is resident, in bytes. Elsewhere
// than on Linux the error is errors.ErrUnsupported.
func Memory(pid int) (size, resident int64, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, 0, err
	}
	fields := bytes.Fields(b)
	if len(fields) < 2 {
		return 0, 0, fmt.Errorf("statm of %d fields", len(fields))
	}
	for i, to := range []*int64{&size, &resident} {
		pages, err := strconv.ParseInt(string(fields[i]), 10, 64)
		if err != nil {
			return 0, 0, err
		}
		*to = pages * int64(os.Getpagesize())
	}
	return size, resident, nil
}

// CPUTime is the processor time that pid has used, and whether that is known.
func CPUTime(pid int) (time.Duration, bool) {
	// The clock of another process: clock_getcpuclockid(3).
	const schedClock = 2
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|schedClock), &t); err != nil {
		return 0, false
	}
	return time.Duration(t.Nano()), true
}
