package http1

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"sort"
	"strings"
	"testing"
)

// viaNetHTTP reads raw with net/http up to its first error, or until a request
// asks to close.
func viaNetHTTP(raw []byte) []request {
	var all []request
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
		all = append(all, request{
			line:     fmt.Sprintf("%s %s %d", r.Method, r.RequestURI, r.ProtoMinor),
			host:     r.Host,
			body:     string(b),
			trailers: flatten(r.Trailer),
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

// agree checks that what the machine accepts, net/http accepts and frames the
// same way. The machine may accept less, never more.
func agree(t testing.TB, raw []byte) {
	t.Helper()
	got := run(t, nil, atEnd, raw)
	want := viaNetHTTP(raw)
	for i, r := range got.requests {
		if !r.ended {
			return
		}
		if i >= len(want) {
			t.Fatalf("%q\nrequest %d is accepted as %v\nand refused by net/http", clip(string(raw)), i, r)
		}
		ours := strings.Split(r.trailers, "|")
		sort.Strings(ours)
		w := want[i]
		if r.line != w.line || r.host != w.host || r.body != w.body || strings.Join(ours, "|") != w.trailers {
			t.Fatalf("%q\nrequest %d is %v\nand to net/http %v", clip(string(raw)), i, r, w)
		}
	}
}

// verdict checks that raw is refused with that status, or accepted (status 0)
// as so many complete requests, and that net/http does not contradict.
func verdict(t *testing.T, raw string, status, requests int) {
	t.Helper()
	agree(t, []byte(raw))
	agree(t, []byte(raw+nextRequest))
	if status != 0 {
		refused(t, nil, raw, status)
		return
	}
	got := runCut(t, nil, atEnd, raw)
	if got.err != nil || got.eof != nil || len(got.requests) != requests || requests > 0 && !got.requests[requests-1].ended {
		t.Fatalf("%q\nis %v\nwant %d requests", raw, got, requests)
	}
}
