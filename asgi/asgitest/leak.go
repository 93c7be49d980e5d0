package asgitest

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// CheckLeaks fails the test if it leaves a goroutine or a descriptor behind: as
// CheckGoroutines, and by what /proc says of the process's open files where
// there is a /proc. Call it first, so that it looks when everything else has
// been cleaned up. It is not for tests that run in parallel.
func CheckLeaks(tb testing.TB) {
	// The runtime opens its poller with the first socket and keeps it: no test has
	// left it behind.
	if l, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
		_ = l.Close()
	}
	before := openFiles()
	tb.Cleanup(func() {
		limit := time.Now().Add(waitLimit)
		for len(openFiles()) > len(before) {
			if time.Now().After(limit) {
				tb.Errorf("asgitest: descriptors before: %q\nnow: %q", before, openFiles())
				return
			}
			runtime.Gosched() // a file that is being closed gives no signal
		}
	})
	CheckGoroutines(tb)
}

// openFiles is what the process's descriptors are for.
func openFiles() (files []string) {
	const dir = "/proc/self/fd"
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		// The descriptor that reads the directory is gone by now.
		if target, err := os.Readlink(filepath.Join(dir, entry.Name())); err == nil {
			files = append(files, target)
		}
	}
	return files
}
