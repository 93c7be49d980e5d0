//go:build unix && !linux

package process

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Where there is no Linux a worker has no limits but its deadline and its
// niceness, payloads go through the pipes, and a worker learns that the pool's
// process is gone when its stdin ends.

func selfPath() (string, error) { return os.Executable() }

func newMemory(int64) (*os.File, error) { return nil, errors.ErrUnsupported }

func release(*os.File, int64, int64) {}

func duplicate(from, to int) error { return unix.Dup2(from, to) }
