//go:build unix

package nethttp

import (
	"errors"
	"os"
	"syscall"

	"github.com/gale-server/gale/asgi"
)

func withZeroCopy(extensions map[string]any) map[string]any {
	extensions[asgi.ExtZeroCopySend] = nil
	return extensions
}

// duplicate returns a file of its own for what f refers to: the application may
// close f when its send has returned.
func duplicate(f *os.File) (*os.File, error) {
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
