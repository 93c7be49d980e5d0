package python

import (
	"os"

	"golang.org/x/sys/unix"
)

// socketPair makes two stream sockets that are connected, and inherited by nobody. Ours
// does not block.
func socketPair(name string) (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	return ourEnd(fds[0], name), os.NewFile(uintptr(fds[1]), name), nil
}
