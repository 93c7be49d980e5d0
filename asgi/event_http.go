package asgi

import (
	"os"
	"slices"
)

// HTTPRequest ("http.request", receive) is a piece of the request body. It
// arrives at least once, with an empty body for a request that has none.
type HTTPRequest struct {
	Body     []byte
	MoreBody bool // more pieces follow
}

// HTTPDisconnect ("http.disconnect", receive) says that the client is gone or
// the response is complete. In coroutine form every later receive returns it
// again.
type HTTPDisconnect struct{}

// HTTPResponseStart ("http.response.start", send) begins the response. The
// server holds it until the first body event, so a failing application can
// still be answered for with 500.
//
// A Transfer-Encoding field is ignored: framing is the server's. Without a
// Content-Length the body is sent chunked, or with the length of a body that is
// complete in one event.
type HTTPResponseStart struct {
	Status   int
	Headers  []Header
	Trailers bool // HTTPResponseTrailers follows the body
}

// HTTPResponseBody ("http.response.body", send) is a piece of the response
// body; the one without MoreBody ends the response, unless trailers follow.
type HTTPResponseBody struct {
	Body     []byte
	MoreBody bool
	Lifetime Lifetime // of Body
}

// HTTPResponseTrailers ("http.response.trailers", send) are the fields after
// the body. They go on the wire only when the request has "TE: trailers" and
// the body is chunked. The application writes the Trailer field itself.
//
// See https://asgi.readthedocs.io/en/latest/extensions.html#http-trailers.
type HTTPResponseTrailers struct {
	Headers      []Header
	MoreTrailers bool
}

// HTTPEarlyHint ("http.response.early_hint", send) sends 103 Early Hints
// (RFC 8297), each link the value of one Link field. It is legal until the
// first body event; a client of HTTP/1.0 never sees it.
type HTTPEarlyHint struct {
	Links []string
}

// HTTPResponsePathSend ("http.response.pathsend", send) completes the response
// with the contents of a file. Path is absolute. The application gives
// Content-Length and Content-Type.
//
// See https://asgi.readthedocs.io/en/latest/extensions.html#path-send.
type HTTPResponsePathSend struct {
	Path string
}

// HTTPResponseZeroCopySend ("http.response.zerocopysend", send) sends Count
// bytes of File from Offset as a piece of the body. A negative Offset means the
// file's current position, a negative Count everything to its end. The
// application closes the file, when Send has returned or later.
//
// See https://asgi.readthedocs.io/en/latest/extensions.html#zero-copy-send.
type HTTPResponseZeroCopySend struct {
	File     *os.File
	Offset   int64
	Count    int64
	MoreBody bool
}

func (*HTTPRequest) EventType() string              { return "http.request" }
func (*HTTPDisconnect) EventType() string           { return "http.disconnect" }
func (*HTTPResponseStart) EventType() string        { return "http.response.start" }
func (*HTTPResponseBody) EventType() string         { return "http.response.body" }
func (*HTTPResponseTrailers) EventType() string     { return "http.response.trailers" }
func (*HTTPEarlyHint) EventType() string            { return "http.response.early_hint" }
func (*HTTPResponsePathSend) EventType() string     { return "http.response.pathsend" }
func (*HTTPResponseZeroCopySend) EventType() string { return "http.response.zerocopysend" }

func (e *HTTPRequest) receiveSymbol() symbol {
	if e.MoreBody {
		return symRequestMore
	}
	return symRequestLast
}

func (*HTTPDisconnect) receiveSymbol() symbol { return symHTTPDisconnect }

func (e *HTTPResponseStart) sendSymbol() symbol {
	if e == nil {
		return symNil
	}
	if e.Trailers {
		return symStartTrailers
	}
	return symStart
}

func (e *HTTPResponseBody) sendSymbol() symbol {
	if e == nil {
		return symNil
	}
	if e.MoreBody {
		return symBodyMore
	}
	return symBodyLast
}

func (e *HTTPResponseTrailers) sendSymbol() symbol {
	if e == nil {
		return symNil
	}
	if e.MoreTrailers {
		return symTrailersMore
	}
	return symTrailersLast
}

func (e *HTTPEarlyHint) sendSymbol() symbol        { return given(e != nil, symEarlyHint) }
func (e *HTTPResponsePathSend) sendSymbol() symbol { return given(e != nil, symPathSend) }

func (e *HTTPResponseZeroCopySend) sendSymbol() symbol {
	if e == nil {
		return symNil
	}
	if e.MoreBody {
		return symBodyMore
	}
	return symBodyLast
}

func (e *HTTPRequest) clone() Event {
	return &HTTPRequest{Body: slices.Clone(e.Body), MoreBody: e.MoreBody}
}

func (*HTTPDisconnect) clone() Event { return &HTTPDisconnect{} }

func (e *HTTPResponseStart) clone() Event {
	return &HTTPResponseStart{Status: e.Status, Headers: slices.Clone(e.Headers), Trailers: e.Trailers}
}

func (e *HTTPResponseBody) clone() Event {
	return &HTTPResponseBody{Body: clonePayload(e.Body, e.Lifetime), MoreBody: e.MoreBody, Lifetime: e.Lifetime}
}

func (e *HTTPResponseTrailers) clone() Event {
	return &HTTPResponseTrailers{Headers: slices.Clone(e.Headers), MoreTrailers: e.MoreTrailers}
}

func (e *HTTPEarlyHint) clone() Event        { return &HTTPEarlyHint{Links: slices.Clone(e.Links)} }
func (e *HTTPResponsePathSend) clone() Event { return &HTTPResponsePathSend{Path: e.Path} }

func (e *HTTPResponseZeroCopySend) clone() Event {
	c := *e
	return &c
}
