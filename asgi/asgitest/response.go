package asgitest

import (
	"io"
	"os"
	"testing"

	"github.com/gale-server/gale/asgi"
)

// Response is an HTTP response, or a WebSocket's denial, as the application
// sent it: before any framing, and without fields that a server would add.
//
// Not safe for concurrent use.
type Response struct {
	Status   int // 0: not started
	Headers  []asgi.Header
	Body     []byte // contents of files included
	Trailers []asgi.Header
	Complete bool
	Err      error // what the application ended with
}

// Header returns the value of the first field called name, which must be as
// the application wrote it, or "".
func (r *Response) Header(name string) string {
	for _, h := range r.Headers {
		if h.Name == name {
			return h.Value
		}
	}
	return ""
}

// Get makes a GET request of h and returns the whole response. It waits for
// handlers that run off the loop; one that does not answer fails the test.
func Get(tb testing.TB, h asgi.Handler, target string, headers ...asgi.Header) *Response {
	tb.Helper()
	return Do(tb, h, HTTPScope("GET", target, headers...), nil)
}

// Do makes a request of h with a body and returns the whole response, as Get
// does. The response of an application that ended early is not Complete.
func Do(tb testing.TB, h asgi.Handler, scope *asgi.Scope, body []byte) *Response {
	tb.Helper()
	x := New(tb, h, scope)
	x.Deliver(&asgi.HTTPRequest{Body: body})
	x.Wait("the response", func() bool { return x.ended || x.order.Complete() })
	return x.Response()
}

// Response returns what has been sent of the response so far.
func (x *Exchange) Response() *Response {
	r := x.response
	r.Complete = x.order.Complete()
	r.Err = x.result
	return &r
}

// add collects a send event. Files are read at once: the application may close
// them when Send has returned.
func (r *Response) add(tb testing.TB, ev asgi.SendEvent) {
	tb.Helper()
	switch e := asgi.CloneSend(ev).(type) {
	case *asgi.HTTPResponseStart:
		r.Status, r.Headers = e.Status, e.Headers
	case *asgi.WebSocketDenialStart:
		r.Status, r.Headers = e.Status, e.Headers
	case *asgi.HTTPResponseBody:
		r.Body = append(r.Body, e.Body...)
	case *asgi.WebSocketDenialBody:
		r.Body = append(r.Body, e.Body...)
	case *asgi.HTTPResponseTrailers:
		r.Trailers = append(r.Trailers, e.Headers...)
	case *asgi.HTTPResponsePathSend:
		p, err := os.ReadFile(e.Path)
		if err != nil {
			tb.Errorf("asgitest: http.response.pathsend: %v", err)
		}
		r.Body = append(r.Body, p...)
	case *asgi.HTTPResponseZeroCopySend:
		p, err := readPart(e)
		if err != nil {
			tb.Errorf("asgitest: http.response.zerocopysend: %v", err)
		}
		r.Body = append(r.Body, p...)
	}
}

func readPart(e *asgi.HTTPResponseZeroCopySend) ([]byte, error) {
	var from io.Reader = e.File
	if e.Offset >= 0 {
		from = io.NewSectionReader(e.File, e.Offset, 1<<62)
	}
	if e.Count >= 0 {
		from = io.LimitReader(from, e.Count)
	}
	return io.ReadAll(from)
}
