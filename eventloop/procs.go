package eventloop

import (
	"runtime"
	"sync"
)

// procs is what this package has added to GOMAXPROCS, over all groups.
//
// A thread that waits in the kernel keeps its processor, in the runtime's sense,
// until another thread has use for it and the runtime's monitor notices, which
// takes it up to 10 ms. With as many processors as cores, and as many loops, a
// loop that wakes up behind an accept, or a goroutine that a loop starts, waits for
// that long although the cores are idle. So each thread of ours that waits in the
// kernel brings its own.
var procs struct {
	mu     sync.Mutex
	raised int
}

// raiseProcs adds n to GOMAXPROCS; a negative n takes back what was added.
func raiseProcs(n int) {
	procs.mu.Lock()
	defer procs.mu.Unlock()
	procs.raised += n
	want := runtime.GOMAXPROCS(0) + n
	if procs.raised == 0 {
		// If that is the default, the runtime is to follow changes of it again.
		runtime.SetDefaultGOMAXPROCS()
	}
	if runtime.GOMAXPROCS(0) != want {
		runtime.GOMAXPROCS(want)
	}
}

// baseProcs returns GOMAXPROCS without what this package has added.
func baseProcs() int {
	procs.mu.Lock()
	defer procs.mu.Unlock()
	return runtime.GOMAXPROCS(0) - procs.raised
}
