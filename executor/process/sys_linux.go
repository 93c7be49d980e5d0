package process

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// selfPath is this very program, even if its file was replaced since.
func selfPath() (string, error) { return "/proc/self/exe", nil }

// newMemory makes a file in memory of n bytes, of which none takes room yet. Its
// size is sealed: nobody who has it can make it longer, or shorter under the
// feet of one who has it mapped.
func newMemory(n int64) (*os.File, error) {
	fd, err := unix.MemfdCreate("gale-payload", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|unix.MFD_NOEXEC_SEAL)
	if err == unix.EINVAL { // before Linux 6.3
		fd, err = unix.MemfdCreate("gale-payload", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	}
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	file := os.NewFile(uintptr(fd), "gale-payload")
	if err = file.Truncate(n); err == nil {
		_, err = unix.FcntlInt(file.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_GROW|unix.F_SEAL_SHRINK|unix.F_SEAL_SEAL)
	}
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("memfd: %w", err)
	}
	return file, nil
}

// release gives the pages of f from off to end back to the kernel.
func release(f *os.File, off, end int64) {
	raw, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { // which holds the descriptor: it may be closed meanwhile
		_ = unix.Fallocate(int(fd), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, end-off)
	})
}

// duplicate makes a copy of from with the number to, kept by what is executed.
func duplicate(from, to int) error { return unix.Dup3(from, to, 0) }
