package nethttp

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/gale-server/gale/asgi"
)

// responseWriter is the http.ResponseWriter of a handler that runs as an
// application. A body that fits its buffer goes out in one event, with its
// length.
//
// Not safe for concurrent use.
type responseWriter struct {
	ctx   context.Context
	scope *asgi.Scope
	send  asgi.Send

	header   http.Header
	wrote    bool        // WriteHeader was called
	status   int         // then
	fixed    http.Header // the header as it was then
	started  bool        // the start is sent
	trailing bool        // it announced trailers
	buf      []byte
	length   int64 // Content-Length, or -1
	written  int64
	err      error // of a send; sticky
}

// bufferBytes is what a response gathers before it is sent.
const bufferBytes = 4 << 10

func newResponseWriter(ctx context.Context, scope *asgi.Scope, send asgi.Send) *responseWriter {
	return &responseWriter{ctx: ctx, scope: scope, send: send, header: http.Header{}, length: -1}
}

func (w *responseWriter) Header() http.Header { return w.header }

// WriteHeader fixes status and header. Before that, 103 sends the Link fields;
// other interim responses are the server's business. A second call is ignored.
func (w *responseWriter) WriteHeader(status int) {
	switch {
	case status < 100 || status > 999:
		panic(fmt.Sprintf("nethttp: invalid WriteHeader code %d", status))
	case w.wrote:
		return
	case status == http.StatusEarlyHints:
		w.hint()
		return
	case status < 200 && status != http.StatusSwitchingProtocols:
		return
	}
	w.wrote, w.status, w.fixed = true, status, w.header.Clone()
	if lengths := w.fixed["Content-Length"]; len(lengths) == 1 {
		if n, ok := parseLength(lengths[0]); ok {
			w.length = n
		}
	}
}

func (w *responseWriter) hint() {
	if links := w.header["Link"]; len(links) > 0 && w.scope.Supports(asgi.ExtEarlyHint) {
		w.emit(&asgi.HTTPEarlyHint{Links: links})
	}
}

func (w *responseWriter) emit(ev asgi.SendEvent) {
	if w.err == nil {
		w.err = w.send(w.ctx, ev)
	}
}

// Write sends p when the buffer is full. It blocks while the client takes
// nothing, and fails once it is gone.
func (w *responseWriter) Write(p []byte) (int, error) {
	if !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
	switch {
	case w.err != nil:
		return 0, w.err
	case len(p) == 0:
		return 0, nil
	case w.status == http.StatusNoContent || w.status == http.StatusNotModified:
		return 0, http.ErrBodyNotAllowed
	case w.length >= 0 && w.written+int64(len(p)) > w.length:
		return 0, http.ErrContentLength
	}
	w.written += int64(len(p))
	if len(w.buf)+len(p) <= bufferBytes {
		w.buf = append(w.buf, p...)
		return len(p), nil
	}
	if len(w.buf) > 0 {
		w.push()
	}
	if len(p) < bufferBytes {
		w.buf = append(w.buf, p...)
	} else {
		w.start(false, p)
		w.body(p, true)
	}
	if w.err != nil {
		return 0, w.err
	}
	return len(p), nil
}

// push sends what is buffered.
func (w *responseWriter) push() {
	w.start(false, w.buf)
	if len(w.buf) > 0 {
		w.body(w.buf, true)
		w.buf = w.buf[:0] // the event may be reused
	}
}

// Flush sends what is buffered; so does FlushError, which says whether it
// succeeded.
func (w *responseWriter) Flush() { _ = w.FlushError() }

func (w *responseWriter) FlushError() error {
	if !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
	if !w.started && len(w.buf) == 0 {
		w.start(false, nil)
		w.body(nil, true) // the start goes out with the first body
	}
	w.push()
	return w.err
}

// EnableFullDuplex has nothing to do: a handler may always read on while it
// writes.
func (w *responseWriter) EnableFullDuplex() error { return nil }

// start sends the start, once. first is the beginning of the body, by which its
// type is guessed as net/http does; last says that it is all of it.
func (w *responseWriter) start(last bool, first []byte) {
	if w.started {
		return
	}
	w.started = true
	w.trailing = w.takesTrailers() && (!last || len(w.trailers()) > 0)
	if _, typed := w.fixed["Content-Type"]; !typed && len(first) > 0 &&
		w.fixed.Get("Content-Encoding") == "" && w.fixed.Get("Transfer-Encoding") == "" {
		w.fixed.Set("Content-Type", http.DetectContentType(first))
	}
	headers := toHeaders(w.fixed)
	if w.scope.Type == asgi.ScopeWebSocket {
		w.emit(&asgi.WebSocketDenialStart{Status: w.status, Headers: headers})
		return
	}
	w.emit(&asgi.HTTPResponseStart{Status: w.status, Headers: headers, Trailers: w.trailing})
}

func (w *responseWriter) body(p []byte, more bool) {
	if w.scope.Type == asgi.ScopeWebSocket {
		w.emit(&asgi.WebSocketDenialBody{Body: p, MoreBody: more})
		return
	}
	w.emit(&asgi.HTTPResponseBody{Body: p, MoreBody: more})
}

// finish completes the response when the handler has returned.
func (w *responseWriter) finish() error {
	if !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
	w.start(true, w.buf)
	w.body(w.buf, false)
	if w.trailing {
		w.emit(&asgi.HTTPResponseTrailers{Headers: w.trailers()})
	}
	return w.err
}

// takesTrailers reports whether trailers can be sent and are wanted.
func (w *responseWriter) takesTrailers() bool {
	te, _ := w.scope.Header("te")
	return lists(te, "trailers") && w.scope.Supports(asgi.ExtTrailers)
}

// trailers are the fields that the Trailer field announced, and those with
// http.TrailerPrefix.
func (w *responseWriter) trailers() []asgi.Header {
	var fields []asgi.Header
	for _, list := range w.fixed["Trailer"] {
		for name := range strings.SplitSeq(list, ",") {
			name = strings.ToLower(strings.Trim(name, " \t"))
			for _, value := range w.header[http.CanonicalHeaderKey(name)] {
				fields = append(fields, asgi.Header{Name: name, Value: value})
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(w.header)) {
		if name, ok := strings.CutPrefix(key, http.TrailerPrefix); ok {
			for _, value := range w.header[key] {
				fields = append(fields, asgi.Header{Name: strings.ToLower(name), Value: value})
			}
		}
	}
	return fields
}

// toHeaders sorts the fields by name, as net/http does, and leaves out what is
// a trailer.
func toHeaders(header http.Header) []asgi.Header {
	headers := make([]asgi.Header, 0, len(header))
	for _, key := range slices.Sorted(maps.Keys(header)) {
		if strings.HasPrefix(key, http.TrailerPrefix) {
			continue
		}
		name := strings.ToLower(key)
		for _, value := range header[key] {
			headers = append(headers, asgi.Header{Name: name, Value: value})
		}
	}
	return headers
}
