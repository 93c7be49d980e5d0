// Package procs adds to GOMAXPROCS what threads need that the program's own setting
// does not count, and takes it back.
//
// A thread that waits in the kernel keeps its processor, in the runtime's sense,
// until another thread has use for it and the runtime's monitor notices, which
// takes it up to 10 ms. With as many processors as cores, and as many loops, a
// loop that wakes up behind an accept, or a goroutine that a loop starts, waits for
// that long although the cores are idle. So does a loop beside threads of low
// priority that compute: they keep theirs, too. So each such thread brings its own.
//
// Safe for concurrent use.
package procs

import (
	"runtime"
	"sync"
)

var (
	mu     sync.Mutex
	raised int // what this package has added to GOMAXPROCS, for everybody
)

// Raise adds n to GOMAXPROCS; a negative n takes back what was added. It stops the
// world, so it is not for every day. Once all is taken back, the runtime follows
// changes of its default again if that is what is set.
func Raise(n int) {
	mu.Lock()
	defer mu.Unlock()
	if n == 0 {
		return
	}
	raised += n
	want := runtime.GOMAXPROCS(0) + n
	if raised == 0 {
		runtime.SetDefaultGOMAXPROCS()
	}
	if runtime.GOMAXPROCS(0) != want {
		runtime.GOMAXPROCS(want)
	}
}

// Base returns GOMAXPROCS without what was added: the program's own setting.
func Base() int {
	mu.Lock()
	defer mu.Unlock()
	return runtime.GOMAXPROCS(0) - raised
}
