package executor

import (
	"os"

	"golang.org/x/sys/unix"
)

// onFirstThread reports whether this is the thread the process began with, which
// Linux knows by the process's number.
func onFirstThread() bool { return unix.Gettid() == os.Getpid() }
