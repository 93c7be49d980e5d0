//go:build unix && !linux

package python

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// socketPair makes two stream sockets that are connected, and inherited by nobody. Ours
// does not block.
func socketPair(name string) (ours, theirs *os.File, err error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	unix.CloseOnExec(fds[0])
	unix.CloseOnExec(fds[1])
	return ourEnd(fds[0], name), os.NewFile(uintptr(fds[1]), name), nil
}
