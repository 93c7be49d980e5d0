package server

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/http1"
	"github.com/gale-server/gale/asgi/internal/engine"
)

var errFileUnderWay = errors.New("server: a file is being sent; wait for gale.writable")

// fileChunk is what is read of a file at a time, in bytes: large enough for one
// write to fill a socket's buffer.
const fileChunk = 128 << 10

// fileSender sends a part of a file as one piece of a response body. Reading a
// file may block, so a goroutine reads one chunk at a time, and the loop asks
// for the next one when the outbox has room. While it is at work the exchange
// is congested.
type fileSender struct {
	x       *httpExchange
	file    *os.File
	off     int64  // where the next chunk begins
	left    int64  // bytes
	more    bool   // the body goes on after this piece
	framed  bool   // the piece has framing, and bytes, on the wire
	waiting bool   // for room in the outbox
	chunk   []byte // of the loop's memory, being filled
}

// sendPath completes the response with a file.
func (x *httpExchange) sendPath(path string) error {
	if !filepath.IsAbs(path) {
		return fmt.Errorf("server: pathsend of %q: path is not absolute", path)
	}
	// Without O_NONBLOCK a FIFO would hold the loop until somebody writes to it.
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("server: pathsend: %w", err)
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	if err == nil {
		err = x.startFile(&fileSender{x: x, file: file, left: info.Size()}, info.Size())
	}
	if err != nil {
		file.Close()
		return fmt.Errorf("server: pathsend: %w", err)
	}
	return nil
}

// sendFile sends a part of an open file. The application may close its file
// when Send has returned, so a duplicate of the descriptor is read.
func (x *httpExchange) sendFile(e *asgi.HTTPResponseZeroCopySend) error {
	offset, count := e.Offset, e.Count
	if offset < 0 {
		at, err := e.File.Seek(0, io.SeekCurrent)
		if err != nil {
			return fmt.Errorf("server: zerocopysend: %w", err)
		}
		offset = at
	}
	info, err := e.File.Stat()
	if err != nil {
		return fmt.Errorf("server: zerocopysend: %w", err)
	}
	if rest := max(info.Size()-offset, 0); count < 0 {
		count = rest
	} else if count > rest {
		return errors.New("server: zerocopysend: count is beyond the end of the file")
	}
	fd, err := engine.Duplicate(e.File)
	if err != nil {
		return fmt.Errorf("server: zerocopysend: %w", err)
	}
	known := int64(-1)
	if !x.started && !e.MoreBody {
		known = count
	}
	s := &fileSender{x: x, file: fd, left: count, off: offset, more: e.MoreBody}
	if err := x.startFile(s, known); err != nil {
		fd.Close()
		return fmt.Errorf("server: zerocopysend: %w", err)
	}
	return nil
}

// startFile writes the framing before the file and sets s to work.
func (x *httpExchange) startFile(s *fileSender, bodyBytes int64) error {
	err := x.write(bodyBytes, 0, func(out []byte) (_ []byte, err error) {
		if !s.more { // too short a body is refused here, not found in its middle
			trial := x.h.m
			if err := wholePiece(&trial, s.left); err != nil {
				return out, err
			}
		}
		out, s.framed, err = x.h.m.AppendPiece(out, s.left)
		return out, err
	})
	if err != nil {
		return err
	}
	if !s.framed { // HEAD and its like: the body is only counted
		s.left = 0
	}
	x.file, x.congested = s, true
	s.next()
	return nil
}

// wholePiece takes m to the end of a body whose last piece has n bytes.
func wholePiece(m *http1.Machine, n int64) error {
	_, framed, err := m.AppendPiece(nil, n)
	if err == nil && framed {
		_, err = m.AppendPieceEnd(nil)
	}
	if err == nil {
		_, err = m.AppendLastBody(nil, nil)
	}
	return err
}

// next reads the next chunk, unless the outbox is full: then drained calls it.
func (s *fileSender) next() {
	s.waiting = s.x.c.sock.Congested()
	if !s.waiting {
		s.chunk = s.x.c.w.loop.Take(fileChunk)
		go s.read() // ends with its one chunk posted
	}
}

// read reads a chunk, on a goroutine of its own, and hands it to the loop.
func (s *fileSender) read() {
	chunk := s.chunk[:min(s.left, fileChunk)]
	n, err := s.file.ReadAt(chunk, s.off)
	switch {
	case n == len(chunk):
		err = nil
	case err == io.EOF:
		err = io.ErrUnexpectedEOF // the file was cut meanwhile
	}
	if !s.x.c.w.loop.PostOwed(func() { s.deliver(chunk, err) }) {
		s.file.Close()
	}
}

// deliver writes a chunk, on the loop, and goes on or ends.
func (s *fileSender) deliver(chunk []byte, err error) {
	x := s.x
	memory := x.c.w.loop.Share(s.chunk)
	defer memory.Release()
	if x.over {
		s.file.Close()
		return
	}
	if err == nil {
		x.c.sock.WriteBuffer(chunk, memory)
		x.bytes += int64(len(chunk))
		s.left -= int64(len(chunk))
		s.off += int64(len(chunk))
		if s.left > 0 {
			s.next()
			return
		}
		err = s.finish()
	}
	s.file.Close()
	x.file = nil
	switch {
	case err != nil:
		x.truncate(fmt.Errorf("server: sending a file: %w", err))
	case !x.order.Complete() && !x.c.sock.Congested():
		x.uncongest() // else drained does
	}
	x.c.wake()
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

// abandon ends a file whose exchange is over. A chunk under way closes it when
// it arrives.
func (s *fileSender) abandon() {
	if s.waiting {
		s.file.Close()
	}
}
