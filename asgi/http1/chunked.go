package http1

import (
	"bytes"
	"math"

	"github.com/gale-server/gale/asgi"
)

// nextChunked reads a chunked body up to its next data or its end.
func (m *Machine) nextChunked(p []byte) (Event, error) {
	for n := 0; n < len(p); {
		switch m.in {
		case inChunkLine:
			k, done, err := m.chunkLine(p[n:])
			n += k
			if err == nil && done {
				err = m.startChunk()
			}
			if err != nil {
				return Event{}, m.fail(err)
			}
		case inChunkData:
			if m.remaining > 0 {
				return m.part(p, n), nil
			}
			m.in = inChunkCR
		case inChunkCR:
			if p[n] != '\r' {
				return Event{}, m.fail(errChunkEnd)
			}
			m.in = inChunkLF
			n++
		case inChunkLF:
			if p[n] != '\n' {
				return Event{}, m.fail(errChunkEnd)
			}
			m.in = inChunkLine
			n++
		case inTrailer:
			k, done, err := m.trailers(p[n:])
			n += k
			switch {
			case err != nil:
				return Event{}, m.fail(err)
			case done:
				m.in = inDone
				return Event{Kind: End, N: n}, nil
			}
		}
	}
	return Event{N: len(p)}, nil
}

// chunkLine reads a chunk line; done says that it is complete and remaining is
// the size.
func (m *Machine) chunkLine(p []byte) (n int, done bool, err *Error) {
	for n < len(p) {
		c := p[n]
		n++
		m.chunk = chunkNext[m.chunk][chunkOctet[c]]
		switch m.chunk {
		case chunkBad:
			return n, false, errChunkLine
		case inSize:
			// Sixteen digits hold any size; more are only good for overflows.
			if m.sizeWidth++; m.sizeWidth > 16 || m.remaining > math.MaxInt64>>4 {
				return n, false, errChunkSize
			}
			m.remaining = m.remaining<<4 | int64(hexValue(c))
		case atLF:
		case atSize:
			m.bodyExt += m.chunkExt
			m.chunkExt, m.sizeWidth = 0, 0
			return n, true, nil
		default:
			m.chunkExt++
			if int64(m.chunkExt) > m.cfg.maxChunkExt() || int64(m.bodyExt)+int64(m.chunkExt) > m.cfg.maxBodyExt() {
				return n, false, errExtLimit
			}
		}
	}
	return n, false, nil
}

func hexValue(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&0xf + 9
}

// startChunk enters the chunk whose size has been read.
func (m *Machine) startChunk() *Error {
	if m.remaining == 0 {
		m.in = inTrailer
		m.checked, m.lines = 0, 0
		return nil
	}
	// The sum cannot overflow: an unlimited body stops being counted.
	if m.cfg.MaxBodyBytes >= 0 {
		if m.remaining > m.cfg.maxBody()-m.received {
			return errBodyLimit
		}
		m.received += m.remaining
	}
	m.in = inChunkData
	return nil
}

// trailers reads the trailer section into buf (RFC 9112 §7.1.2); done says that
// its empty line has been read.
func (m *Machine) trailers(p []byte) (n int, done bool, err *Error) {
	if len(m.buf) == 0 && len(p) >= 2 && p[0] == '\r' && p[1] == '\n' {
		return 2, true, nil
	}
	for n < len(p) {
		limit := m.cfg.maxTrailer() + len("\r\n")
		k, full := m.gather(p[n:], limit)
		n += k
		if !full {
			if len(m.buf) >= limit {
				return n, false, errTrailerLimit
			}
			break
		}
		line, err := content(m.buf[m.checked:])
		switch {
		case err != nil:
			return n, false, err
		case len(line) == 0:
			m.buf = m.buf[:m.checked]
			if m.checked == 0 {
				m.buf = nil
			}
			return n, true, nil
		case int(m.lines) >= m.cfg.maxFields():
			return n, false, errFieldLimit
		}
		f, err := parseField(line, 0)
		if err != nil {
			return n, false, err
		}
		if barredTrailer(line[f.name.from:f.name.to]) {
			return n, false, errTrailerField
		}
		m.checked = int32(len(m.buf))
		m.lines++
	}
	return n, false, nil
}

// Trailers appends the trailer fields of a chunked request to dst, names in
// lower case, from the End event until the response is complete. They are not
// part of the header and never to be merged into it (RFC 9110 §6.5.1).
func (m *Machine) Trailers(dst []asgi.Header) []asgi.Header {
	if m.in != inDone || len(m.buf) == 0 {
		return dst
	}
	var fields []field
	for at := 0; at < len(m.buf); {
		end := at + bytes.IndexByte(m.buf[at:], '\n')
		f, _ := parseField(m.buf[at:end-1], uint32(at)) // checked when it arrived
		fields = append(fields, f)
		at = end + 1
	}
	t := newText(m.buf, fields)
	for _, f := range fields {
		dst = append(dst, asgi.Header{Name: t.name(f.name), Value: t.of(f.value)})
	}
	return dst
}

// barredTrailer reports whether a field may not stand in a trailer section,
// because it decides framing, routing, authentication or the connection, all of
// which has happened by then (RFC 9110 §6.5.1).
func barredTrailer[T string | []byte](name T) bool {
	for _, barred := range barredTrailers {
		if fold(name, barred) {
			return true
		}
	}
	return false
}

var barredTrailers = []string{
	"authorization", "connection", "content-length", "cookie", "expect", "host",
	"keep-alive", "proxy-authorization", "proxy-connection", "set-cookie", "te",
	"trailer", "transfer-encoding", "upgrade",
}
