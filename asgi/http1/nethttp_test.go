package http1

import (
	"fmt"
	"sort"
	"strings"
	"testing"

	"github.com/gale-server/gale/asgi/internal/smuggling"
)

// agree checks that what the machine accepts, net/http accepts and frames the
// same way. The machine may accept less, never more.
func agree(t testing.TB, raw []byte) {
	t.Helper()
	got := run(t, nil, atEnd, raw)
	want := smuggling.ByNetHTTP(raw)
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
		line := fmt.Sprintf("%s %s %d", w.Method, w.Target, w.Minor)
		if r.line != line || r.host != w.Host || r.body != w.Body || strings.Join(ours, "|") != w.Trailers {
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
