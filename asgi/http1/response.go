package http1

import (
	"strconv"

	"github.com/gale-server/gale/asgi"
)

// Response is the head of a final response as the application and the server
// want it. The machine adds what framing and persistence need.
//
// Not safe for concurrent use.
type Response struct {
	// Status is 200 to 599.
	Status int

	// Headers are the application's, in any case of letters. Content-Length
	// fixes the length of the body. Connection is honoured if it lists "close"
	// and dropped otherwise, as are the other fields that belong to a connection
	// (RFC 9110 §7.6.1): Transfer-Encoding, Keep-Alive, Proxy-Connection, TE, and
	// Upgrade unless the status is 426, which must have it.
	Headers []asgi.Header

	// BodyBytes is the length of the whole body where the server knows it, so
	// that no chunks are needed; -1 where it does not. Zero is an empty body.
	BodyBytes int64

	// Trailers says that AppendLastTrailers will follow AppendLastBody.
	Trailers bool

	// Date and Server are added where not empty and the application has none.
	Date, Server string

	// Defaults are added, each where the application has no field of its name.
	// Their names and values are valid, and none is of the connection or of the
	// framing: whoever sets them has seen to that once ([CheckDefaults]).
	Defaults []asgi.Header

	// Close makes this the connection's last response.
	Close bool
}

// framing is how the end of a response body is marked (RFC 9112 §6.3).
type framing uint8

const (
	framedNone    framing = iota // no body whatever the application sends
	framedLength                 // Content-Length
	framedChunked                // chunks
	framedClose                  // the end of the connection
)

// outState is what the response waits for.
type outState uint8

const (
	outIdle     outState = iota // no request yet
	outHead                     // the final response's head
	outBody                     // the body
	outPiece                    // the caller's own bytes and AppendPieceEnd
	outTrailers                 // the trailers the application announced
	outDone                     // nothing: complete
	outStates
)

var outNames = [outStates]string{"no request", "response not started", "in the body", "in a piece", "trailers due", "response complete"}

type outOp uint8

const (
	opHints outOp = iota
	opStart
	opUpgrade
	opBody
	opPieceEnd
	opTrailers
	outOps
)

var opNames = [outOps]string{"early hints", "response start", "upgrade", "response body", "end of piece", "trailers"}

// legal has the operations of each state; every other is out of order.
var legal = [outStates][outOps]bool{
	outHead:     {opHints: true, opStart: true, opUpgrade: true},
	outBody:     {opBody: true},
	outPiece:    {opPieceEnd: true},
	outTrailers: {opTrailers: true},
}

func (m *Machine) permit(op outOp) *ResponseError {
	if legal[m.out][op] {
		return nil
	}
	return &ResponseError{Reason: opNames[op] + " out of order: " + outNames[m.out]}
}

// CheckStart reports the error that AppendStart would return for r and does
// nothing: for a caller that holds the start of a response back until its body
// comes. With BodyBytes -1 a Content-Length is not compared with the body.
func (m *Machine) CheckStart(r *Response) error {
	if _, err := m.prepare(r); err != nil {
		return err
	}
	return nil
}

// AppendStart appends the head of the final response. It must come once per
// request and before the body. The error is a *ResponseError; nothing has
// happened then, and another response can be sent.
func (m *Machine) AppendStart(dst []byte, r *Response) ([]byte, error) {
	p, err := m.prepare(r)
	if err != nil {
		return dst, err
	}
	if p.close || p.framing == framedClose || m.last(r) {
		m.flags |= flagClose
	}
	if r.Trailers {
		m.flags |= flagExpected
	}
	m.flags &^= flagContinue
	m.out, m.framing, m.owed = outBody, p.framing, max(p.length, 0)
	return m.appendHead(dst, r, &p), nil
}

// prepare checks r and decides what its head will say.
func (m *Machine) prepare(r *Response) (plan, *ResponseError) {
	if err := m.permit(opStart); err != nil {
		return plan{}, err
	}
	if r.Status < 200 || r.Status > 599 {
		return plan{}, &ResponseError{Reason: "status " + strconv.Itoa(r.Status) + " is not final (RFC 9110 §15)"}
	}
	if !cleanString(r.Date) || !cleanString(r.Server) {
		return plan{}, &ResponseError{Reason: "control character in Date or Server (RFC 9110 §5.5)"}
	}
	p, err := inspect(r.Headers)
	if err != nil {
		return plan{}, err
	}
	p.framing, p.length, err = m.frame(r, p.length)
	return p, err
}

