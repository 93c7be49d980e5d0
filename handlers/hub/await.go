package hub

import "sync"

// awaited is a value that comes before the call that asks for it returns, or
// later, on any goroutine.
//
// Safe for concurrent use.
type awaited[T any] struct {
	mu    sync.Mutex
	value T
	here  bool
	late  bool // the caller has returned
}

// settle takes the value, and reports whether it is late: then nobody will ask
// for it.
func (a *awaited[T]) settle(value T) (late bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.value, a.here = value, true
	return a.late
}

// returned returns the value if it is here. If not, settle will say that it is
// late.
func (a *awaited[T]) returned() (value T, here bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.late = true
	return a.value, a.here
}
