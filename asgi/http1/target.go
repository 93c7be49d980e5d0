package http1

import "bytes"

// targetForm is one of the four forms of RFC 9112 §3.2.
type targetForm uint8

const (
	formOrigin    targetForm = iota // /path?query
	formAbsolute                    // http://authority/path?query
	formAuthority                   // host:port, for CONNECT
	formAsterisk                    // *, for OPTIONS
)

// CheckTarget judges the method and the target of a request as Next does, for who
// has read the request line by other means, and returns what Head.RawPath would.
// A nil cfg has the defaults. The error is an *Error.
func CheckTarget(method, target string, cfg *Config) (rawPath string, err error) {
	if cfg == nil {
		cfg = &defaults
	}
	switch {
	case len(method) > maxMethodBytes:
		return "", errMethodLimit
	case target == "":
		return "", errRequestLine
	case len(target) > cfg.maxTarget():
		return "", errTargetLimit
	}
	at := uint32(len(method))
	h := Head{data: []byte(method + target), method: span{0, at}}
	if err := h.parseTarget(h.data[at:], at); err != nil {
		return "", err
	}
	return string(h.RawPath()), nil
}

// CheckHost judges the value of a Host field as Next does: it may be empty. The
// error is an *Error.
func CheckHost(value string) error {
	if value != "" && !validAuthority([]byte(value)) {
		return errHost
	}
	return nil
}

// parseTarget reads the target t, which is not empty and begins at offset at of
// the head, and sets the form and the spans of path, query and authority.
func (h *Head) parseTarget(t []byte, at uint32) *Error {
	if !all(t, isTarget) {
		return errTarget
	}
	connect := string(h.Method()) == "CONNECT"
	switch {
	case connect:
		h.form = formAuthority
		if !validDestination(t) {
			return errAuthority
		}
		h.authority = span{at, at + uint32(len(t))}
		return nil
	case t[0] == '/':
		h.form = formOrigin
		return h.splitPath(t, at)
	case len(t) == 1 && t[0] == '*':
		if string(h.Method()) != "OPTIONS" {
			return errTargetForm
		}
		h.form = formAsterisk
		h.path = span{at, at + 1}
		return nil
	}
	return h.absolute(t, at)
}

// absolute reads the absolute-form, which a server must accept from anyone
// (RFC 9112 §3.2.2). Only the schemes of HTTP name something here.
func (h *Head) absolute(t []byte, at uint32) *Error {
	colon := bytes.IndexByte(t, ':')
	if colon < 0 || len(t) < colon+3 || t[colon+1] != '/' || t[colon+2] != '/' {
		return errTargetForm
	}
	if scheme := t[:colon]; !fold(scheme, "http") && !fold(scheme, "https") {
		return errTargetForm
	}
	h.form = formAbsolute
	from := colon + 3
	to := from
	for to < len(t) && t[to] != '/' && t[to] != '?' {
		to++
	}
	// An empty host is invalid here (RFC 9110 §4.2.1), userinfo is to be treated
	// as an error (RFC 9110 §4.2.4).
	if from == to || !validAuthority(t[from:to]) {
		return errAuthority
	}
	h.authority = span{at + uint32(from), at + uint32(to)}
	return h.splitPath(t[to:], at+uint32(to))
}

// splitPath sets path and query. The path's percent-encodings must be whole,
// since it will be decoded; a query is opaque, and "?q=100%" is common.
func (h *Head) splitPath(t []byte, at uint32) *Error {
	path := t
	end := at + uint32(len(t))
	h.query = span{end, end}
	if i := bytes.IndexByte(t, '?'); i >= 0 {
		path = t[:i]
		h.query.from = at + uint32(i) + 1
	}
	h.path = span{at, at + uint32(len(path))}
	for i := 0; ; i += 3 {
		next := bytes.IndexByte(path[i:], '%')
		if next < 0 {
			return nil
		}
		i += next
		if !escapeAt(path, i) {
			return errEscape
		}
	}
}

// escapeAt reports whether s[i:] begins with a percent-encoding.
func escapeAt(s []byte, i int) bool {
	return i+2 < len(s) && s[i] == '%' && octets[s[i+1]]&octets[s[i+2]]&isHex != 0
}

// validDestination reports whether t is the host and port of a CONNECT: "a
// server MUST reject a CONNECT request that targets an empty or invalid port
// number" (RFC 9110 §9.3.6).
func validDestination(t []byte) bool {
	i := bytes.LastIndexByte(t, ':')
	if i < 0 || !validAuthority(t) {
		return false
	}
	port, ok := decimal(t[i+1:])
	return ok && 0 < port && port <= 65535
}
