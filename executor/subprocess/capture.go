package subprocess

import (
	"bufio"
	"io"
	"sync"
)

// captureBytes is how much is kept of the start, and how much of the end, of what is
// written.
const captureBytes = 8 << 10

// MaxLineBytes is the longest line that [Lines] passes as one.
const MaxLineBytes = 4 << 10

// Capture keeps the first 8 KiB and the last of what is written to it. The start says
// why a Go program died, the end why another did.
//
// Safe for concurrent use.
type Capture struct {
	mu   sync.Mutex
	head []byte
	tail []byte // at most twice captureBytes
	lost int
}

// Reset forgets everything.
func (c *Capture) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.head, c.tail, c.lost = c.head[:0], c.tail[:0], 0
}

// Write keeps p, or a part of it. There is never an error.
func (c *Capture) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := min(len(p), captureBytes-len(c.head))
	c.head = append(c.head, p[:n]...)
	c.tail = append(c.tail, p[n:]...)
	if over := len(c.tail) - captureBytes; over > captureBytes {
		c.tail = c.tail[:copy(c.tail, c.tail[over:])]
		c.lost += over
	}
	return len(p), nil
}

// Bytes are the start and the end, with a mark between if there was more.
func (c *Capture) Bytes() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	over := max(len(c.tail)-captureBytes, 0)
	out := append([]byte(nil), c.head...)
	if c.lost+over > 0 {
		out = append(out, "\n[...]\n"...)
	}
	return append(out, c.tail[over:]...)
}

// Lines calls fn for each line of r that is not empty, until r ends. A line longer
// than MaxLineBytes comes in parts. The line is valid during the call.
func Lines(r io.Reader, fn func(line []byte)) {
	in := bufio.NewReaderSize(r, MaxLineBytes)
	for {
		line, _, err := in.ReadLine()
		if err != nil {
			return
		}
		if len(line) > 0 {
			fn(line)
		}
	}
}
