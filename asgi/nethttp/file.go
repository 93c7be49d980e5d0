package nethttp

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/internal/engine"
)

// sendPath completes the response with a file.
func (x *httpExchange) sendPath(path string) error {
	if !filepath.IsAbs(path) {
		return fmt.Errorf("nethttp: pathsend of %q: path is not absolute", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("nethttp: pathsend: %w", err)
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	if err == nil {
		err = x.res.part(file, 0, info.Size(), false, x.persists())
	}
	if err != nil {
		file.Close()
		return fmt.Errorf("nethttp: pathsend: %w", err)
	}
	return nil
}

// sendFile sends a part of an open file.
func (x *httpExchange) sendFile(e *asgi.HTTPResponseZeroCopySend) error {
	file, offset, count, err := partOf(e)
	if err == nil {
		if err = x.res.part(file, offset, count, e.MoreBody, x.persists()); err != nil {
			file.Close()
		}
	}
	if err != nil {
		return fmt.Errorf("nethttp: zerocopysend: %w", err)
	}
	return nil
}

// partOf returns a file of our own, and which part of it is meant.
func partOf(e *asgi.HTTPResponseZeroCopySend) (file *os.File, offset, count int64, err error) {
	offset, count = e.Offset, e.Count
	if offset < 0 {
		if offset, err = e.File.Seek(0, io.SeekCurrent); err != nil {
			return nil, 0, 0, err
		}
	}
	info, err := e.File.Stat()
	if err != nil {
		return nil, 0, 0, err
	}
	if rest := max(info.Size()-offset, 0); count < 0 {
		count = rest
	} else if count > rest {
		return nil, 0, 0, errors.New("count is beyond the end of the file")
	}
	file, err = engine.Duplicate(e.File)
	return file, offset, count, err
}
