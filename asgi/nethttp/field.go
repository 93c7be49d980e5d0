package nethttp

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gale-server/gale/asgi"
)

// checkStart validates a response's start and returns its Content-Length, or
// -1. net/http would repair or drop what is malformed, and nobody would know.
func checkStart(status int, headers []asgi.Header) (length int64, err error) {
	if status < 200 || status > 599 {
		return 0, errStatus
	}
	length = -1
	for _, h := range headers {
		if err := checkField(h); err != nil {
			return 0, err
		}
		if strings.EqualFold(h.Name, "content-length") {
			n, ok := parseLength(h.Value)
			if !ok || length >= 0 {
				return 0, errLength
			}
			length = n
		}
	}
	return length, nil
}

// stated reports whether there is a field of that name.
func stated(headers []asgi.Header, name string) bool {
	return slices.ContainsFunc(headers, func(h asgi.Header) bool { return strings.EqualFold(h.Name, name) })
}

// parseLength follows https://www.rfc-editor.org/rfc/rfc9110#section-8.6:
// digits, no sign.
func parseLength(s string) (n int64, ok bool) {
	s = strings.Trim(s, " \t")
	if s == "" || s[0] == '+' || s[0] == '-' {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// checkField says whether a field can stand on the wire as it is: then it
// cannot end its line either
// (https://www.rfc-editor.org/rfc/rfc9112#section-11.1).
func checkField(h asgi.Header) error {
	switch {
	case !isToken(h.Name):
		return errFieldName
	case !isFieldValue(h.Value):
		return errFieldValue
	}
	return nil
}

// isToken follows https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		b := s[i] | 0x20
		if ('a' > b || b > 'z') && ('0' > s[i] || s[i] > '9') && strings.IndexByte("!#$%&'*+-.^_`|~", s[i]) < 0 {
			return false
		}
	}
	return s != ""
}

// isFieldValue follows https://www.rfc-editor.org/rfc/rfc9110#section-5.5: no
// control character but the tab.
func isFieldValue(s string) bool {
	for i := range len(s) {
		if b := s[i]; b < ' ' && b != '\t' || b == 0x7f {
			return false
		}
	}
	return true
}

// lists reports whether a comma-separated list has an element, in any case.
func lists(list, element string) bool {
	for e := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(strings.Trim(e, " \t"), element) {
			return true
		}
	}
	return false
}

// makeHeader is the header of the held start. bodyBytes is the length of the
// whole body if it is known, else -1.
func (s *response) makeHeader(bodyBytes int64, persist bool) http.Header {
	header := make(http.Header, len(s.headers)+4)
	for _, h := range s.headers {
		name := http.CanonicalHeaderKey(h.Name)
		switch name {
		case "Transfer-Encoding", "Keep-Alive", "Proxy-Connection", "Te":
			continue // the connection's (RFC 9110 section 7.6.1)
		case "Connection":
			persist = persist && !lists(h.Value, "close")
			continue
		case "Upgrade":
			if s.status != http.StatusUpgradeRequired {
				continue
			}
			header.Add("Connection", "Upgrade") // RFC 9110 section 7.8
		case "Content-Length":
			// A value that was checked, without the spaces net/http would refuse.
			header[name] = []string{strconv.FormatInt(s.length, 10)}
			continue
		}
		header[name] = append(header[name], h.Value)
	}
	switch {
	case s.status == http.StatusNoContent:
		header.Del("Content-Length") // RFC 9110 section 8.6
	case s.status == http.StatusResetContent:
		header.Set("Content-Length", "0") // RFC 9110 section 15.3.6
	case s.head && bodyBytes == 0: // it says nothing about the body that a GET would have
	case s.length < 0 && bodyBytes >= 0 && s.status != http.StatusNotModified:
		header.Set("Content-Length", strconv.FormatInt(bodyBytes, 10))
	}
	if !persist && s.r.ProtoMajor < 2 {
		header.Set("Connection", "close")
	}
	for _, h := range s.h.cfg.Headers {
		if name := http.CanonicalHeaderKey(h.Name); !stated(s.headers, h.Name) {
			header[name] = append(header[name], h.Value)
		}
	}
	if _, ok := header["Content-Type"]; !ok {
		header["Content-Type"] = nil // net/http is not to guess
	}
	if _, ok := header["Server"]; !ok && s.h.cfg.Name != "" {
		header["Server"] = []string{s.h.cfg.Name}
	}
	return header
}
