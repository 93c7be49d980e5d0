package process

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// selfPath is this very program, even if its file was replaced since.
func selfPath() (string, error) { return "/proc/self/exe", nil }

// attributes of a worker: a process group of its own, and death with the thread
// that started it.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL}
}

// waitExit blocks until pid has ended, leaves it to be reaped, and says whether
// that was possible.
func waitExit(pid int) bool {
	for {
		if err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != unix.EINTR {
			return err == nil
		}
	}
}

// killGroup kills the group that pid leads.
func killGroup(pid int) { _ = unix.Kill(-pid, unix.SIGKILL) }

// limitFiles bounds the descriptors of pid, if files is not 0, and forbids core
// dumps.
func limitFiles(pid, files int) error {
	if err := limit(pid, unix.RLIMIT_CORE, 0); err != nil {
		return err
	}
	if files == 0 {
		return nil
	}
	return limit(pid, unix.RLIMIT_NOFILE, uint64(files))
}

// limitMemory bounds the address space of pid to what it has and bytes more.
func limitMemory(pid int, bytes int64) error {
	size, _, err := memoryOf(pid)
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

// memoryOf is the address space of pid and what of it is resident, in bytes.
func memoryOf(pid int) (size, resident int64, err error) {
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

// cpuTime is the processor time that pid has used, and whether that is known.
func cpuTime(pid int) (time.Duration, bool) {
	// The clock of another process: clock_getcpuclockid(3).
	const schedClock = 2
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|schedClock), &t); err != nil {
		return 0, false
	}
	return time.Duration(t.Nano()), true
}

// newMemory makes a file in memory of n bytes, of which none takes room yet. Its
// size is sealed: nobody who has it can make it longer, or shorter under the
// feet of one who has it mapped.
func newMemory(n int64) (*os.File, error) {
	fd, err := unix.MemfdCreate("gale-payload", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|unix.MFD_NOEXEC_SEAL)
	if err == unix.EINVAL { // before Linux 6.3
		fd, err = unix.MemfdCreate("gale-payload", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	}
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	file := os.NewFile(uintptr(fd), "gale-payload")
	if err = file.Truncate(n); err == nil {
		_, err = unix.FcntlInt(file.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_GROW|unix.F_SEAL_SHRINK|unix.F_SEAL_SEAL)
	}
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("memfd: %w", err)
	}
	return file, nil
}

// release gives the pages of f from off to end back to the kernel.
func release(f *os.File, off, end int64) {
	raw, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { // which holds the descriptor: it may be closed meanwhile
		_ = unix.Fallocate(int(fd), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, end-off)
	})
}

// duplicate makes a copy of from with the number to, kept by what is executed.
func duplicate(from, to int) error { return unix.Dup3(from, to, 0) }
