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
	// maxBatchBytes is what may wait for a worker that does not read before it gets no
	// more requests.
	maxBatchBytes = 4 << 20
	// keptBatchBytes is how much memory a link keeps for its next batch.
	keptBatchBytes = 256 << 10
	// keptHeaders is for how many header fields it keeps memory.
	keptHeaders = 256
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
	h       *Handler
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
	stuck   atomic.Bool // more than maxBatchBytes wait. Any goroutine may read it
}

// open makes the link of a worker on a loop.
func (w *worker) open(h *Handler, loop asgi.Loop, closed func(*link)) (*link, error) {
	file, err := w.openLink()
	if err != nil {
		return nil, err
	}
	l := &link{h: h, worker: w, loop: loop, closed: closed, streams: make(map[uint32]linked)}
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

// begin gives a stream its number, and says its first frame.
func (l *link) begin(self linked) {
	s := self.base()
	if l.dead { // it died meanwhile
		l.ended(s)
		s.tell(self.broken)
		return
	}
	l.enter(self)
	if !self.announce(&l.out, s.sid) {
		l.leave(s)
		s.tell(self.tooLarge)
		return
	}
	l.flush()
}

// enter gives a stream its number.
func (l *link) enter(self linked) {
	for {
		if l.last++; l.last > math.MaxInt32 {
			l.last = 1
		}
		if _, taken := l.streams[l.last]; !taken {
			break
		}
	}
	l.streams[l.last] = self
	s := self.base()
	s.sid, s.entered = l.last, true
}

// leave forgets a stream: the worker says no more about it.
func (l *link) leave(s *spoken) {
	if s.entered {
		s.entered = false
		delete(l.streams, s.sid)
		l.ended(s)
	}
}

// ended counts the end of a stream that has begun.
func (l *link) ended(s *spoken) {
	if s.threaded {
		l.worker.load.pending.Add(-1)
	}
	l.worker.end()
	if s.threaded {
		l.h.waiting.next() // a thread is free
	}
}

// flush has what was gathered leave at the end of the turn.
func (l *link) flush() {
	if l.socket != nil {
		l.socket.Schedule()
	}
	if l.out.Len() > maxBatchBytes {
		l.stuck.Store(true)
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
	if l.stuck.CompareAndSwap(true, false) {
		l.h.waiting.next()
	}
}

func (l *link) Drained() { l.Turn() }

// full reports whether the worker does not read what it has already.
func (l *link) full() bool { return l.stuck.Load() }

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
	if cap(l.frame.Headers) > keptHeaders {
		l.frame.Headers = nil
	}
	return r.Err()
}

// take passes a frame to its stream. One whose stream is over is late, and ignored.
func (l *link) take(f *wire.Frame) error {
	if f.Kind == wire.Seen {
		return l.sawUpTo(f.N)
	}
	self, ok := l.streams[f.Stream]
	if !ok {
		return nil
	}
	s := self.base()
	if s.isLast(f) {
		l.leave(s)
	}
	if s.loop == nil {
		self.frame(f)
		return nil
	}
	f = f.Clone()
	s.loop.Post(func() { self.frame(f) })
	return nil
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
	for _, self := range l.streams {
		s := self.base()
		l.leave(s)
		s.tell(self.broken)
	}
	l.out, l.in = wire.Batch{}, nil
}
