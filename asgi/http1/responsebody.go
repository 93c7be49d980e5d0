package http1

import (
	"strconv"

	"github.com/gale-server/gale/asgi"
)

// AppendBody appends a piece of the response body with more to come. An empty
// piece is legal and appends nothing. The error is a *ResponseError: out of
// order, or more bytes than Content-Length said.
func (m *Machine) AppendBody(dst, p []byte) ([]byte, error) {
	if err := m.account(int64(len(p))); err != nil {
		return dst, err
	}
	return m.appendPiece(dst, p), nil
}

// AppendLastBody appends the last piece of the body, which may be empty. It
// completes the response unless trailers were announced. The error is a
// *ResponseError: out of order, or not as many bytes as Content-Length said. A
// body that ends short stays unfinished; close the connection then, so that the
// client sees the truncation.
func (m *Machine) AppendLastBody(dst, p []byte) ([]byte, error) {
	if m.out == outBody && m.framing == framedLength && int64(len(p)) < m.owed {
		return dst, &ResponseError{Reason: "body is shorter than its Content-Length (RFC 9110 §8.6)"}
	}
	if err := m.account(int64(len(p))); err != nil {
		return dst, err
	}
	dst = m.appendPiece(dst, p)
	if m.framing == framedChunked {
		dst = append(dst, "0\r\n"...)
		if !m.sendsTrailers() {
			dst = append(dst, "\r\n"...)
		}
	}
	if m.flags&flagExpected != 0 {
		m.out = outTrailers
		return dst, nil
	}
	m.complete()
	return dst, nil
}

// AppendPiece frames n bytes of body that the caller writes itself, from its own
// memory or a file: dst, then the n bytes if send is true, then what
// AppendPieceEnd appends. With send false (HEAD, 204, 304, or n is zero) neither
// the bytes nor the end may follow. The error is that of AppendBody.
func (m *Machine) AppendPiece(dst []byte, n int64) (out []byte, send bool, err error) {
	if err := m.account(n); err != nil {
		return dst, false, err
	}
	if n == 0 || m.framing == framedNone {
		return dst, false, nil
	}
	m.out = outPiece
	if m.framing == framedChunked {
		dst = appendChunkLine(dst, n)
	}
	return dst, true, nil
}

// AppendPieceEnd ends the piece that AppendPiece began.
func (m *Machine) AppendPieceEnd(dst []byte) ([]byte, error) {
	if err := m.permit(opPieceEnd); err != nil {
		return dst, err
	}
	m.out = outBody
	if m.framing == framedChunked {
		dst = append(dst, "\r\n"...)
	}
	return dst, nil
}

// account checks that n bytes of body are legal now and counts them.
func (m *Machine) account(n int64) error {
	if err := m.permit(opBody); err != nil {
		return err
	}
	if n < 0 {
		return &ResponseError{Reason: "negative length of a body piece"}
	}
	if m.framing != framedLength {
		return nil
	}
	if n > m.owed {
		return &ResponseError{Reason: "body is longer than its Content-Length (RFC 9110 §8.6)"}
	}
	m.owed -= n
	return nil
}

func (m *Machine) appendPiece(dst, p []byte) []byte {
	switch {
	case len(p) == 0 || m.framing == framedNone: // an empty chunk would be the last
		return dst
	case m.framing == framedChunked:
		dst = appendChunkLine(dst, int64(len(p)))
		dst = append(dst, p...)
		return append(dst, "\r\n"...)
	}
	return append(dst, p...)
}

func appendChunkLine(dst []byte, n int64) []byte {
	dst = strconv.AppendInt(dst, n, 16)
	return append(dst, "\r\n"...)
}

// AppendTrailers appends trailer fields with more to come. They are checked and
// dropped unless the client accepts trailers and the response is chunked. The
// error is a *ResponseError: out of order, malformed, or a field that is not
// allowed there.
func (m *Machine) AppendTrailers(dst []byte, trailers []asgi.Header) ([]byte, error) {
	if err := m.permit(opTrailers); err != nil {
		return dst, err
	}
	for _, t := range trailers {
		if err := validate(t); err != nil {
			return dst, err
		}
		if barredTrailer(t.Name) {
			return dst, &ResponseError{"not allowed in a trailer section (RFC 9110 §6.5.1)", t.Name}
		}
	}
	if m.sendsTrailers() {
		for _, t := range trailers {
			dst = appendField(dst, t.Name, t.Value)
		}
	}
	return dst, nil
}

// AppendLastTrailers appends the last trailer fields, if any, and completes the
// response. The error is that of AppendTrailers.
func (m *Machine) AppendLastTrailers(dst []byte, trailers []asgi.Header) ([]byte, error) {
	dst, err := m.AppendTrailers(dst, trailers)
	if err != nil {
		return dst, err
	}
	if m.sendsTrailers() {
		dst = append(dst, "\r\n"...)
	}
	m.complete()
	return dst, nil
}
