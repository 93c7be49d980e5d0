package python

import (
	"bytes"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/python/internal/wire"
)

const (
	// windowBytes is what may be on its way in each direction of a stream.
	windowBytes = 256 << 10
	// narrowBytes is that window while all streams of a worker hold more than
	// Config.MaxHeldBytes.
	narrowBytes = 16 << 10
)

// cargo is what is sent to a worker piece by piece.
type cargo uint8

const (
	bodyCargo cargo = iota
	textCargo
	binaryCargo
)

// remainder is what is left of an event that the window has no room for. The exchange is
// paused meanwhile, so there is at most one.
type remainder struct {
	kept []byte // by Exchange.Keep
	left []byte // of it
	kind cargo
	more bool // after it
}

func (r *remainder) drop(x asgi.Exchange) {
	if r.kept != nil {
		x.Recycle(r.kept)
		*r = remainder{}
	}
}

// carry sends p to the worker, the payload of the event being received, as far as the
// window has room, and the rest when it has. more says that more of the same follows.
func (s *spoken) carry(kind cargo, p []byte, more bool) {
	n := s.room(kind, p)
	if n == len(p) {
		s.emit(kind, p, more)
	} else {
		if n > 0 {
			s.emit(kind, p[:n], true)
		}
		kept := s.x.Keep(p)
		s.rest = remainder{kept: kept, left: kept[n:], kind: kind, more: more}
	}
	if s.held >= s.window() || s.rest.kept != nil {
		s.pause()
	}
}

func (s *spoken) pause() {
	if !s.paused {
		s.paused = true
		s.x.Pause()
	}
}

// window is how much may be on its way to the worker.
func (s *spoken) window() int {
	if s.worker.load.held.Load() > s.worker.pool.config.MaxHeldBytes {
		return narrowBytes
	}
	return windowBytes
}

// room is how many bytes of p may be sent now: all, or as much as is worth a frame.
func (s *spoken) room(kind cargo, p []byte) int {
	room := s.window() - s.held
	if len(p) <= room {
		return len(p)
	}
	if s.crowded() {
		return 0
	}
	return cut(kind, p, room)
}

// crowded reports whether the worker has to give credit before more is worth sending. A
// worker keeps less credit to itself than a quarter of the narrow window.
func (s *spoken) crowded() bool {
	window := s.window()
	return s.held > window-window/4
}

// cut is where the first part of p ends if it has n bytes at most: in a text, between two
// code points.
func cut(kind cargo, p []byte, n int) int {
	if n >= len(p) {
		return len(p)
	}
	for kind == textCargo && n > 0 && p[n]&0xc0 == 0x80 {
		n--
	}
	return n
}

// hold counts bytes that are on their way to the worker.
func (s *spoken) hold(n int) {
	if n > 0 {
		s.held += n
		s.worker.load.held.Add(int64(n))
	}
}

// emit sends p to the worker.
func (s *spoken) emit(kind cargo, p []byte, more bool) {
	s.hold(len(p))
	if s.loop == nil {
		s.link.add(s, kind, p, more)
		return
	}
	p = bytes.Clone(p)
	s.link.loop.Post(func() { s.link.add(s, kind, p, more) })
}

// credit counts bytes that the application has received, and goes on with what waited for
// that.
func (s *spoken) credit(n int64) {
	n = min(n, int64(s.held))
	s.held -= int(n)
	s.worker.load.held.Add(-n)
	if r := &s.rest; r.kept != nil {
		n := s.room(r.kind, r.left)
		part, whole := r.left[:n], n == len(r.left)
		if n > 0 || whole {
			s.emit(r.kind, part, r.more || !whole)
		}
		if r.left = r.left[n:]; whole {
			r.drop(s.x)
		}
	}
	if s.paused && s.rest.kept == nil && !s.crowded() {
		s.paused = false
		s.x.Resume()
	}
}

// add appends p to what leaves, in pieces.
func (l *link) add(s *spoken, kind cargo, p []byte, more bool) {
	if !s.entered {
		return
	}
	for {
		n := cut(kind, p, wire.PieceBytes)
		more := more || n < len(p)
		switch kind {
		case bodyCargo:
			l.out.Body(s.sid, p[:n], more)
		case textCargo:
			l.out.Message(s.sid, asgi.Text, p[:n], more)
		case binaryCargo:
			l.out.Message(s.sid, asgi.Binary, p[:n], more)
		}
		if p = p[n:]; len(p) == 0 {
			break
		}
	}
	l.flush()
}
