//go:build amd64 || arm64

package goroutine

// Current returns the ID of the calling goroutine: the address of its
// descriptor, which the Go ABI keeps in a register or in thread-local storage.
func Current() ID { return ID(current()) }

func current() uintptr
