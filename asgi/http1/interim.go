package http1

import (
	"strconv"

	"github.com/gale-server/gale/asgi"
)

// AppendContinue appends a 100 (Continue) if the client waits for one, and
// nothing otherwise. Send it when the application first asks for the body: a
// request refused before that costs no upload (RFC 9110 §10.1.1).
func (m *Machine) AppendContinue(dst []byte) []byte {
	if !m.NeedContinue() {
		return dst
	}
	m.flags &^= flagContinue
	return append(dst, "HTTP/1.1 100 Continue\r\n\r\n"...)
}

// AppendEarlyHints appends a 103 (Early Hints) with one Link field per link. It
// appends nothing without links and to HTTP/1.0 clients, which know no interim
// responses (RFC 9110 §15.2). The error is a *ResponseError: the final response
// has begun, or a link is malformed.
func (m *Machine) AppendEarlyHints(dst []byte, links []string) ([]byte, error) {
	if err := m.permit(opHints); err != nil {
		return dst, err
	}
	for _, link := range links {
		if !cleanString(link) {
			return dst, &ResponseError{"control character in a header value (RFC 9110 §5.5)", "link"}
		}
	}
	if len(links) == 0 || m.flags&flagOld != 0 {
		return dst, nil
	}
	dst = appendStatusLine(dst, 103)
	for _, link := range links {
		dst = appendField(dst, "Link", link)
	}
	return append(dst, "\r\n"...), nil
}

// AppendUpgrade appends a 101 (Switching Protocols) with the headers, one of
// which must be Upgrade; Connection is added. From then on Next reports
// Switched: what follows the request belongs to the new protocol. The error is a
// *ResponseError: the request does not allow an upgrade (see Head.Upgrade), the
// response has begun, or a header is malformed.
func (m *Machine) AppendUpgrade(dst []byte, headers []asgi.Header) ([]byte, error) {
	if err := m.permit(opUpgrade); err != nil {
		return dst, err
	}
	if m.flags&flagUpgrade == 0 || m.in != inEnd && m.in != inDone {
		return dst, &ResponseError{Reason: "the request cannot be upgraded (RFC 9110 §7.8)"}
	}
	p, err := inspect(headers)
	if err != nil {
		return dst, err
	}
	if !p.upgrade {
		return dst, &ResponseError{Reason: "101 without Upgrade (RFC 9110 §15.2.2)"}
	}
	dst = appendStatusLine(dst, 101)
	dst = append(dst, "Connection: Upgrade\r\n"...)
	for _, h := range headers {
		switch classifyHeader(h.Name) {
		case appDrop, appLength, appClose, appTrailer: // a 101 has no body
		default:
			dst = appendField(dst, h.Name, h.Value)
		}
	}
	m.out, m.in = outDone, inSwitched
	return append(dst, "\r\n"...), nil
}

// AppendError appends a complete response of that status, 400 to 599 (500 for
// any other), with its reason phrase as the body, and ends the connection: Next reports Closed from
// then on. It is the answer to an Error of Next, to a timeout and to a
// connection too many. Where a final response has already begun it appends
// nothing; the caller can only close. date and server become fields where not
// empty.
func (m *Machine) AppendError(dst []byte, status int, date, server string) []byte {
	begun := m.out != outIdle && m.out != outHead
	head := m.flags&flagHead != 0
	m.close()
	m.out = outDone
	m.flags |= flagClose
	if begun {
		return dst
	}
	if status < 400 || status > 599 {
		status = 500
	}
	text := reason(status)
	dst = appendStatusLine(dst, status)
	if date != "" {
		dst = appendField(dst, "Date", date)
	}
	if server != "" {
		dst = appendField(dst, "Server", server)
	}
	dst = append(dst, "Content-Type: text/plain; charset=utf-8\r\nContent-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(text)+1), 10)
	dst = append(dst, "\r\nConnection: close\r\n\r\n"...)
	if head {
		return dst
	}
	dst = append(dst, text...)
	return append(dst, '\n')
}
