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
	outBody                     //
	outPiece                    // the caller's own bytes and AppendPieceEnd
	outTrailers                 //
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

// plan is what one look at an application's headers found.
type plan struct {
	length              int64 // Content-Length, or -1
	date, server, close bool
	upgrade             bool
}

// appHeader is what the machine does with one header of the application.
type appHeader uint8

const (
	appPass    appHeader = iota
	appDrop              // belongs to the connection
	appLength            // Content-Length
	appClose             // Connection: the close option counts
	appUpgrade           // Upgrade
	appTrailer           // Trailer
	appDate
	appServer
)

func classifyHeader(name string) appHeader {
	switch len(name) {
	case len("te"):
		if fold(name, "te") {
			return appDrop
		}
	case len("date"):
		if fold(name, "date") {
			return appDate
		}
	case len("server"):
		if fold(name, "server") {
			return appServer
		}
	case len("upgrade"):
		switch {
		case fold(name, "upgrade"):
			return appUpgrade
		case fold(name, "trailer"):
			return appTrailer
		}
	case len("connection"):
		switch {
		case fold(name, "connection"):
			return appClose
		case fold(name, "keep-alive"):
			return appDrop
		}
	case len("content-length"):
		if fold(name, "content-length") {
			return appLength
		}
	case len("proxy-connection"):
		if fold(name, "proxy-connection") {
			return appDrop
		}
	case len("transfer-encoding"):
		if fold(name, "transfer-encoding") {
			return appDrop
		}
	}
	return appPass
}

// inspect validates headers: what passes cannot end the field line it stands in
// (RFC 9112 §11.1).
func inspect(headers []asgi.Header) (plan, *ResponseError) {
	p := plan{length: -1}
	for _, h := range headers {
		if err := validate(h); err != nil {
			return plan{}, err
		}
		switch classifyHeader(h.Name) {
		case appDate:
			p.date = true
		case appServer:
			p.server = true
		case appUpgrade:
			p.upgrade = true
		case appClose:
			p.close = p.close || listed(h.Value, "close")
		case appLength:
			n, ok := decimal(trim(h.Value))
			if !ok || p.length >= 0 {
				return plan{}, &ResponseError{"invalid or repeated Content-Length (RFC 9110 §8.6)", h.Name}
			}
			p.length = n
		}
	}
	return p, nil
}

func validate(h asgi.Header) *ResponseError {
	switch {
	case h.Name == "" || !all(h.Name, isToken):
		return &ResponseError{"header name is not a token (RFC 9110 §5.1)", h.Name}
	case !cleanString(h.Value):
		return &ResponseError{"control character in a header value (RFC 9110 §5.5)", h.Name}
	}
	return nil
}

// AppendStart appends the head of the final response. It must come once per
// request and before the body. The error is a *ResponseError; nothing has
// happened then, and another response can be sent.
func (m *Machine) AppendStart(dst []byte, r *Response) ([]byte, error) {
	if err := m.permit(opStart); err != nil {
		return dst, err
	}
	if r.Status < 200 || r.Status > 599 {
		return dst, &ResponseError{Reason: "status " + strconv.Itoa(r.Status) + " is not final (RFC 9110 §15)"}
	}
	p, err := inspect(r.Headers)
	if err != nil {
		return dst, err
	}
	if !cleanString(r.Date) || !cleanString(r.Server) {
		return dst, &ResponseError{Reason: "control character in Date or Server (RFC 9110 §5.5)"}
	}
	how, length, err := m.frame(r, &p)
	if err != nil {
		return dst, err
	}

	if p.close || how == framedClose || m.last(r) {
		m.flags |= flagClose
	}
	if r.Trailers {
		m.flags |= flagExpected
	}
	m.flags &^= flagContinue
	m.out, m.framing, m.owed = outBody, how, max(length, 0)
	return m.appendHead(dst, r, &p, length), nil
}

// frame decides how the body is framed (RFC 9112 §6.3, RFC 9110 §8.6) and the
// Content-Length to write, or -1.
func (m *Machine) frame(r *Response, p *plan) (framing, int64, *ResponseError) {
	length := p.length
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

func (m *Machine) appendHead(dst []byte, r *Response, p *plan, length int64) []byte {
	dst = appendStatusLine(dst, r.Status)
	if r.Date != "" && !p.date {
		dst = appendField(dst, "Date", r.Date)
	}
	if r.Server != "" && !p.server {
		dst = appendField(dst, "Server", r.Server)
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
	case length >= 0:
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, length, 10)
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
