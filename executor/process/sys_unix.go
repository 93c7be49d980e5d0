//go:build unix && !linux

package process

import (
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Where there is no Linux a worker has no limits but its deadline and its
// niceness, payloads go through the pipes, and a worker learns that the pool's
// process is gone when its stdin ends.

func selfPath() (string, error) { return os.Executable() }

func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func waitExit(int) bool { return false }

func killGroup(pid int) { _ = unix.Kill(-pid, unix.SIGKILL) }

func limitFiles(int, int) error { return nil }

func limitMemory(int, int64) error { return nil }

func memoryOf(int) (int64, int64, error) { return 0, 0, errors.ErrUnsupported }

func cpuTime(int) (time.Duration, bool) { return 0, false }

func newMemory(int64) (*os.File, error) { return nil, errors.ErrUnsupported }

func release(*os.File, int64, int64) {}

func duplicate(from, to int) error { return unix.Dup2(from, to) }
