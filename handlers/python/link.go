package python

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/python/internal/wire"
)

const (
	// windowBytes is what may be on its way in each direction of a stream.
	windowBytes = 256 << 10
	// narrowBytes is that window while all streams of a worker hold more than
	// Config.MaxHeldBytes.
	narrowBytes = 16 << 10
	// maxBatchBytes is what may wait for a worker that does not read before it gets no
	// more requests.
	maxBatchBytes = 4 << 20
	// keptBatchBytes is how much memory a link keeps for its next batch.
	keptBatchBytes = 256 << 10
)

// load is how busy a worker is, for those who choose one.
//
// Safe for concurrent use.
type load struct {
	pending atomic.Int32 // requests without the head of a response
	unseen  atomic.Int64 // since when it has not begun with a message, in ns of Unix time; 0: it has
	held    atomic.Int64 // bytes on their way to it, or not yet received by the application
}

// link is a socket to a worker, and the streams that are spoken of on it.
//
// Loop-owned: call only from its loop.
type link struct {
	worker  *worker
	loop    asgi.Loop
	socket  asgi.Socket // nil until it is open
	closed  func(*link) // told when it is closed
	out     wire.Batch  // what leaves at the end of the turn, or when there is room
	in      []byte      // the beginning of a message
	frame   wire.Frame
	environ []wire.Variable // scratch
	streams map[uint32]linked
	last    uint32 // the stream begun last
	sent    int64  // messages
	seen    int64  // of them, messages the worker has begun with
	dead    bool
}

// linked is gale's side of a request or WebSocket that a worker has.
type linked interface {
	base() *spoken
	// frame acts on a frame of the worker. It is called on the loop of the exchange; f is
	// valid during the call only.
	frame(f *wire.Frame)
	// broken says that the worker is gone. It is called on the loop of the exchange.
	broken()
}

// spoken is what all streams have. Its link part belongs to the link's loop, the rest to
// the exchange's. On the event loop these are the same.
type spoken struct {
	x      asgi.Exchange
	worker *worker
	link   *link
	sid    uint32    // the link's
	loop   asgi.Loop // of the exchange, if it is not the link's; else nil

	held     int  // bytes that the worker has not given credit for
	owed     int  // bytes that the worker is owed credit for
	paused   bool // the exchange is, since enough is held
	pending  bool // it counts as such
	finished bool // nothing more is to be sent to the exchange
}

func (s *spoken) base() *spoken { return s }

