package asgitest

import (
	"slices"
	"strings"

	"github.com/gale-server/gale/asgi"
)

// The order of fields that have different names: it means nothing in HTTP
// (https://www.rfc-editor.org/rfc/rfc9110#section-5.3), and much to a proxy or a
// signature.
var nameOrderCases = []testCase{
	{
		name:   "http/140 the order of header names is kept",
		clause: "headers: original order kept, of different names, too",
		link:   specHTTPScope,
		run: func(s *session) {
			asked(s, "/", requestHead("GET /", sentFields...), func(sc *asgi.Scope) error {
				return sameFields(slices.Collect(ownFields(sc)), seenFields)
			})
		},
	},
	{
		name:   "http/141 the order of response headers is kept",
		clause: "headers: an iterable of pairs; order is kept, of different names, too",
		link:   specStart,
		run: func(s *session) {
			s.serve(on("/", send(start(200, "set-cookie: a=1", "x-other: x", "set-cookie: b=2")), send(last(""))))
			r := s.dial().get("/").is(200, "")
			var order []string
			for _, h := range r.headers {
				if h.Name == "set-cookie" || h.Name == "x-other" {
					order = append(order, h.Name)
				}
			}
			if got := strings.Join(order, " "); got != "set-cookie x-other set-cookie" {
				s.tb.Errorf("client: order is %s", got)
			}
		},
	},
	{
		name:   "http/142 the order of trailers is kept",
		clause: "http.response.trailers: an iterable of pairs, as headers are",
		link:   specTrailers,
		run: func(s *session) {
			s.serve(on("/", send(startWithTrailers("trailer: x-sum, x-more")), send(last("body")), send(trailers("x-sum: 1", "x-more: 2"))))
			r := s.dial().get("/", "TE: trailers", "Connection: TE").is(200, "body")
			if want := fields("x-sum: 1", "x-more: 2"); !slices.Equal(r.trailers, want) {
				s.tb.Errorf("client: trailers are %v, want %v", r.trailers, want)
			}
		},
	},
}
