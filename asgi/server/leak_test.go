package server

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/internal/longtest"
)

// wantNoLeaks checks, when everything else of the test is cleaned up, that no
// goroutine and no descriptor is left.
func wantNoLeaks(t testing.TB) {
	t.Helper()
	goroutines, files := runtime.NumGoroutine(), len(openFiles())
	t.Cleanup(func() {
		if left := remains(goroutines, files); left != "" {
			t.Errorf("left %s", left)
		}
	})
}

// warmUp opens what the runtime keeps for good: the descriptors of its poller.
func warmUp() {
	if l, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
		_ = l.Close()
	}
}

// remains waits for goroutines and descriptors to be as few as they were, and
// says what is left if they do not become so; "" is nothing.
func remains(goroutines, files int) string {
	http.DefaultClient.CloseIdleConnections()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(longtest.Patience)
	for runtime.NumGoroutine() > goroutines || len(openFiles()) > files {
		select {
		case <-tick.C:
		case <-deadline:
			var stacks strings.Builder
			_ = pprof.Lookup("goroutine").WriteTo(&stacks, 1)
			return fmt.Sprintf("of %d goroutines: %s\nof %d descriptors: %q", goroutines, stacks.String(), files, openFiles())
		}
	}
	return ""
}

// openFiles is what the descriptors are for; nil where there is no /proc.
func openFiles() (files []string) {
	dir, _ := os.ReadDir("/proc/self/fd")
	for _, fd := range dir {
		if to, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil { // else the one that reads the directory
			files = append(files, to)
		}
	}
	return files
}

// memory is the bytes of heap and stacks in use.
func memory() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
