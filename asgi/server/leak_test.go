package server

import (
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"
)

// wantNoLeaks checks, when everything else of the test is cleaned up, that no
// goroutine and no descriptor is left.
func wantNoLeaks(t testing.TB) {
	t.Helper()
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	t.Cleanup(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		deadline := time.After(10 * time.Second)
		for runtime.NumGoroutine() > goroutines || openFiles(t) > files {
			select {
			case <-tick.C:
			case <-deadline:
				var stacks strings.Builder
				_ = pprof.Lookup("goroutine").WriteTo(&stacks, 1)
				t.Errorf("%d goroutines of %d, %d descriptors of %d are left\n%s",
					runtime.NumGoroutine(), goroutines, openFiles(t), files, stacks.String())
				return
			}
		}
	})
}

// openFiles counts descriptors; 0 where there is no /proc.
func openFiles(t testing.TB) int {
	dir, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(dir)
}
