package http1

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gale-server/gale/asgi/internal/smuggling"
)

// TestSmuggling: a disguised framing field is either refused with 400 or 501
// and the connection is over, or it frames the message as it does to net/http;
// whatever it is, the request smuggled in the body never appears if net/http
// does not see it, too.
func TestSmuggling(t *testing.T) {
	cases := smuggling.Disguises()
	refusals := 0
	for _, tt := range cases {
		agree(t, []byte(tt.Raw))
		got := runCut(t, nil, atEnd, tt.Raw)
		if got.err == nil {
			continue
		}
		refusals++
		if got.err.Status != 400 && got.err.Status != 501 {
			t.Errorf("%s: %q\nrefused with %v", tt.Name, tt.Raw, got.err)
		}
		over(t, nil, tt.Raw)
	}
	t.Logf("%d requests, %d refused", len(cases), refusals)
	if refusals < len(cases)/2 {
		t.Errorf("only %d of %d refused: the table has lost its teeth", refusals, len(cases))
	}
}

// TestSmugglingByResponse: a body that was not read when the response ended is
// never taken for a request, whichever way its end is marked.
func TestSmugglingByResponse(t *testing.T) {
	const smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
	bodies := map[string]string{
		"length":  fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(smuggled), smuggled),
		"chunked": fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(smuggled), smuggled),
		"expect":  fmt.Sprintf("Expect: 100-continue\r\nContent-Length: %d\r\n\r\n%s", len(smuggled), smuggled),
	}
	for _, limit := range []int64{-1, 0, 5} {
		for name, b := range bodies {
			raw := "POST / HTTP/1.1\r\nHost: a\r\n" + b + nextRequest
			got := runCut(t, &Config{MaxDrainBytes: limit}, atRequest, raw)
			for _, r := range got.requests {
				if strings.Contains(r.line, "smuggled") {
					t.Errorf("%s, drain limit %d: %v", name, limit, got)
				}
			}
		}
	}
}
