package static

import (
	"errors"
	"io"
	"sync"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/executor"
	"github.com/gale-server/gale/handlers"
)

// segment is a piece of a body: a text, or a part of the representation.
type segment struct {
	text          string
	offset, count int64 // bytes
}

// sender sends the pieces of a body one after the other: the next when the outbox has
// room. Where the server cannot send from a file, it is read off the loop.
//
// Loop-owned: call only from its event loop.
type sender struct {
	visit
	entry    *entry
	form     *representation
	segments []segment // that are to be sent
	zeroCopy bool
	reading  bool // a chunk is on its way
	ended    bool
}

// chunkBytes is what is read of a file at a time, where the server cannot send from it.
const chunkBytes = 64 << 10

var chunks = sync.Pool{New: func() any { return new([chunkBytes]byte) }}

// retryDelay is when a sender asks again that found no room on the executor.
const retryDelay = 100 * time.Millisecond

// Receive implements asgi.Receiver.
func (s *sender) Receive(ev asgi.ReceiveEvent) {
	switch ev.(type) {
	case *asgi.Writable:
		s.next()
	case *asgi.HTTPDisconnect:
		s.end(nil)
	}
}

// next sends what the outbox has room for.
func (s *sender) next() {
	for !s.ended && !s.reading && !s.x.Congested() {
		piece := s.segments[0]
		data := s.form.data
		switch {
		case piece.text != "":
			s.sent(s.x.Send(&asgi.HTTPResponseBody{Body: []byte(piece.text), MoreBody: len(s.segments) > 1}))
		case data != nil:
			s.sent(s.x.Send(&asgi.HTTPResponseBody{
				Body:     data[piece.offset : piece.offset+piece.count],
				MoreBody: len(s.segments) > 1,
				Lifetime: asgi.Immutable,
			}))
		case s.zeroCopy:
			s.sent(s.x.Send(&asgi.HTTPResponseZeroCopySend{
				File: s.form.file, Offset: piece.offset, Count: piece.count, MoreBody: len(s.segments) > 1,
			}))
		default:
			s.read(piece)
		}
	}
}

// sent follows the sending of the first segment.
func (s *sender) sent(err error) {
	s.segments = s.segments[1:]
	if err != nil || len(s.segments) == 0 {
		s.end(err)
	}
}

// end ends the body, whole or not, once.
func (s *sender) end(err error) {
	if s.ended {
		return
	}
	s.ended = true
	if s.reading { // then the chunk ends it
		s.entry.refs.Add(1)
	}
	s.done(s.entry, err)
}

// read has the next chunk of a segment read off the loop.
func (s *sender) read(piece segment) {
	s.reading = true
	chunk := chunks.Get().(*[chunkBytes]byte)
	post := func(n int, err error) {
		if !asgi.PostOwed(s.x, func() { s.deliver(chunk, n, err) }) {
			s.entry.release()
		}
	}
	s.h.disk.run(handlers.NetworkOf(s.scope), func() {
		p := chunk[:min(piece.count, chunkBytes)]
		n, err := s.form.file.ReadAt(p, piece.offset)
		if n == len(p) {
			err = nil
		} else if err == io.EOF {
			err = io.ErrUnexpectedEOF // it was cut
		}
		post(n, err)
	}, func(err error) { post(0, err) })
}

// deliver sends a chunk, or waits a little if nobody had time to read it.
func (s *sender) deliver(chunk *[chunkBytes]byte, n int, err error) {
	defer chunks.Put(chunk)
	s.reading = false
	switch {
	case s.ended:
		s.entry.release()
		return
	case errors.Is(err, executor.ErrSaturated) || errors.Is(err, errBusy):
		s.x.AfterFunc(retryDelay, s.next)
		return
	case err != nil:
		s.end(err)
		return
	}
	piece := &s.segments[0]
	piece.offset += int64(n)
	piece.count -= int64(n)
	last := piece.count == 0
	more := !last || len(s.segments) > 1
	err = s.x.Send(&asgi.HTTPResponseBody{Body: chunk[:n], MoreBody: more})
	switch {
	case err != nil:
		s.end(err)
	case last:
		s.sent(nil)
	}
	s.next()
}
