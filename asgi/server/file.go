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
	x.file = s
	if s.next(); x.file != nil {
		x.congested = true
	}
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
