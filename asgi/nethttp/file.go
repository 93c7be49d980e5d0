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
		err = x.res.part(filePart{file: file, n: info.Size()}, false, x.persists())
	}
	if err != nil {
		file.Close()
		return fmt.Errorf("nethttp: pathsend: %w", err)
	}
	return nil
}

// sendFile sends a part of an open file.
func (x *httpExchange) sendFile(e *asgi.HTTPResponseZeroCopySend) error {
	part, err := partOf(e)
	if err == nil {
		if err = x.res.part(part, e.MoreBody, x.persists()); err != nil {
			part.file.Close()
		}
	}
	if err != nil {
		return fmt.Errorf("nethttp: zerocopysend: %w", err)
	}
	return nil
}

// partOf returns which part of a file is meant, with a descriptor of our own.
func partOf(e *asgi.HTTPResponseZeroCopySend) (filePart, error) {
	offset, count := e.Offset, e.Count
	if offset < 0 {
		at, err := e.File.Seek(0, io.SeekCurrent)
		if err != nil {
			return filePart{}, err
		}
		offset = at
	}
	info, err := e.File.Stat()
	if err != nil {
		return filePart{}, err
	}
	if rest := max(info.Size()-offset, 0); count < 0 {
		count = rest
	} else if count > rest {
		return filePart{}, errors.New("count is beyond the end of the file")
	}
	file, err := engine.Duplicate(e.File)
	return filePart{file: file, off: offset, n: count, shared: true}, err
}
