//go:build unix && !linux

package priority

import (
	"os"

	"golang.org/x/sys/unix"
)

// Lower does nothing: here a nice value is that of the process.
func Lower(thread, nice int) error { return nil }

// LowerProcess gives a process the nice value.
func LowerProcess(pid, nice int) error {
	return os.NewSyscallError("setpriority", unix.Setpriority(unix.PRIO_PROCESS, pid, nice))
}
