package nethttp

import (
	"net/http"
	"os"

	"github.com/gale-server/gale/asgi"
)

// response is a response on its way from the loop, which checks it, to the
// goroutine of net/http, which writes it: methods here are the loop's side,
// write in writer.go is the other.
//
// Loop-owned: call only from its event loop, except out and write.
type response struct {
	h    *Handler
	r    *http.Request
	out  outbox[piece]
	head bool // the response to a HEAD request has no body

	// The start, held until the first body event: what the application does
	// wrong until then can still be answered with 500.
	status   int
	headers  []asgi.Header
	trailers bool // announced
	wanted   bool // the client takes trailers

	length  int64 // Content-Length, or -1
	bytes   int64 // of the body, as the application sent it
	started bool  // the head is on its way
	fields  []asgi.Header
}

// piece is a part of a response, in the order it is written.
type piece struct {
	hints  []string
	status int // of a head
	header http.Header
	body   []byte
	filePart
	trailers []asgi.Header
	end      ending
	weight   int // bytes
}

// filePart is a part of a file.
type filePart struct {
	file   *os.File
	off, n int64 // bytes
	shared bool  // the position of file is somebody else's, too
}

// ending is how a response ends.
type ending uint8

const (
	endNot   ending = iota
	endWhole        // complete
	endCut          // the peer must see that it is not complete
)

// pieceOverhead is what a piece weighs beside its bytes: many small ones are
// bounded too.
const pieceOverhead = 64

func (s *response) put(p piece) {
	p.weight += pieceOverhead + p.fieldBytes()
	s.out.put(p, p.weight)
}

// fieldBytes is what the fields of a piece have in bytes, those of its hints, head
// and trailers.
func (p *piece) fieldBytes() (n int) {
	for _, link := range p.hints {
		n += len(link)
	}
	for name, values := range p.header {
		for _, value := range values {
			n += len(name) + len(value)
		}
	}
	for _, h := range p.trailers {
		n += len(h.Name) + len(h.Value)
	}
	return n
}

// hold checks a response's start and keeps it until the body comes.
func (s *response) hold(status int, headers []asgi.Header, trailers bool) error {
	length, err := checkStart(status, headers)
	if err != nil {
		return err
	}
	switch {
	case s.r.Method == http.MethodConnect && status < 300:
		return errTunnel
	case status == http.StatusResetContent && length > 0 && !s.head:
		return errNoContent
	}
	s.status, s.length, s.trailers = status, length, trailers
	s.headers = append([]asgi.Header(nil), headers...)
	return nil
}

// kept is p, which an outbox is to hold: a copy, unless it is immutable.
func kept(p []byte, l asgi.Lifetime) []byte {
	if l == asgi.Immutable {
		return p
	}
	return append([]byte(nil), p...)
}

// bodiless reports whether the body goes nowhere
// (https://www.rfc-editor.org/rfc/rfc9112#section-6.3).
func (s *response) bodiless() bool {
	return s.head || s.status == http.StatusNoContent || s.status == http.StatusNotModified
}

// account checks n more bytes of body against Content-Length, with the start
// if that is still due, and returns the piece that carries them.
func (s *response) account(n int64, more, persist bool) (p piece, err error) {
	switch total := s.bytes + n; {
	case s.status == http.StatusResetContent && n > 0 && !s.head:
		return p, errNoContent
	case s.length >= 0 && total > s.length && !s.bodiless():
		return p, errTooLong
	case s.length >= 0 && total < s.length && !more && !s.bodiless():
		return p, errTooShort
	}
	if !s.started {
		known := int64(-1)
		if !more && !s.trailers {
			known = n
		}
		p.status, p.header = s.status, s.makeHeader(known, persist)
		s.started, s.headers = true, nil
	}
	if !s.bodiless() {
		s.bytes += n
	}
	if !more && !s.trailers {
		p.end = endWhole
	}
	return p, nil
}

// body sends a piece of the body. persist says that the connection may serve
// another request.
func (s *response) body(p []byte, l asgi.Lifetime, more, persist bool) error {
	out, err := s.account(int64(len(p)), more, persist)
	if err != nil {
		return err
	}
	if !s.bodiless() && len(p) > 0 {
		out.body = kept(p, l)
		out.weight = len(p)
	}
	s.put(out)
	return nil
}

// part sends n bytes of a file as a piece of the body. The file is the
// response's from then on. However large it is, it does no more than congest.
func (s *response) part(f filePart, more, persist bool) error {
	n := f.n
	out, err := s.account(n, more, persist)
	if err != nil {
		return err
	}
	out.filePart = f
	out.weight = int(min(n, int64(s.h.cfg.HighWatermark)+1))
	if s.bodiless() {
		out.n = 0
	}
	s.put(out)
	return nil
}

// trailer gathers the fields after the body, and ends the response with the
// last of them.
func (s *response) trailer(fields []asgi.Header, more bool) error {
	for _, h := range fields {
		if err := checkField(h); err != nil {
			return err
		}
	}
	s.fields = append(s.fields, fields...)
	if !more {
		end := piece{end: endWhole}
		if s.wanted {
			end.trailers = s.fields
		}
		s.put(end)
	}
	return nil
}

// hint sends 103 Early Hints; a client of HTTP/1.0 gets no 1xx
// (https://www.rfc-editor.org/rfc/rfc9110#section-15.2).
func (s *response) hint(links []string) error {
	for _, link := range links {
		if !isFieldValue(link) {
			return errFieldValue
		}
	}
	if s.r.ProtoAtLeast(1, 1) {
		s.put(piece{hints: append([]string{}, links...)})
	}
	return nil
}

// answer sends a whole response that the engine makes itself.
func (s *response) answer(status int, headers []asgi.Header) {
	s.answerText(status, headers, http.StatusText(status)+"\n")
}

func (s *response) answerText(status int, headers []asgi.Header, text string) {
	s.headers = append([]asgi.Header{{Name: "content-type", Value: "text/plain; charset=utf-8"}}, headers...)
	s.status, s.length, s.trailers, s.bytes = status, -1, false, 0
	_ = s.body([]byte(text), asgi.Immutable, false, false) // no length, no error
}

// cut ends a response that cannot be completed. What was sent before is written.
func (s *response) cut() { s.put(piece{end: endCut}) }

// drop ends a response whose peer is gone.
func (s *response) drop() { closeFiles(s.out.close(piece{end: endCut})) }
