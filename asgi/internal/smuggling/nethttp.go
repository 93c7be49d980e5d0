package smuggling

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"sort"
	"strings"
)

// Request is one request as net/http sees it.
//
// Safe for concurrent use: only read.
type Request struct {
	Method, Target string
	Minor          int
	Host           string
	Body           string
	Trailers       string // name=value, in order of the names, with | between
}

// ByNetHTTP reads raw with net/http up to its first error, or until a request
// asks to close.
func ByNetHTTP(raw []byte) []Request {
	var all []Request
	br := bufio.NewReaderSize(bytes.NewReader(raw), 1<<20)
	for {
		// net/http does not skip the empty line that RFC 9112 §2.2 lets it.
		if p, _ := br.Peek(2); string(p) == "\r\n" {
			br.Discard(2)
		}
		r, err := http.ReadRequest(br)
		if err != nil {
			return all
		}
		b, err := io.ReadAll(r.Body)
		if err != nil || r.ProtoMajor != 1 {
			return all
		}
		all = append(all, Request{
			Method:   r.Method,
			Target:   r.RequestURI,
			Minor:    r.ProtoMinor,
			Host:     r.Host,
			Body:     string(b),
			Trailers: flatten(r.Trailer),
		})
		if r.Close {
			return all
		}
	}
}

func flatten(h http.Header) string {
	var parts []string
	for name, values := range h {
		for _, v := range values {
			parts = append(parts, strings.ToLower(name)+"="+v)
		}
	}
	sort.Strings(parts)
	return strings.Join(parts, "|")
}
