//go:build unix

package descriptors

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestCap runs out of descriptors: the cap is lower until they are free again, and is
// found out once a second.
func TestCap(t *testing.T) {
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
	c, fixed := NewCap(0, true), NewCap(50, false)
	if !c.Fit(0) || !fixed.Fit(0) {
		t.Fatal("there is no room")
	}
	most := Room(0)
	now := time.Unix(1_790_000_000, 0)
	allows := func(conns int, want bool) {
		t.Helper()
		if c.Allows(conns, 0, now) != want {
			t.Errorf("%d connections: %v", conns, !want)
		}
	}
	allows(most, true)
	allows(most+1, false)
	var files []*os.File
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		files = append(files, f)
		defer f.Close()
	}
	allows(most, true) // nobody has noticed
	c.RanOut(0, now)
	fixed.RanOut(0, now)
	allows(1, true)
	allows(2, false)
	const conns = 20
	for _, f := range files[conns:] { // the others are connections from now on
		_ = f.Close()
	}
	now = now.Add(recountEvery - 1)
	allows(conns, false)
	now = now.Add(1)
	allows(conns, true)
	allows(most, true)
	allows(most+1, false)
	if !fixed.Allows(50, 0, now) || fixed.Allows(51, 0, now) {
		t.Error("a configured cap has changed")
	}
}
