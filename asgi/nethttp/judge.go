package nethttp

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/gale-server/gale/asgi/http1"
)

// requestError is what the peer did wrong, of what net/http lets pass.
type requestError struct {
	status int
	reason string
}

func (e *requestError) Error() string   { return "nethttp: " + e.reason }
func (e *requestError) HTTPStatus() int { return e.status }

var (
	errVersion    = &requestError{505, "HTTP version is not supported (RFC 9110 §15.6.6)"}
	errFieldLimit = &requestError{431, "too many field lines (RFC 6585 §5)"}
	errBodyLimit  = &requestError{413, "body is too large (RFC 9110 §15.5.14)"}
)

// judge holds a request to the rules that the machine of HTTP/1.1 has beyond
// those of net/http, and returns its path as it was sent.
func (h *Handler) judge(r *http.Request) (path string, err error) {
	sent := r.RequestURI
	if sent == "" { // a request that was made by hand
		sent = r.URL.RequestURI()
	}
	path, err = http1.CheckTarget(r.Method, sent, &http1.Config{MaxTargetBytes: h.cfg.MaxTargetBytes})
	switch {
	case !isServed(r):
		return "", errVersion
	case err != nil:
		return "", err
	case countFields(r) > h.cfg.MaxFields:
		return "", errFieldLimit
	case r.ContentLength > h.cfg.MaxBodyBytes:
		return "", errBodyLimit
	}
	return remainingPath(r, path), http1.CheckHost(r.Host)
}

// isServed reports whether the version is: HTTP/1.0, HTTP/1.1 and, by net/http
// alone, HTTP/2, whose preface it also passes on as a request
// (https://www.rfc-editor.org/rfc/rfc9113#section-11.6 reserves its method).
func isServed(r *http.Request) bool {
	return r.Method != "PRI" && (r.ProtoMajor != 1 || r.ProtoMinor <= 1)
}

// countFields counts the field lines; net/http has taken Host and
// Transfer-Encoding out of the header.
func countFields(r *http.Request) int {
	n := len(r.TransferEncoding)
	if r.Host != "" {
		n++
	}
	if len(r.Trailer) > 0 {
		n++
	}
	for _, values := range r.Header {
		n += len(values)
	}
	return n
}

// remainingPath is the path that was sent, less the prefix that middleware, as
// http.StripPrefix, has taken off the URL. What was rewritten in another way is
// encoded anew.
func remainingPath(r *http.Request, sent string) string {
	if sent == "/" || sent == "*" { // an empty path, in some forms of a target
		return sent
	}
	decoded, _ := url.PathUnescape(sent) // it was judged
	prefix, ok := strings.CutSuffix(decoded, r.URL.Path)
	if !ok {
		return r.URL.EscapedPath()
	}
	for range len(prefix) {
		if sent[0] == '%' {
			sent = sent[2:]
		}
		sent = sent[1:]
	}
	return sent
}
