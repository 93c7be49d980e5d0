package python

import (
	"os"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/python/internal/wire"
)

// spillBytes is how much of a request or response is kept in memory before it goes to a
// file.
const spillBytes = 256 << 10

// spool keeps a request, or what a client has not taken of a response: in memory, then in
// a file that has no name. Disks are waited for on goroutines, one at a time.
//
// Loop-owned: call only from the loop of its exchange.
type spool struct {
	h       *Handler
	x       asgi.Exchange
	size    int64    // of all that was put in
	memory  []byte   // what is not in the file
	file    *os.File // nil while memory is enough
	written int64    // bytes of the file
	sent    int64    // of them, bytes that were handed to the engine
	charged int64    // of Handler.spooled
	busy    bool     // somebody writes to the file
	closed  bool
}

func (s *spool) init(h *Handler, x asgi.Exchange) { s.h, s.x = h, x }

// put keeps p. It is false if too much is kept already, of all.
func (s *spool) put(p []byte) bool {
	if s.h.spooled.Load()+int64(len(p)) > s.h.config.MaxSpoolBytes {
		return false
	}
	s.force(p)
	return true
}

// force is put without the bound: credit has it.
func (s *spool) force(p []byte) {
	s.size += int64(len(p))
	s.charge(int64(len(p)))
	s.memory = append(s.memory, p...)
}

func (s *spool) charge(n int64) {
	s.charged += n
	s.h.spooled.Add(n)
}

// empty reports whether nothing waits to be sent.
func (s *spool) empty() bool { return len(s.memory) == 0 && s.sent == s.written && !s.busy }

// mayFile reports whether what is in memory may go to the file now.
func (s *spool) mayFile(x asgi.Exchange) bool {
	return !s.busy && !s.closed && s.h.spooled.Load() < s.h.config.MaxSpoolBytes && x.Congested()
}

// spill writes what is in memory to the file, and tells done on the loop.
func (s *spool) spill(done func(error)) {
	p, file, at := s.memory, s.file, s.written
	s.memory, s.busy = nil, true
	s.h.disk.Add(1)
	loop := asgi.LoopOf(s.x)
	go func() { // ends with the write, which Stop waits for
		defer s.h.disk.Done()
		var err error
		if file == nil {
			file, err = s.h.tempFile()
		}
		if err == nil {
			_, err = file.WriteAt(p, at)
		}
		if !loop.Post(func() { s.spilled(file, len(p), err, done) }) && file != nil {
			_ = file.Close()
		}
	}()
}

func (s *spool) spilled(file *os.File, n int, err error, done func(error)) {
	s.busy = false
	s.file = file
	s.written += int64(n)
	if s.closed {
		s.forget()
		return
	}
	done(err)
}

// tempFile makes a file without a name, where the system has such.
func (h *Handler) tempFile() (*os.File, error) {
	f, err := os.CreateTemp(h.config.TempDir, "gale-python-")
	if err == nil && namelessFiles {
		_ = os.Remove(f.Name())
	}
	return f, err
}

// path is what the worker opens, or "" if all of it is in memory.
func (s *spool) path() string {
	if s.file == nil {
		return ""
	}
	return pathOf(s.file)
}

// next is what is to be sent next; nil if nothing can be, for now.
func (s *spool) next() asgi.SendEvent {
	switch {
	case s.sent < s.written:
		n := s.written - s.sent
		ev := &asgi.HTTPResponseZeroCopySend{File: s.file, Offset: s.sent, Count: n, MoreBody: true}
		s.sent = s.written
		return ev
	case s.busy || len(s.memory) == 0:
		return nil
	}
	p := s.memory[:min(len(s.memory), wire.PieceBytes)]
	s.memory = s.memory[len(p):]
	s.charge(-int64(len(p)))
	return &asgi.HTTPResponseBody{Body: p, MoreBody: true}
}

// caughtUp gives the file's room back, once all of it has left.
func (s *spool) caughtUp() {
	if s.file != nil && !s.busy && s.sent == s.written && s.written > 0 {
		s.charge(-s.written)
		s.written, s.sent = 0, 0
		_ = s.file.Truncate(0)
	}
}

// close gives everything back, at once or when the disk is done with it.
func (s *spool) close() {
	if s.closed {
		return
	}
	s.closed = true
	if !s.busy {
		s.forget()
	}
}

func (s *spool) forget() {
	s.charge(-s.charged)
	s.memory = nil
	if s.file != nil {
		if !namelessFiles {
			_ = os.Remove(s.file.Name())
		}
		_ = s.file.Close()
		s.file = nil
	}
}
