package hub

import "sync"

// awaited is a value that comes before the call that asks for it returns, or
// later, on any goroutine. A function for a late one is made only if it is late,
// which it never is with a broker in this process.
//
// Safe for concurrent use.
type awaited[T any] struct {
	mu    sync.Mutex
	value T
	here  bool
	then  func(T) // for a late value; nil: the caller has not asked for it yet
}

// settle takes the value. If it is late, then is what is to be called with it.
func (a *awaited[T]) settle(value T) (then func(T)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.value, a.here = value, true
	return a.then
}

// returned returns the value if it is here.
func (a *awaited[T]) returned() (value T, here bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.value, a.here
}

// late has settle return then, unless the value has come since returned: then it
// is called at once.
func (a *awaited[T]) late(then func(T)) {
	a.mu.Lock()
	value, here := a.value, a.here
	a.then = then
	a.mu.Unlock()
	if here {
		then(value)
	}
}
