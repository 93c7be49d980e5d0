//go:build unix

package descriptors

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// TestRoom opens files under a limit of its own: each takes the room of a connection,
// unless it is one.
func TestRoom(t *testing.T) {
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	low := before
	low.Cur = 200
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_NOFILE, &before)
	if Reserve() != 16 {
		t.Errorf("the reserve is %d", Reserve())
	}
	empty := Room(0)
	if empty < 100 || empty > 200-16-3 {
		t.Errorf("room for %d", empty)
	}
	var files []*os.File
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		files = append(files, f)
		defer f.Close()
	}
	if got := Room(0); got != -16 {
		t.Errorf("with none left, there is room for %d", got)
	}
	if got := Room(len(files)); got != empty {
		t.Errorf("if they are conns, there is room for %d, want %d", got, empty)
	}
	for _, f := range files[50:] {
		_ = f.Close()
	}
	if got := Room(0); got != empty-50 {
		t.Errorf("with 50 files there is room for %d, want %d", got, empty-50)
	}
}
