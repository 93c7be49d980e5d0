package python

import (
	"errors"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/python/internal/wire"
)

// linked is gale's side of a request or WebSocket that a worker has.
type linked interface {
	base() *spoken
	// announce begins the stream with its first frame. It is called on the link's loop,
	// and is false if the frame is too large.
	announce(out *wire.Batch, sid uint32) bool
	// tooLarge says so. It is called on the loop of the exchange, as the others.
	tooLarge()
	// frame acts on a frame of the worker; f is valid during the call only.
	frame(f *wire.Frame)
	// broken says that the worker is gone.
	broken()
}

// spoken is what all streams have.
type spoken struct {
	h      *Handler
	x      asgi.Exchange
	worker *worker
	link   *link
	loop   asgi.Loop // of the exchange, if it is not the link's; else nil

	// Owned by the link's loop.
	sid      uint32
	entered  bool // the link knows the stream
	trailers bool // they follow the body of its response

	// Owned by the exchange's loop. On the event loop these are the same.
	held     int       // bytes that the worker has not given credit for
	rest     remainder // what waits for that credit
	paused   bool      // the exchange is, since enough is held
	owed     int       // bytes that the worker is owed credit for
	pending  bool      // the worker has not begun to answer
	threaded bool      // it takes a thread: it is pending until the worker has done with it
	finished bool      // nothing more is to be sent to the exchange
}

func (s *spoken) base() *spoken { return s }

// on runs fn on the link's loop: at once if the exchange is on the same.
func (s *spoken) on(fn func(l *link)) {
	if s.loop == nil {
		fn(s.link)
		return
	}
	s.link.loop.Post(func() { fn(s.link) })
}

// tell runs fn on the loop of the exchange: at once if the link is on the same.
func (s *spoken) tell(fn func()) {
	if s.loop == nil {
		fn()
		return
	}
	s.loop.Post(fn)
}

// begin gives a stream to its link.
func (s *spoken) begin(self linked) {
	s.worker.load.pending.Add(1)
	s.pending = true
	if s.loop == nil {
		s.link.begin(self)
		return
	}
	if !s.link.loop.Post(func() { s.link.begin(self) }) { // the worker died just now
		s.worker.end()
		if s.threaded {
			s.worker.load.pending.Add(-1)
		}
		self.broken()
	}
}

// answered says that the worker has begun to answer.
func (s *spoken) answered() {
	if s.pending && !s.threaded {
		s.worker.load.pending.Add(-1)
	}
	s.pending = false
}

// finish ends gale's part of a stream. What the worker says of it is dropped from then on.
func (s *spoken) finish() {
	s.finished = true
	s.answered()
	s.worker.load.held.Add(-int64(s.held))
	s.held = 0
	s.rest.drop(s.x)
}

// gone tells the worker that the client is gone.
func (s *spoken) gone(code int, reason string) {
	if s.finished {
		return
	}
	s.finish()
	s.on(func(l *link) {
		if s.entered {
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

// owe counts bytes that the worker has sent, and gives it credit unless the client's
// connection is full: see settle.
func (s *spoken) owe(n int) error {
	s.owed += n
	if s.owed > windowBytes {
		return &protocolError{"more of a body than there is credit for"}
	}
	if s.owed >= windowBytes/4 && !s.x.Congested() {
		s.settle()
	}
	return nil
}

// settle gives the worker the credit that it is owed.
func (s *spoken) settle() {
	if s.owed == 0 || s.finished {
		return
	}
	n := s.owed
	s.owed = 0
	s.on(func(l *link) {
		if s.entered {
			l.out.Credit(s.sid, n)
			l.flush()
		}
	})
}

// taken says whether gale has taken a file.
func (s *spoken) taken(ok bool) {
	s.on(func(l *link) {
		if s.entered {
			l.out.Taken(s.sid, ok)
			l.flush()
		}
	})
}

// isLast reports whether a worker says no more about the stream of f. It is called on the
// link's loop, with each of its frames.
func (s *spoken) isLast(f *wire.Frame) bool {
	switch f.Kind {
	case wire.Response, wire.Close, wire.End:
		return true
	case wire.Start:
		s.trailers = f.HasTrailers
	case wire.Chunk:
		return !f.More && !s.trailers
	case wire.Trailers, wire.Deny:
		return !f.More
	case wire.File:
		return f.Path != ""
	}
	return false
}

// protocolError says that a worker has broken the protocol.
type protocolError struct{ reason string }

func (e *protocolError) Error() string { return "python: " + e.reason }

// refused draws the conclusion from an event that the engine has not accepted, or a frame
// out of order. close, if it is not nil, gives back what the stream has.
func (s *spoken) refused(err error, close func()) {
	var broken *protocolError
	switch {
	case errors.Is(err, asgi.ErrDisconnected):
		s.gone(1006, "")
	case errors.As(err, &broken):
		s.worker.fail(err)
		fallthrough
	default:
		s.fail(err)
	}
	if close != nil {
		close()
	}
}
