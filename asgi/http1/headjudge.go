package http1

import "bytes"

// note remembers what a field says about framing and the connection.
func (h *Head) note(f field) {
	name, value := h.slice(f.name), h.slice(f.value)
	switch len(name) {
	case len("te"):
		if fold(name, "te") && listed(value, "trailers") {
			h.flags |= headTrailers
		}
	case len("host"):
		if fold(name, "host") {
			h.host = len(h.fields) - 1
			h.hosts++
		}
	case len("expect"):
		if fold(name, "expect") {
			h.noteExpect(value)
		}
	case len("upgrade"):
		if fold(name, "upgrade") && h.upgrade < 0 {
			h.upgrade = len(h.fields) - 1
		}
	case len("connection"):
		if fold(name, "connection") {
			h.noteConnection(value)
		}
	case len("content-length"):
		if fold(name, "content-length") {
			h.noteLength(value)
		}
	case len("transfer-encoding"):
		if fold(name, "transfer-encoding") {
			h.codings++
		}
	}
}

func (h *Head) noteExpect(value []byte) {
	if fold(value, "100-continue") {
		h.flags |= headContinue
	} else {
		h.flags |= headOtherExpect
	}
}

func (h *Head) noteConnection(list []byte) {
	for len(list) > 0 {
		var option []byte
		option, list = element(list)
		switch {
		case fold(option, "close"):
			h.flags |= headClose
		case fold(option, "keep-alive"):
			h.flags |= headKeepAlive
		case fold(option, "upgrade"):
			h.flags |= headUpgrade
		}
	}
}

func (h *Head) noteLength(value []byte) {
	h.lengths++
	n, ok := decimal(value)
	if !ok {
		h.flags |= headInvalidLength
	}
	h.length = n
}

// judge checks what takes the whole head: Host, the body's framing, Expect.
func (h *Head) judge(cfg *Config) *Error {
	if err := h.judgeHost(); err != nil {
		return err
	}
	if err := h.judgeFraming(); err != nil {
		return err
	}
	switch {
	case h.flags&headOtherExpect != 0:
		return errExpectation
	case !cfg.bodyFits(h.length):
		return errBodyLimit
	}
	return nil
}

// judgeHost: https://www.rfc-editor.org/rfc/rfc9112#section-3.2
//
// "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1
// request message that lacks a Host header field and to any request message
// that contains more than one Host header field line or a Host header field
// with an invalid field value." An empty Host is valid: clients send it for a
// target without authority.
func (h *Head) judgeHost() *Error {
	switch {
	case h.hosts > 1:
		return errManyHosts
	case h.hosts == 0 && h.minor > 0:
		return errNoHost
	case h.hosts == 0:
		return nil
	}
	if v := h.slice(h.fields[h.host].value); len(v) > 0 && !validAuthority(v) {
		return errHost
	}
	return nil
}

// judgeFraming: https://www.rfc-editor.org/rfc/rfc9112#section-6.3
//
// Both kinds of framing at once, and a repeated Content-Length even of equal
// values, are refused rather than repaired: the sender is an attack or broken.
func (h *Head) judgeFraming() *Error {
	switch {
	case h.codings > 0 && h.lengths > 0:
		return errBothLengths
	case h.codings > 0 && h.minor == 0:
		return errOldCoding
	case h.codings > 0:
		return h.judgeCoding()
	case h.lengths > 1:
		return errManyLengths
	case h.flags&headInvalidLength != 0:
		return errLength
	}
	return nil
}

// judgeCoding accepts one Transfer-Encoding field of exactly "chunked". For the
// rest it tells apart what leaves the length open, which MUST be 400, from a
// body whose end is known in a coding that is not, which SHOULD be 501.
func (h *Head) judgeCoding() *Error {
	exact, chunked, final := false, 0, false
	for _, f := range h.fields {
		if !fold(h.slice(f.name), "transfer-encoding") {
			continue
		}
		list := h.slice(f.value)
		exact = fold(list, "chunked")
		for more := true; more; more = len(list) > 0 {
			var coding []byte
			coding, list = element(list)
			if final = fold(coding, "chunked"); final {
				chunked++
			}
		}
	}
	switch {
	case h.codings == 1 && exact:
		h.flags |= headChunked
		return nil
	case chunked == 1 && final:
		return errCoding
	}
	return errFinalCoding
}

// validAuthority reports whether a is host [ ":" port ] (RFC 9110 §7.2), without
// userinfo. The host may be a registered name, an IPv4 address or an IPv6
// address in brackets. What else RFC 3986 §3.2.2 has, percent-encoded names and
// IP literals of the future, has no use in HTTP and many interpretations.
func validAuthority(a []byte) bool {
	host, port := a, []byte(nil)
	if a[0] == '[' {
		end := bytes.IndexByte(a, ']')
		if end < 0 || !validIPv6(a[1:end]) {
			return false
		}
		host, port = a[:end+1], a[end+1:]
	} else if i := bytes.IndexByte(a, ':'); i >= 0 {
		host, port = a[:i], a[i:]
	}
	if len(port) > 0 && (port[0] != ':' || !all(port[1:], isDigit)) {
		return false
	}
	return len(host) > 0 && (host[0] == '[' || all(host, isHost))
}

// validIPv6 reports whether a is an IPv6address (RFC 3986 §3.2.2): eight groups
// of up to four digits, one run of zero groups elided by "::", an IPv4 address
// in the place of the last two.
func validIPv6(a []byte) bool {
	groups, elided := 0, false
	if len(a) >= 2 && a[0] == ':' && a[1] == ':' {
		elided = true
		a = a[2:]
	}
groups:
	for len(a) > 0 {
		n := 0
		for n < len(a) && octets[a[n]]&isHex != 0 {
			n++
		}
		if n < len(a) && a[n] == '.' {
			if !validIPv4(a) {
				return false
			}
			groups += 2
			break groups
		}
		if n == 0 || n > 4 {
			return false
		}
		groups++
		a = a[n:]
		switch {
		case len(a) == 0:
		case a[0] != ':' || len(a) == 1:
			return false
		case a[1] == ':' && elided:
			return false
		case a[1] == ':':
			elided = true
			a = a[2:]
		default:
			a = a[1:]
		}
	}
	if elided {
		return groups < 8
	}
	return groups == 8
}

// validIPv4 reports whether a is four decimal octets without leading zeros.
func validIPv4(a []byte) bool {
	for part := range 4 {
		n := 0
		for n < len(a) && octets[a[n]]&isDigit != 0 {
			n++
		}
		v, ok := decimal(a[:n])
		if !ok || n > 3 || v > 255 || n > 1 && a[0] == '0' {
			return false
		}
		a = a[n:]
		if part < 3 {
			if len(a) == 0 || a[0] != '.' {
				return false
			}
			a = a[1:]
		}
	}
	return len(a) == 0
}
