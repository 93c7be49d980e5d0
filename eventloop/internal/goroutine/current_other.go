//go:build !amd64 && !arm64

package goroutine

import (
	"bytes"
	"runtime"
	"strconv"
)

// Current returns the ID of the calling goroutine, by the slow way: the number
// that its stack trace begins with.
func Current() ID {
	var p [64]byte
	trace := p[:runtime.Stack(p[:], false)]
	number, _, _ := bytes.Cut(bytes.TrimPrefix(trace, []byte("goroutine ")), []byte(" "))
	id, _ := strconv.ParseUint(string(number), 10, 64)
	return ID(id)
}
