package nethttp

import (
	"bytes"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
)

// loop is the event loop of one exchange. What is posted runs in order and one
// at a time, on a goroutine that exists only while there is something to run:
// an idle exchange holds none.
//
// Safe for concurrent use.
type loop struct {
	owner atomic.Uint64 // the goroutine whose turn it is; 0 between turns

	mu     sync.Mutex
	posted []func()
	busy   bool // a goroutine takes turns until nothing is posted
}

// post has fn run, after everything posted before.
func (l *loop) post(fn func()) {
	if l.put(fn) {
		go l.run() // ends when nothing is posted
	}
}

// enter is post for a goroutine that has nothing else to do: if the loop stands
// still, fn runs before enter returns.
func (l *loop) enter(fn func()) {
	if l.put(fn) && l.turn() {
		go l.run() // ends when nothing is posted
	}
}

// offer is post with a bound on what may wait; false if it has been reached.
func (l *loop) offer(fn func(), bound int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.posted) >= bound {
		return false
	}
	if l.push(fn) {
		go l.run() // ends when nothing is posted
	}
	return true
}

// put reports whether the caller must run the loop.
func (l *loop) put(fn func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.push(fn)
}

func (l *loop) push(fn func()) bool {
	l.posted = append(l.posted, fn)
	start := !l.busy
	l.busy = true
	return start
}

func (l *loop) run() {
	for l.turn() {
	}
}

// turn runs what is posted by now, and reports whether more has come.
func (l *loop) turn() (more bool) {
	l.mu.Lock()
	batch := l.posted
	l.posted = nil
	l.mu.Unlock()
	l.runAll(batch)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.owner.Store(0)
	l.busy = len(l.posted) > 0
	return l.busy
}

func (l *loop) runAll(batch []func()) {
	n := 0
	defer func() {
		if n == len(batch) {
			return
		}
		// A Goexit takes this goroutine; the loop goes on with another.
		l.mu.Lock()
		defer l.mu.Unlock()
		l.posted = append(batch[n+1:], l.posted...)
		go l.run() // ends when nothing is posted
	}()
	self := goroutineID()
	for n < len(batch) {
		l.owner.Store(self)
		batch[n]()
		n++
	}
}

func (l *loop) adopt()      { l.owner.Store(goroutineID()) }
func (l *loop) owned() bool { return l.owner.Load() == goroutineID() }

// goroutineID reads the calling goroutine's id off its stack trace, which
// begins "goroutine 18 [running]:". It costs about a microsecond.
func goroutineID() uint64 {
	var p [40]byte
	trace := bytes.TrimPrefix(p[:runtime.Stack(p[:], false)], []byte("goroutine "))
	number, _, _ := bytes.Cut(trace, []byte(" "))
	id, _ := strconv.ParseUint(string(number), 10, 64)
	return id
}
