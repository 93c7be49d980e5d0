package http1

import "github.com/gale-server/gale/asgi"

// Head is a request head as Machine.Next fills it in: spans over the head's
// octets, no copies. It is scratch of the caller, reused for every request of a
// loop; the zero value is ready. What its methods return is valid until the
// next call of any machine's Next with the same Head, and only as long as the
// bytes given to that Next are unchanged; Copy makes what outlives both.
//
// Not safe for concurrent use.
type Head struct {
	data   []byte // the head, through its empty line
	fields []field
	lines  int // complete lines seen, the request line included

	method, target, path, query, authority span

	length  int64 // Content-Length, or -1
	host    int   // index into fields, or -1
	upgrade int   // index into fields, or -1
	hosts   int   // how many Host fields
	lengths int   // how many Content-Length fields
	codings int   // how many Transfer-Encoding fields
	form    targetForm
	minor   uint8
	flags   headFlags
}

type span struct{ from, to uint32 }

type field struct{ name, value span }

type headFlags uint8

const (
	headClose         headFlags = 1 << iota // Connection: close
	headKeepAlive                           // Connection: keep-alive
	headUpgrade                             // Connection: upgrade
	headContinue                            // Expect: 100-continue
	headOtherExpect                         // Expect: anything else
	headTrailers                            // TE: trailers
	headChunked                             // Transfer-Encoding: chunked, and nothing else
	headInvalidLength                       // a Content-Length that is not a number
)

// reset forgets the previous head and keeps its memory.
func (h *Head) reset() {
	*h = Head{fields: h.fields[:0], length: -1, host: -1, upgrade: -1}
}

func (h *Head) slice(s span) []byte { return h.data[s.from:s.to:s.to] }

// Method is the request method, case-sensitive.
func (h *Head) Method() []byte { return h.slice(h.method) }

// Target is the request target as it was sent.
func (h *Head) Target() []byte { return h.slice(h.target) }

var slash, asterisk = []byte("/"), []byte("*")

// RawPath is the path of the target, percent-encoded, without the query: "*"
// for the asterisk-form, empty for the authority-form of CONNECT, and never
// empty otherwise.
func (h *Head) RawPath() []byte {
	if h.form == formAbsolute && h.path.from == h.path.to {
		// https://www.rfc-editor.org/rfc/rfc9112#section-3.2.4
		if h.query.from == h.query.to && string(h.Method()) == "OPTIONS" {
			return asterisk
		}
		return slash
	}
	return h.slice(h.path)
}

// Query is what follows the first question mark of the target, or empty.
func (h *Head) Query() []byte { return h.slice(h.query) }

// Minor is the minor version: 1 for HTTP/1.1, 0 for HTTP/1.0.
func (h *Head) Minor() int { return int(h.minor) }

// NumFields is the number of field lines.
func (h *Head) NumFields() int { return len(h.fields) }

// Field is the i-th field line as it was sent, whitespace around the value removed.
func (h *Head) Field(i int) (name, value []byte) {
	f := h.fields[i]
	return h.slice(f.name), h.slice(f.value)
}

// Lookup finds the first field of that lower-case name, in any case.
func (h *Head) Lookup(name string) (value []byte, ok bool) {
	for _, f := range h.fields {
		if fold(h.slice(f.name), name) {
			return h.slice(f.value), true
		}
	}
	return nil, false
}

// Host is the effective authority: that of the target where it has one, which
// replaces the Host field (RFC 9112 §3.2.2), else the Host field, else nil.
func (h *Head) Host() []byte {
	switch {
	case h.authority.from < h.authority.to:
		return h.slice(h.authority)
	case h.host >= 0:
		return h.slice(h.fields[h.host].value)
	}
	return nil
}

// ContentLength is the value of Content-Length; ok is false without one.
func (h *Head) ContentLength() (n int64, ok bool) { return h.length, h.length >= 0 }

// Chunked reports whether the body is chunked.
func (h *Head) Chunked() bool { return h.flags&headChunked != 0 }

// HasBody reports whether octets of a body follow: chunked, or a positive
// Content-Length, whatever the method.
func (h *Head) HasBody() bool { return h.Chunked() || h.length > 0 }

// ExpectContinue reports whether the client waits for a 100 (Continue). In
// HTTP/1.0, and without a body, the expectation is ignored (RFC 9110 §10.1.1).
func (h *Head) ExpectContinue() bool {
	return h.flags&headContinue != 0 && h.minor > 0 && h.HasBody()
}

// AcceptsTrailers reports whether the client said TE: trailers.
func (h *Head) AcceptsTrailers() bool { return h.flags&headTrailers != 0 }

// KeepAlive reports whether the client lets the connection persist (RFC 9112 §9.3).
func (h *Head) KeepAlive() bool {
	if h.flags&headClose != 0 {
		return false
	}
	return h.minor > 0 || h.flags&headKeepAlive != 0
}

// ConnectionHas reports whether a Connection field lists that lower-case option.
func (h *Head) ConnectionHas(option string) bool {
	for _, f := range h.fields {
		if fold(h.slice(f.name), "connection") && listed(h.slice(f.value), option) {
			return true
		}
	}
	return false
}

// Upgrade is the value of the Upgrade field if the request may be upgraded: it
// must be HTTP/1.1, list "upgrade" in Connection and have no body, so that what
// follows its head belongs to the new protocol. Otherwise it is nil, and the
// request is to be answered as if it had not asked (RFC 9110 §7.8).
func (h *Head) Upgrade() []byte {
	if h.upgrade < 0 || h.minor == 0 || h.flags&headUpgrade == 0 || h.HasBody() {
		return nil
	}
	return h.slice(h.fields[h.upgrade].value)
}

// Copy makes the strings of a scope. The headers are appended to dst with their
// names in lower case; where the target has an authority, the host header has
// it as its value (a request without one gets one). The strings of a head of up to
// 1 KiB share one allocation, those of a larger one have several, so that who keeps
// one string keeps little of the others; a dst without room is another.
func (h *Head) Copy(dst []asgi.Header) (method, rawPath, query string, headers []asgi.Header) {
	t := newText(h.data, h.fields)

	method = commonMethod(h.Method())
	if method == "" {
		method = t.of(h.method)
	}
	switch p := h.RawPath(); {
	case h.path.from < h.path.to:
		rawPath = t.of(h.path)
	case len(p) > 0:
		rawPath = string(p) // "/" or "*": no allocation for one octet
	}
	query = t.of(h.query)

	authority := t.of(h.authority)
	hostless := authority != "" && h.host < 0
	n := len(h.fields)
	if hostless {
		n++
	}
	headers = dst
	if n > cap(dst)-len(dst) {
		headers = append(make([]asgi.Header, 0, len(dst)+n), dst...)
	}
	if hostless {
		headers = append(headers, asgi.Header{Name: "host", Value: authority})
	}
	for i, f := range h.fields {
		value := authority
		if i != h.host || authority == "" {
			value = t.of(f.value)
		}
		headers = append(headers, asgi.Header{Name: t.name(f.name), Value: value})
	}
	return method, rawPath, query, headers
}

// commonMethod is a constant for the methods of RFC 9110 and PATCH, or "".
func commonMethod(m []byte) string {
	switch string(m) {
	case "GET":
		return "GET"
	case "HEAD":
		return "HEAD"
	case "POST":
		return "POST"
	case "PUT":
		return "PUT"
	case "DELETE":
		return "DELETE"
	case "OPTIONS":
		return "OPTIONS"
	case "PATCH":
		return "PATCH"
	case "CONNECT":
		return "CONNECT"
	case "TRACE":
		return "TRACE"
	}
	return ""
}
