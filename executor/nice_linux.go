package executor

import (
	"os"

	"golang.org/x/sys/unix"
)

// setLowestPriority gives the calling thread the nice value 19. On Linux that
// concerns the thread only (setpriority(2), "C library/kernel differences"), and
// needs no privilege.
func setLowestPriority() error {
	return unix.Setpriority(unix.PRIO_PROCESS, 0, 19)
}

// onFirstThread reports whether this is the thread the process began with, which
// Linux knows by the process's number.
func onFirstThread() bool { return unix.Gettid() == os.Getpid() }
