package asgitest

import (
	"bytes"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// goroutineID reads the calling goroutine's id off its stack trace, which
// begins "goroutine 18 [running]:". It costs about a microsecond.
func goroutineID() uint64 {
	var buf [64]byte
	head := buf[:runtime.Stack(buf[:], false)]
	head = bytes.TrimPrefix(head, []byte("goroutine "))
	digits, _, _ := bytes.Cut(head, []byte(" "))
	id, err := strconv.ParseUint(string(digits), 10, 64)
	if err != nil {
		panic("asgitest: no goroutine id in a stack trace: " + err.Error())
	}
	return id
}

// CheckGoroutines fails the test if goroutines that it started are still there
// when it is over, after its cleanups. Call it first; not in parallel tests.
func CheckGoroutines(tb testing.TB) {
	before := runtime.NumGoroutine()
	tb.Cleanup(func() {
		limit := time.Now().Add(waitLimit)
		for runtime.NumGoroutine() > before {
			if time.Now().After(limit) {
				tb.Errorf("asgitest: %d goroutines more than before:\n%s", runtime.NumGoroutine()-before, stacks())
				return
			}
			runtime.Gosched() // an ending goroutine gives no signal
		}
	})
}

func stacks() string {
	buf := make([]byte, 1<<20)
	return strings.TrimSpace(string(buf[:runtime.Stack(buf, true)]))
}
