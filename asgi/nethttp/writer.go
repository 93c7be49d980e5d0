package nethttp

import (
	"io"
	"maps"
	"net/http"
	"time"

	"github.com/gale-server/gale/asgi/internal/engine"
)

// writeChunk is what is written at once under one deadline, in bytes.
const writeChunk = 128 << 10

// write writes the pieces of the response as they come, on the goroutine of
// net/http, until its end. drained is called when a congested outbox has room
// again, failed when the peer is gone.
func (s *response) write(w http.ResponseWriter, drained func(), failed func(error)) ending {
	t := s.h.writer(w, s.r)
	for {
		pieces := s.out.wait()
		for i := range pieces {
			p := &pieces[i]
			err := t.write(p)
			if err != nil {
				s.drop()
				closeFiles(pieces[i:])
				failed(err)
				return endCut
			}
			if p.end != endNot {
				closeFiles(pieces[i:])
				if p.end == endCut {
					_ = t.flush() // the peer gets what there is
				}
				return p.end
			}
			if s.out.wrote(p.weight, s.h.cfg.LowWatermark) {
				drained()
			}
		}
		if s.out.empty() {
			if err := t.flush(); err != nil {
				s.drop()
				failed(err)
				return endCut
			}
			t.rest()
		}
	}
}

func closeFiles(pieces []piece) {
	for i := range pieces {
		if f := pieces[i].file; f != nil {
			f.Close()
			pieces[i].file = nil
		}
	}
}

// writer writes pieces to an http.ResponseWriter.
//
// Not safe for concurrent use.
type writer struct {
	h   *Handler
	w   http.ResponseWriter
	r   *http.Request
	rc  *http.ResponseController
	buf []byte // of files

	began bool // the head is written
}

func (h *Handler) writer(w http.ResponseWriter, r *http.Request) *writer {
	return &writer{h: h, w: w, r: r, rc: http.NewResponseController(w)}
}

func (t *writer) write(p *piece) error {
	switch {
	case p.hints != nil:
		return t.hint(p.hints)
	case p.status != 0:
		maps.Copy(t.w.Header(), p.header)
		t.extend()
		t.began = true
		t.w.WriteHeader(p.status)
	}
	if err := t.body(p.body); err != nil {
		return err
	}
	if p.file != nil {
		if err := t.file(p); err != nil {
			return err
		}
	}
	if p.status != 0 && p.end == endNot {
		// The client gets to see the start at once. Besides, net/http would give
		// a body that it still holds a Content-Length, and no trailers.
		return t.flush()
	}
	for _, h := range p.trailers {
		t.w.Header().Add(http.TrailerPrefix+h.Name, h.Value)
	}
	return nil
}

func (t *writer) hint(links []string) error {
	header := t.w.Header()
	kept := header["Link"] // set by middleware of net/http
	header["Link"] = links
	t.extend()
	t.w.WriteHeader(http.StatusEarlyHints)
	if kept == nil {
		delete(header, "Link")
	} else {
		header["Link"] = kept
	}
	return nil
}

func (t *writer) body(p []byte) error {
	for len(p) > 0 {
		n := min(len(p), writeChunk)
		t.extend()
		if _, err := t.w.Write(p[:n]); err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// largePart is from where a part of a file goes to net/http as a file, in bytes, which
// the kernel sends then.
const largePart = 64 << 10

// file sends a part of a file and closes it. A file that has become shorter meanwhile
// is an error: its length was promised.
func (t *writer) file(p *piece) error {
	var err error
	if to, ok := t.w.(io.ReaderFrom); ok && p.n >= largePart && p.standAlone() {
		err = t.handOver(p, to)
	} else {
		err = t.copyFile(p)
	}
	if err != nil {
		return err
	}
	err = p.file.Close()
	p.file = nil
	return err
}

// copyFile reads and writes.
func (t *writer) copyFile(p *piece) error {
	if t.buf == nil {
		t.buf = make([]byte, writeChunk)
	}
	for p.n > 0 {
		chunk := t.buf[:min(p.n, writeChunk)]
		n, err := p.file.ReadAt(chunk, p.off)
		switch {
		case n == len(chunk):
		case err == io.EOF:
			return &fileError{io.ErrUnexpectedEOF}
		default:
			return &fileError{err}
		}
		if err := t.body(chunk); err != nil {
			return err
		}
		p.off += int64(n)
		p.n -= int64(n)
	}
	return nil
}

// handOver is copyFile for net/http, which knows how to send a file.
func (t *writer) handOver(p *piece, to io.ReaderFrom) error {
	if _, err := p.file.Seek(p.off, io.SeekStart); err != nil {
		return &fileError{err}
	}
	for p.n > 0 {
		t.extend()
		n, err := to.ReadFrom(io.LimitReader(p.file, min(p.n, writeChunk)))
		switch {
		case err != nil:
			return err
		case n == 0:
			return &fileError{io.ErrUnexpectedEOF}
		}
		p.n -= n
	}
	return nil
}

// standAlone sees to it that reading the file moves nobody else's position.
func (p *piece) standAlone() bool {
	if !p.shared {
		return true
	}
	own, err := engine.Reopen(p.file)
	if err != nil {
		return false
	}
	p.file.Close()
	p.file, p.shared = own, false
	return true
}

// flush lets out what is written. Before the start that is nothing: net/http has
// sent early hints at once, and would make up a start.
func (t *writer) flush() error {
	if !t.began {
		return nil
	}
	t.extend()
	if err := t.rc.Flush(); err != nil && !isUnsupported(err) {
		return err
	}
	return nil
}

// extend gives the peer time to take the next bytes. What middleware hides
// cannot be set, and has net/http's own timeouts.
func (t *writer) extend() {
	if timeout := t.h.cfg.WriteTimeout; timeout > 0 {
		_ = t.rc.SetWriteDeadline(time.Now().Add(timeout))
	}
}

// rest stops the clock while there is nothing to write: a stream of HTTP/2 is
// reset at its deadline even then.
func (t *writer) rest() {
	if t.r.ProtoMajor >= 2 {
		_ = t.rc.SetWriteDeadline(time.Time{})
	}
}

// restore gives the connection back to net/http, which still has to flush, with
// the deadline that its server wants.
func (t *writer) restore() {
	srv, _ := t.r.Context().Value(http.ServerContextKey).(*http.Server)
	switch {
	case t.h.owner != nil && srv == t.h.owner:
		t.extend()
	case srv != nil && srv.WriteTimeout > 0:
		_ = t.rc.SetWriteDeadline(time.Now().Add(srv.WriteTimeout))
	default:
		_ = t.rc.SetWriteDeadline(time.Time{})
	}
}

// reset ends a connection so that a body which only its end delimits is seen to
// be cut: nothing but a reset tells
// (https://www.rfc-editor.org/rfc/rfc9112#section-8).
func (t *writer) reset() {
	conn, _, err := t.rc.Hijack()
	if err != nil {
		return
	}
	if tcp, ok := conn.(interface{ SetLinger(seconds int) error }); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
