package eventloop

import (
	"fmt"
	"strings"
	"time"
)

// heldAfter is how long a turn lasts that nobody waits for any longer: far more
// than a crowd of conns takes on a busy machine. What holds the loop so is code of
// the application that blocks, which no time ends.
const heldAfter = 2 * time.Second

// HeldError says that code of the application holds a loop, so that it cannot be
// stopped. The loop stops by itself if that code ever returns.
//
// Safe for concurrent use: immutable.
type HeldError struct {
	Loop  int           // Index of the loop
	For   time.Duration // how long by now
	Stack string        // where it is held
}

// Error names the innermost function that is not of Go's runtime.
func (e *HeldError) Error() string {
	return fmt.Sprintf("eventloop: loop %d is held for %v by %s", e.Loop, e.For.Round(time.Millisecond), holder(e.Stack))
}

// holder finds the function in a stack as loopStack returns it, whose lines are
// "# address function+offset file:line".
func holder(stack string) string {
	for line := range strings.Lines(stack) {
		fields := strings.Fields(line)
		if len(fields) < 4 || fields[0] != "#" {
			continue
		}
		function, _, _ := strings.Cut(fields[2], "+0x")
		pkg, _, _ := strings.Cut(function, ".")
		switch root, _, _ := strings.Cut(pkg, "/"); root {
		case "runtime", "internal", "sync", "syscall", "time", "iter":
		default:
			return function + " (" + fields[3] + ")"
		}
	}
	return "a callback"
}

// held is how long the turn under way has lasted, 0 between turns. Safe for
// concurrent use.
func (l *Loop) held() time.Duration {
	began := l.began.Load()
	if began == 0 {
		return 0
	}
	return l.kernel.Now().Sub(l.base) - time.Duration(began)
}

// Await blocks until done is closed, as something that was posted to the loop will
// do. It gives up with a *HeldError when code of the application has held the loop
// for more than two seconds, and with ErrShutdown when the loop has stopped. It must not be called on the loop. Safe for
// concurrent use.
func (l *Loop) Await(done <-chan struct{}) error {
	ticker := time.NewTicker(heldAfter / 20)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return nil
		case <-l.stopped:
			select {
			case <-done:
				return nil
			default:
				return ErrShutdown // what was posted is not run any more
			}
		case <-ticker.C:
		}
		if held := l.held(); held > heldAfter {
			return &HeldError{Loop: l.index, For: held, Stack: loopStack(l.index)}
		}
	}
}
