package server

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/http1"
)

// "After an error the exchange is as it was": of a refused piece nothing is on
// the wire, however large it is, and the response can still be another one.
func TestRefusedPieceLeavesNothing(t *testing.T) {
	for _, size := range []int{100, copyBelow, 3 * copyBelow} {
		for _, started := range []bool{false, true} {
			t.Run(strconv.Itoa(size)+" started "+strconv.FormatBool(started), func(t *testing.T) {
				h := &record{}
				c := newBench(t, Config{Handler: h}).dial()
				c.Feed(get)
				x := h.x
				x.Post(func() {
					length := asgi.Header{Name: "content-length", Value: strconv.Itoa(size + 5)}
					must(t, x.Send(&asgi.HTTPResponseStart{Status: 200, Headers: []asgi.Header{length}}))
					if started {
						must(t, x.Send(&asgi.HTTPResponseBody{Body: []byte("12345")[:2], MoreBody: true}))
					}
					body := []byte(strings.Repeat("z", size))
					var refused *http1.ResponseError
					for _, p := range [][]byte{body, append(body, "too long"...)} {
						if err := x.Send(&asgi.HTTPResponseBody{Body: p}); !errors.As(err, &refused) {
							t.Errorf("%d bytes: %v", len(p), err)
						}
					}
					if !started {
						x.End(errors.New("x"))
						return
					}
					must(t, x.Send(&asgi.HTTPResponseBody{Body: []byte(strings.Repeat("y", size+3))}))
				})
				c.Run()
				out := c.Output()
				if strings.Contains(out, "zz") {
					t.Fatal("a part of the refused body is on the wire")
				}
				if !started {
					wantStatus(t, out, "500")
				} else if !strings.HasSuffix(out, "\r\n\r\n12"+strings.Repeat("y", size+3)) {
					t.Fatalf("%d bytes, %.200q", len(out), out)
				}
				wantOpen(t, c)
			})
		}
	}
}
