//go:build unix

package engine

import (
	"errors"
	"os"
	"syscall"
)

// CanDuplicate reports whether Duplicate works on this system.
const CanDuplicate = true

// Duplicate returns a file of its own for what f refers to: an application may
// close the file of a zero-copy send when its send has returned.
func Duplicate(f *os.File) (*os.File, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	var fd int
	var dupErr error
	err = raw.Control(func(from uintptr) {
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
		if fd, dupErr = syscall.Dup(int(from)); dupErr == nil {
			syscall.CloseOnExec(fd)
		}
	})
	if err = errors.Join(err, dupErr); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}
