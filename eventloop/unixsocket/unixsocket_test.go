//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package unixsocket

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

// TestOneListens has servers start at once where a killed one has left its file, and
// where there is none: one of them listens, and is reached, and the others say why not.
func TestOneListens(t *testing.T) {
	const rounds, servers = 200, 3
	folder := t.TempDir()
	for round := range rounds {
		path := filepath.Join(folder, "s")
		if round%2 == 0 {
			leave(t, path)
		}
		var listeners [servers]*net.UnixListener
		var files [servers]File
		var errs [servers]error
		begin := make(chan struct{})
		var all sync.WaitGroup
		for i := range servers {
			all.Go(func() {
				<-begin
				listeners[i], files[i], errs[i] = Listen(path)
			})
		}
		close(begin)
		all.Wait()
		listening := 0
		for i, l := range listeners {
			if l != nil {
				listening++
				files[i].Remove()
				_ = l.Close()
			} else if !errors.Is(errs[i], syscall.EADDRINUSE) {
				t.Errorf("round %d: %v", round, errs[i])
			}
		}
		if listening != 1 {
			t.Fatalf("round %d: %d of %d listen: %v", round, listening, servers, errs)
		}
		if left, _ := os.ReadDir(folder); len(left) != 0 {
			t.Fatalf("round %d: %v stays", round, left)
		}
	}
}

// leave makes the file of a socket that nobody listens on.
func leave(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
}