// frame decides how the body is framed (RFC 9112 §6.3, RFC 9110 §8.6) and the
// Content-Length to write, or -1. length is the application's, or -1.
func (m *Machine) frame(r *Response, length int64) (framing, int64, *ResponseError) {
	head := m.flags&flagHead != 0
	switch {
	case m.flags&flagConnect != 0 && r.Status < 300:
		return 0, 0, &ResponseError{Reason: "a 2xx to CONNECT would open a tunnel (RFC 9110 §9.3.6)"}
	case r.Status == 204:
		return framedNone, -1, nil
	case r.Status == 304:
		return framedNone, length, nil
	case head && length < 0 && r.BodyBytes > 0:
		return framedNone, r.BodyBytes, nil
	case head:
		// An empty body says nothing about the one a GET would have.
		return framedNone, length, nil
	case length >= 0 && r.BodyBytes >= 0 && length != r.BodyBytes:
		return 0, 0, &ResponseError{Reason: "Content-Length is not the length of the body (RFC 9110 §8.6)"}
	case r.Status == 205 && (length > 0 || r.BodyBytes > 0):
		return 0, 0, &ResponseError{Reason: "205 has no content (RFC 9110 §15.3.6)"}
	case r.Status == 205:
		return framedLength, 0, nil
	case length >= 0:
		return framedLength, length, nil
	case r.BodyBytes >= 0 && !(r.Trailers && m.flags&(flagTrailers|flagOld) == flagTrailers):
		return framedLength, r.BodyBytes, nil
	case m.flags&flagOld == 0:
		return framedChunked, -1, nil
	}
	return framedClose, -1, nil
}

// last reports whether this response is to be the connection's last one because
// the server says so or because the request body has not been read and will not
// be. A client that still waits for a 100 may or may not send its body now, and
// nobody can tell (RFC 9110 §10.1.1).
func (m *Machine) last(r *Response) bool {
	unread := m.in == inLength && r.BodyBytes >= 0 && m.remaining > m.drain
	return r.Close || m.NeedContinue() || unread
}

func (m *Machine) appendHead(dst []byte, r *Response, p *plan) []byte {
	dst = appendStatusLine(dst, r.Status)
	if r.Date != "" && !p.date {
		dst = appendField(dst, "Date", r.Date)
	}
	if r.Server != "" && !p.server {
		dst = appendField(dst, "Server", r.Server)
	}
	for _, h := range r.Defaults {
		if !has(r.Headers, h.Name) {
			dst = appendField(dst, h.Name, h.Value)
		}
	}
	upgrade := p.upgrade && r.Status == 426
	for _, h := range r.Headers {
		switch classifyHeader(h.Name) {
		case appDrop, appLength, appClose:
			continue
		case appUpgrade:
			if !upgrade {
				continue
			}
		case appTrailer:
			if !m.sendsTrailers() {
				continue
			}
		}
		dst = appendField(dst, h.Name, h.Value)
	}
	switch {
	case p.length >= 0:
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, p.length, 10)
		dst = append(dst, "\r\n"...)
	case m.framing == framedChunked:
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
	}
	return append(m.appendConnection(dst, upgrade), "\r\n"...)
}

// appendConnection appends the Connection field (RFC 9112 §9.3): an HTTP/1.0
// client that asked to persist has to be told, an HTTP/1.1 client the contrary.
func (m *Machine) appendConnection(dst []byte, upgrade bool) []byte {
	last := m.flags&flagClose != 0
	switch {
	case last && upgrade:
		return append(dst, "Connection: close, Upgrade\r\n"...)
	case last:
		return append(dst, "Connection: close\r\n"...)
	case upgrade && m.flags&flagOld == 0:
		return append(dst, "Connection: Upgrade\r\n"...)
	case upgrade:
		return append(dst, "Connection: keep-alive, Upgrade\r\n"...)
	case m.flags&flagOld != 0:
		return append(dst, "Connection: keep-alive\r\n"...)
	}
	return dst
}

// sendsTrailers reports whether announced trailers go over the wire: only in
// chunks, and only to a client that said so (RFC 9110 §6.5.1).
func (m *Machine) sendsTrailers() bool {
	return m.framing == framedChunked && m.flags&(flagExpected|flagTrailers) == flagExpected|flagTrailers
}

// complete ends the exchange: the response has been appended to its last octet.
// What is left of the request body is drained if it is little; otherwise the
// connection closes, as reading on would take the body for a request.
func (m *Machine) complete() {
	m.out = outDone
	switch {
	case m.in == inFailed:
	case m.flags&flagClose != 0 || m.in == inLength && m.remaining > m.drain:
		m.flags |= flagClose
		m.close()
	case m.BodyDone():
		m.idle()
	}
}
