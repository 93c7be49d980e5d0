//go:build unix && !linux

package subprocess

import (
	"errors"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func waitExit(int) bool { return false }

func killGroup(pid int) { _ = unix.Kill(-pid, unix.SIGKILL) }

// KeepInherited does nothing here.
func KeepInherited() {}

// LimitFiles does nothing here.
func LimitFiles(int, int) error { return nil }

// LimitMemory does nothing here.
func LimitMemory(int, int64) error { return nil }

// Memory is not known here.
func Memory(int) (size, resident int64, err error) { return 0, 0, errors.ErrUnsupported }

// CPUTime is not known here.
func CPUTime(int) (time.Duration, bool) { return 0, false }