// open makes the link of a worker on a loop.
func (w *worker) open(loop asgi.Loop, closed func(*link)) (*link, error) {
	file, err := w.openLink()
	if err != nil {
		return nil, err
	}
	l := &link{worker: w, loop: loop, closed: closed, streams: make(map[uint32]linked)}
	err = loop.Attach(file, func(s asgi.Socket) asgi.SocketReceiver {
		l.socket = s
		s.Schedule()
		return l
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

// on runs fn on the link's loop: at once if the exchange is on the same. It is false if that
// loop is over: then the link is dead.
func (s *spoken) on(fn func(l *link)) (ok bool) {
	if s.loop == nil {
		fn(s.link)
		return true
	}
	return s.link.loop.Post(func() { fn(s.link) })
}

// enter gives a stream its number.
func (l *link) enter(s linked) uint32 {
	for {
		if l.last++; l.last > math.MaxInt32 {
			l.last = 1
		}
		if _, taken := l.streams[l.last]; !taken {
			break
		}
	}
	l.streams[l.last] = s
	return l.last
}

// leave forgets a stream: neither side says more about it.
func (l *link) leave(sid uint32) {
	if s, ok := l.streams[sid]; ok {
		delete(l.streams, sid)
		s.base().worker.end()
	}
}

// flush has what was gathered leave at the end of the turn.
func (l *link) flush() {
	if l.socket != nil {
		l.socket.Schedule()
	}
}

// Turn writes what was gathered. A worker that does not read gets it when there is room.
func (l *link) Turn() {
	if l.dead || l.out.Len() == 0 || l.socket.Congested() {
		return
	}
	p, messages := l.out.Finish()
	if l.seen == l.sent {
		l.worker.load.unseen.CompareAndSwap(0, time.Now().UnixNano())
	}
	l.sent += int64(messages)
	l.socket.Write(p)
	l.out.Shrink(keptBatchBytes)
}

func (l *link) Drained() { l.Turn() }

// full reports whether the worker does not read what it has already.
func (l *link) full() bool { return l.out.Len() > maxBatchBytes }

// Data takes messages of the worker.
func (l *link) Data(p []byte) {
	if err := l.read(p); err != nil {
		l.worker.fail(err)
		l.socket.Abort()
	}
}

func (l *link) read(p []byte) error {
	for len(p) > 0 {
		if len(l.in) == 0 {
			n, err := l.messages(p)
			if err != nil {
				return err
			}
			l.in = append(l.in, p[n:]...)
			return nil
		}
		want := wire.HeadBytes
		if len(l.in) >= wire.HeadBytes {
			size, err := messageSize(l.in)
			if err != nil {
				return err
			}
			want = size
		}
		n := min(want-len(l.in), len(p))
		l.in = append(l.in, p[:n]...)
		p = p[n:]
		if len(l.in) < want || want == wire.HeadBytes {
			continue
		}
		in := l.in
		if _, err := l.messages(in); err != nil {
			return err
		}
		if l.in = in[:0]; cap(in) > keptBatchBytes {
			l.in = nil
		}
	}
	return nil
}

// messageSize is how long the message is that p begins with, its head included.
func messageSize(p []byte) (int, error) {
	n := binary.LittleEndian.Uint32(p)
	if n > wire.MaxMessageBytes {
		return 0, fmt.Errorf("a message of %d bytes", n)
	}
	return wire.HeadBytes + int(n), nil
}

// messages acts on the messages that lie whole in p, and returns how long they are.
func (l *link) messages(p []byte) (taken int, err error) {
	for len(p)-taken >= wire.HeadBytes {
		size, err := messageSize(p[taken:])
		if err != nil {
			return taken, err
		}
		if len(p)-taken < size {
			break
		}
		if err := l.message(p[taken+wire.HeadBytes : taken+size]); err != nil {
			return taken, err
		}
		taken += size
	}
	return taken, nil
}

func (l *link) message(p []byte) error {
	r := wire.NewReader(p)
	for range r.Frames() {
		if err := r.Frame(&l.frame); err != nil {
			return err
		}
		if err := l.take(&l.frame); err != nil {
			return err
		}
	}
	if r.Err() == nil && r.Rest() > 0 {
		return errors.New("bytes behind a message")
	}
	return r.Err()
}

// take passes a frame to its stream. One whose stream is over is late, and ignored.
func (l *link) take(f *wire.Frame) error {
	if f.Kind == wire.Seen {
		return l.sawUpTo(f.N)
	}
	s, ok := l.streams[f.Stream]
	if !ok {
		return nil
	}
	if isLast(f) {
		l.leave(f.Stream)
	}
	b := s.base()
	if b.loop == nil {
		s.frame(f)
		return nil
	}
	f = f.Clone()
	b.loop.Post(func() { s.frame(f) })
	return nil
}

// isLast reports whether a worker says no more about the stream of f.
func isLast(f *wire.Frame) bool {
	switch f.Kind {
	case wire.Response, wire.Close, wire.End:
		return true
	case wire.Chunk, wire.Trailers, wire.Deny:
		return false // trailers may follow a last chunk: the stream knows
	}
	return false
}

// sawUpTo notes that the worker has begun with n messages.
func (l *link) sawUpTo(n int64) error {
	if n < l.seen || n > l.sent {
		return fmt.Errorf("it has seen %d of %d messages", n, l.sent)
	}
	l.seen = n
	if n == l.sent {
		l.worker.load.unseen.Store(0)
	} else {
		l.worker.load.unseen.Store(time.Now().UnixNano())
	}
	return nil
}

// Closed ends the streams: the worker is gone.
func (l *link) Closed(error) {
	l.dead = true
	l.worker.load.unseen.Store(0)
	l.closed(l)
	for sid, s := range l.streams {
		l.leave(sid)
		if b := s.base(); b.loop == nil {
			s.broken()
		} else {
			b.loop.Post(s.broken)
		}
	}
	l.out, l.in = wire.Batch{}, nil
}
