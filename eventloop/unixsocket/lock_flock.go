//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package unixsocket

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const (
	// lockTimeout bounds how long lock waits: others hold it for some 100 us.
	lockTimeout = 5 * time.Second
	lockPause   = time.Millisecond
)

// lock keeps other servers from listening in the folder of a socket until unlock. It
// locks the folder itself (flock), so that no lock file stays behind; the kernel
// unlocks it if the process dies.
func lock(path string) (unlock func(), err error) {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(lockTimeout); ; time.Sleep(lockPause) {
		err = syscall.Flock(int(folder.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = folder.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) || time.Now().After(deadline) {
			_ = folder.Close()
			return nil, &os.PathError{Op: "lock", Path: folder.Name(), Err: err}
		}
	}
}
