package logsink

import (
	"context"
	"fmt"
	"io"
	"math"
	"sync"
)

// Config tunes a [Sink]. The zero value is ready.
//
// Safe for concurrent use while nobody changes it.
type Config struct {
	// BufferBytes bounds the lines that wait while others are being written, which
	// are as many bytes at most; a line beyond it is dropped. Default: 1 MiB, some
	// 5,000 lines of an access log, which outlasts a pause of whoever reads. At
	// least 4 KiB. Negative: no bound.
	BufferBytes int

	// Dropped is told, once there is room again, how many lines were dropped. The
	// sink calls it on its own goroutine; it may write to the sink, and must not
	// wait for it. Default: a line "logsink: N lines dropped" in the log.
	Dropped func(lines uint64)

	// Failed is told when writing begins to fail, and not again until a write has
	// succeeded. The sink calls it on its own goroutine; it must not write to the
	// sink nor wait for it. Default: nobody is told.
	Failed func(error)
}

const (
	defaultBufferBytes = 1 << 20
	leastBufferBytes   = 4 << 10  // has room for what Dropped writes
	keptBytes          = 64 << 10 // a buffer of this size is kept for the next lines
)

func (c Config) withDefaults(s *Sink) Config {
	switch {
	case c.BufferBytes == 0:
		c.BufferBytes = defaultBufferBytes
	case c.BufferBytes < 0:
		c.BufferBytes = math.MaxInt
	}
	c.BufferBytes = max(c.BufferBytes, leastBufferBytes)
	if c.Dropped == nil {
		c.Dropped = func(lines uint64) { fmt.Fprintf(s, "logsink: %d lines dropped\n", lines) }
	}
	if c.Failed == nil {
		c.Failed = func(error) {}
	}
	return c
}

// Sink is an io.Writer for logs: each Write is one line, or several. Write does not
// wait and does not fail.
//
// Safe for concurrent use.
type Sink struct {
	config Config
	to     io.Writer

	mu      sync.Mutex
	waiting []byte        // lines for the next write
	lines   uint64        // in waiting
	full    bool          // a line found no room in waiting; later ones do not overtake it
	dropped uint64        // lines that nobody was told of
	failing bool          // the last write failed
	spare   []byte        // an empty buffer
	idle    chan struct{} // closed when the goroutine ends; nil while there is none
}

// New returns a sink that writes to w. Only the sink's goroutine calls w, which
// may block it for as long as it likes.
func New(w io.Writer, config Config) *Sink {
	s := &Sink{to: w}
	s.config = config.withDefaults(s)
	return s
}

// Write takes a copy of p, or drops it. It always returns len(p) and nil.
func (s *Sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full || len(p) > s.config.BufferBytes-len(s.waiting) {
		s.full = true
		s.dropped++
	} else {
		s.waiting = append(s.waiting, p...)
		s.lines++
	}
	if s.idle == nil {
		s.idle = make(chan struct{})
		go s.drain(s.idle) // ends when nothing waits; Flush waits for it
	}
	return len(p), nil
}

// Flush waits until nothing waits to be written, or until ctx is done. Then it
// returns the error of ctx, and what is left may still be written.
func (s *Sink) Flush(ctx context.Context) error {
	s.mu.Lock()
	idle := s.idle
	s.mu.Unlock()
	if idle == nil {
		return nil
	}
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("logsink: flush: %w", ctx.Err())
	}
}

// drain writes until nothing waits.
func (s *Sink) drain(idle chan struct{}) {
	defer close(idle)
	for {
		batch, lines, dropped := s.take()
		if dropped > 0 {
			s.config.Dropped(dropped)
		}
		if len(batch) > 0 {
			_, err := s.to.Write(batch)
			s.settle(batch, lines, err)
		} else if dropped == 0 {
			return
		}
	}
}

// take returns the lines that wait, all in one piece, and how many were dropped
// since. None of either ends the goroutine.
func (s *Sink) take() (batch []byte, lines, dropped uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.full = false
	if len(s.waiting) > 0 {
		batch, lines = s.waiting, s.lines
		s.waiting, s.lines, s.spare = s.spare, 0, nil
	}
	if !s.failing {
		dropped, s.dropped = s.dropped, 0
	}
	if lines == 0 && dropped == 0 {
		s.idle = nil
	}
	return batch, lines, dropped
}

// settle notes how a write ended.
func (s *Sink) settle(batch []byte, lines uint64, err error) {
	s.mu.Lock()
	if cap(batch) <= keptBytes {
		s.spare = batch[:0]
	}
	begins := err != nil && !s.failing
	if s.failing = err != nil; s.failing {
		s.dropped += lines
	}
	s.mu.Unlock()
	if begins {
		s.config.Failed(err)
	}
}
