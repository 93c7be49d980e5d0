package python

import (
	"errors"
	"os"
	"sync/atomic"
)

// worker is one process.
//
// Safe for concurrent use.
type worker struct {
	pool *pool
	id   int // 1, 2, ...: no two workers of a pool have the same
	pid  int
	info info

	// streams are those that go on, in units of stream, and whether the worker is
	// retiring: then no stream begins.
	streams atomic.Int64
	began   atomic.Int64 // streams so far
}

// info is what a worker says about itself when it is ready.
type info struct {
	Python, Implementation string
	Mode                   string // asgi or wsgi
	Loop                   string
	Lifespan               bool
	Jobs                   []string
}

const (
	retiringFlag = 1
	stream       = 2
)

// begin counts a stream that is about to be handed to the worker. It is false if the
// worker takes no more: another one is to be chosen.
func (w *worker) begin() bool {
	if w.streams.Add(stream)&retiringFlag != 0 {
		w.end()
		return false
	}
	w.began.Add(1)
	return true
}

// end counts the end of a stream that has begun.
func (w *worker) end() { w.streams.Add(-stream) }

// retiring reports whether the worker takes no more streams.
func (w *worker) retiring() bool { return w.streams.Load()&retiringFlag != 0 }

// openLink makes a link to the worker: the end that is gale's. The other one is sent to
// the worker, which may not have taken it when openLink returns.
func (w *worker) openLink() (*os.File, error) { return nil, errors.ErrUnsupported }

// fail ends a worker that has broken the protocol. Its links end.
func (w *worker) fail(err error) {}
