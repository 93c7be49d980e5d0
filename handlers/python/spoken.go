package python

import (
	"bytes"
	"errors"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/python/internal/wire"
)

// begin gives a stream to its link, which says add of it.
func (s *spoken) begin(self linked, add func(l *link, sid uint32)) {
	s.pending = true
	s.worker.load.pending.Add(1)
	ok := s.on(func(l *link) {
		if l.dead { // it died meanwhile
			s.stillborn(self)
			return
		}
		s.sid = l.enter(self)
		add(l, s.sid)
		l.flush()
	})
	if !ok { // the same, and its loop is over
		s.stillborn(self)
	}
}

// stillborn ends a stream whose link is dead already.
func (s *spoken) stillborn(self linked) {
	s.worker.end()
	if s.loop == nil {
		self.broken()
	} else {
		s.loop.Post(self.broken)
	}
}

// answered says that the worker has begun to answer.
func (s *spoken) answered() {
	if s.pending {
		s.pending = false
		s.worker.load.pending.Add(-1)
	}
}

// finish ends gale's part of a stream. What the worker says of it is dropped from then on.
func (s *spoken) finish() {
	s.finished = true
	s.answered()
	s.worker.load.held.Add(-int64(s.held))
	s.held = 0
}

// over forgets the stream on its link.
func (s *spoken) over() {
	s.on(func(l *link) { l.leave(s.sid) })
}

// gone tells the worker that the client is gone.
func (s *spoken) gone(code int, reason string) {
	if s.finished {
		return
	}
	s.finish()
	s.on(func(l *link) {
		if _, ok := l.streams[s.sid]; ok {
			l.out.Gone(s.sid, code, reason)
			l.flush()
		}
	})
}

// fail ends the exchange with an error, and tells the worker that nobody listens.
func (s *spoken) fail(err error) {
	if s.finished {
		return
	}
	s.gone(1006, "")
	s.x.End(err)
}

// hold counts bytes that are on their way to the worker, and pauses the exchange when
// they are enough.
func (s *spoken) hold(n int) {
	s.held += n
	total := s.worker.load.held.Add(int64(n))
	most := windowBytes
	if total > s.worker.pool.config.MaxHeldBytes {
		most = narrowBytes
	}
	if s.held >= most && !s.paused {
		s.paused = true
		s.x.Pause()
	}
}

// credit counts bytes that the application has received.
func (s *spoken) credit(n int64) {
	n = min(n, int64(s.held))
	s.held -= int(n)
	s.worker.load.held.Add(-n)
	if s.paused && s.held < narrowBytes {
		s.paused = false
		s.x.Resume()
	}
}

// owe counts bytes that the worker has sent, and gives it credit unless the client's
// connection is full: see settle.
func (s *spoken) owe(n int) {
	s.owed += n
	if s.owed >= windowBytes/4 && !s.x.Congested() {
		s.settle()
	}
}

// settle gives the worker the credit that it is owed.
func (s *spoken) settle() {
	if s.owed == 0 || s.finished {
		return
	}
	n := s.owed
	s.owed = 0
	s.on(func(l *link) {
		l.out.Credit(s.sid, n)
		l.flush()
	})
}

// body sends the worker a piece of a request's body.
func (s *spoken) body(p []byte, more bool) {
	s.hold(len(p))
	if s.loop != nil {
		p = bytes.Clone(p)
	}
	s.on(func(l *link) {
		for len(p) > wire.PieceBytes {
			l.out.Body(s.sid, p[:wire.PieceBytes], true)
			p = p[wire.PieceBytes:]
		}
		l.out.Body(s.sid, p, more)
		l.flush()
	})
}

// message sends the worker a message of a WebSocket.
func (s *spoken) message(kind asgi.MessageKind, p []byte) {
	s.hold(len(p))
	if s.loop != nil {
		p = bytes.Clone(p)
	}
	s.on(func(l *link) {
		for len(p) > wire.PieceBytes {
			n := wire.PieceBytes
			for kind == asgi.Text && p[n]&0xc0 == 0x80 { // a part ends between two code points
				n--
			}
			l.out.Message(s.sid, kind, p[:n], true)
			p = p[n:]
		}
		l.out.Message(s.sid, kind, p, false)
		l.flush()
	})
}

// taken says whether gale has taken a file.
func (s *spoken) taken(ok bool) {
	s.on(func(l *link) {
		l.out.Taken(s.sid, ok)
		l.flush()
	})
}

// protocolError says that a worker has broken the order of frames.
type protocolError struct{ reason string }

func (e *protocolError) Error() string { return "python: " + e.reason }

// refused draws the conclusion from an event that the engine has not accepted, or a frame
// out of order. close, if it is not nil, gives back what the stream has.
func (s *spoken) refused(err error, close func()) {
	var order *asgi.OrderError
	var broken *protocolError
	switch {
	case errors.Is(err, asgi.ErrDisconnected):
		s.gone(1006, "")
	case errors.As(err, &order), errors.As(err, &broken):
		s.worker.fail(err) // the worker checks the order of what the application sends
		fallthrough
	default:
		s.fail(err)
		s.over()
	}
	if close != nil {
		close()
	}
}
