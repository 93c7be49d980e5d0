package process

import (
	"bufio"
	"io"
	"log/slog"
	"os"
	"sync"
)

// captureBytes is how much is kept of the start, and how much of the end, of
// what a worker writes to stderr during a job. lineBytes is the longest line
// that is logged as one.
const (
	captureBytes = 8 << 10
	lineBytes    = 4 << 10
)

// capture keeps the start and the end of what is written to it. The start says
// why a Go program died, the end why another did.
//
// Safe for concurrent use.
type capture struct {
	mu   sync.Mutex
	head []byte
	tail []byte // at most twice captureBytes
	lost int
}

// reset forgets everything.
func (c *capture) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.head, c.tail, c.lost = c.head[:0], c.tail[:0], 0
}

func (c *capture) write(p []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := min(len(p), captureBytes-len(c.head))
	c.head = append(c.head, p[:n]...)
	c.tail = append(c.tail, p[n:]...)
	if over := len(c.tail) - captureBytes; over > captureBytes {
		c.tail = c.tail[:copy(c.tail, c.tail[over:])]
		c.lost += over
	}
}

// bytes are the start and the end, with a mark between if there was more.
func (c *capture) bytes() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	over := max(len(c.tail)-captureBytes, 0)
	out := append([]byte(nil), c.head...)
	if c.lost+over > 0 {
		out = append(out, "\n[...]\n"...)
	}
	return append(out, c.tail[over:]...)
}

// follow logs what comes from stderr, line by line, and keeps it, until it ends.
func (c *capture) follow(stderr *os.File, log *slog.Logger) {
	r := bufio.NewReaderSize(io.TeeReader(stderr, captureWriter{c}), lineBytes)
	for {
		line, _, err := r.ReadLine() // cuts long lines
		if err != nil {
			return
		}
		if len(line) > 0 {
			log.Info("process: worker wrote", "line", string(line))
		}
	}
}

type captureWriter struct{ c *capture }

func (w captureWriter) Write(p []byte) (int, error) {
	w.c.write(p)
	return len(p), nil
}
