package server

import (
	"container/list"
	"fmt"
	"io"
	"os"

	"github.com/gale-server/gale/eventloop"
)

const (
	// fileWindow is how much of a file is fetched at a time, in bytes: of what is
	// fetched for a slow client little is dropped again before it is sent.
	fileWindow = 512 << 10

	// askWindow is how much is asked for at a time, and sent: as much as a turn may
	// write, so that the questions cost little.
	askWindow = 4 * fileWindow

	// smallPart is up to where a part of a file is read into the outbox, in bytes: it
	// leaves in one system call with all else of the turn.
	smallPart = copyBelow
)

// fileSender sends a part of a file as one piece of a response body. The loop must
// not wait for a disk, so it sends what is in the system's memory; what is not, a
// reader fetches before. No part of the file is in memory of ours while it waits for
// the socket. While it is at work the exchange is congested.
//
// Loop-owned: call only from its event loop; fetch is the reader's.
type fileSender struct {
	x       *httpExchange
	file    *os.File
	off     int64 // where the rest begins
	left    int64 // bytes
	more    bool  // the body goes on after this piece
	framed  bool  // the piece has framing, and bytes, on the wire
	waiting bool  // for room in the socket; drained calls resume
	place   *list.Element
}

// next sends until the socket is full, a reader has to fetch, or all is sent.
func (s *fileSender) next() {
	sock := s.x.c.sock
	for s.left > 0 {
		if s.waiting = sock.Congested() || sock.Ended(); s.waiting {
			return
		}
		if s.left <= smallPart && s.copySmall(int(s.left)) {
			continue
		}
		if n := s.atHand(); n == 0 || s.send(n) != nil {
			s.x.c.w.srv.files.read(s) // an error of the file is found there, too
			return
		}
	}
	s.complete()
}

// atHand is how much can be sent without waiting for a disk; zero if that is to be
// fetched first.
func (s *fileSender) atHand() int {
	for _, window := range [...]int64{askWindow, fileWindow} {
		n := int(min(s.left, window))
		if s.x.c.w.loop.Cached(s.file, s.off, n) {
			return n
		}
		if s.left <= fileWindow {
			break // the same again
		}
	}
	return 0
}

// copySmall writes the next n bytes through the outbox, if they are at hand.
func (s *fileSender) copySmall(n int) bool {
	sock := s.x.c.sock
	p := sock.Reserve(n)
	if cap(p) < n || s.x.c.w.loop.ReadCached(s.file, p[:n], s.off) < n {
		return false
	}
	sock.Commit(p[:n])
	s.advance(n)
	return true
}

// send hands the next n bytes to the kernel, as many as it takes.
func (s *fileSender) send(n int) error {
	sent, err := s.x.c.sock.SendFile(s.file, s.off, n)
	s.advance(sent)
	return err
}

func (s *fileSender) advance(n int) {
	s.off += int64(n)
	s.left -= int64(n)
	s.x.bytes += int64(n)
}

// fetch reads the next window into the system's memory, on a reader's goroutine. p is
// memory for what is read, which nobody looks at.
func (s *fileSender) fetch(p []byte) {
	n := min(s.left, fileWindow)
	eventloop.ReadAhead(s.file, s.off, min(s.left, 2*fileWindow)) // the next one too, without waiting for it
	err := readOver(s.file, s.off, n, p)
	if !s.x.c.w.loop.PostOwed(func() { s.fetched(int(n), err) }) {
		s.file.Close()
	}
}

// readOver reads n bytes and throws them away.
func readOver(file *os.File, off, n int64, p []byte) error {
	for n > 0 {
		got, err := file.ReadAt(p[:min(n, int64(len(p)))], off)
		if err == io.EOF {
			err = io.ErrUnexpectedEOF // the file was cut meanwhile
		}
		if err != nil && got == 0 {
			return err
		}
		off, n = off+int64(got), n-int64(got)
	}
	return nil
}

// fetched sends what a reader has fetched, and goes on.
func (s *fileSender) fetched(n int, err error) {
	if s.x.over {
		s.file.Close()
		return
	}
	if err == nil {
		err = s.send(n) // without a question, which some file systems do not answer
	}
	if err != nil {
		s.fail(err)
		return
	}
	s.resume()
}

// resume goes on outside of a call of the application.
func (s *fileSender) resume() {
	x := s.x
	if s.next(); x.file != nil {
		return
	}
	if !x.order.Complete() && !x.c.sock.Congested() {
		x.uncongest() // else drained does
	}
	x.c.wake()
}

// complete ends the piece.
func (s *fileSender) complete() {
	if err := s.finish(); err != nil {
		s.fail(err)
		return
	}
	s.file.Close()
	s.x.file = nil
}

// finish writes the framing after the file.
func (s *fileSender) finish() error {
	m := &s.x.h.m
	out, err := s.x.c.sock.Reserve(32), error(nil)
	if s.framed {
		out, err = m.AppendPieceEnd(out)
	}
	if err == nil && !s.more {
		out, err = m.AppendLastBody(out, nil)
	}
	if err == nil {
		s.x.c.sock.Commit(out)
	}
	return err
}

// fail ends a response that cannot be completed, so that the peer sees it; in a later
// turn, since the application may be in its call of Send.
func (s *fileSender) fail(err error) {
	x := s.x
	s.file.Close()
	x.c.w.loop.PostOwed(func() {
		if x.over {
			return
		}
		x.logFailure(fmt.Errorf("server: sending a file: %w", err))
		x.vanish()
		x.h.cut(x)
	})
}

// abandon ends a file whose exchange is over. One that a reader is at is closed when
// it is done.
func (s *fileSender) abandon() {
	if s.waiting || s.x.c.w.srv.files.forget(s) {
		s.file.Close()
	}
}
