package nethttp

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/gale-server/gale/asgi"
)

// Application makes an ASGI application of an http.Handler: a ServeMux, chi,
// gin, echo. It blocks as such handlers do, so it runs on a goroutine:
//
//	h := asgi.Goroutine(nethttp.Application(router), nil)
//
// The handler gets the request with its body streamed and a context that is
// cancelled when the client leaves. On the event loop a client that closes its
// connection is seen to leave when something is written to it, as a heartbeat
// is, or at once with server.Config's HalfCloseDisconnects, which is what net/http
// does; a client that resets it, at once. Its http.ResponseWriter streams, is an
// http.Flusher, sends trailers to clients that take them and 103 Early Hints.
// It cannot be hijacked, and its deadlines cannot be set: both are
// http.ErrNotSupported from an http.ResponseController. A panic with
// http.ErrAbortHandler cuts the response.
//
// A WebSocket's opening handshake is served as the GET request that it is, and
// the response refuses it. The application has no lifespan.
func Application(h http.Handler) asgi.Application {
	return func(ctx context.Context, scope *asgi.Scope, receive asgi.Receive, send asgi.Send) (err error) {
		if scope.Type == asgi.ScopeLifespan {
			return asgi.ErrUnsupportedScope
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		body := &bodyReader{ctx: ctx, receive: receive}
		r, err := newRequest(ctx, scope, body)
		if err != nil {
			return err
		}
		w := newResponseWriter(ctx, scope, send)
		defer func() {
			if v := recover(); v == http.ErrAbortHandler {
				err = errAborted
			} else if v != nil {
				panic(v)
			}
		}()
		h.ServeHTTP(w, r)
		return w.finish()
	}
}

// newRequest makes the request that net/http would have made. Its path is as it
// was on the wire, without the root path, as behind http.StripPrefix.
func newRequest(ctx context.Context, scope *asgi.Scope, body *bodyReader) (*http.Request, error) {
	target := scope.RawPath
	if target == "" {
		target = (&url.URL{Path: strings.TrimPrefix(scope.Path, scope.RootPath)}).EscapedPath()
	}
	if scope.QueryString != "" {
		target += "?" + scope.QueryString
	}
	u, err := url.ParseRequestURI(target)
	if err != nil && target == "*" {
		u, err = &url.URL{Path: "*"}, nil
	}
	if err != nil {
		return nil, badTarget{err}
	}
	ctx = context.WithValue(ctx, http.LocalAddrContextKey, tcpAddr(scope.Server))
	r := (&http.Request{
		Method:     scope.Method,
		URL:        u,
		Proto:      "HTTP/" + scope.HTTPVersion,
		ProtoMajor: 1,
		Header:     make(http.Header, len(scope.Headers)),
		Body:       http.NoBody,
		RemoteAddr: hostPort(scope.Client),
		RequestURI: target,
	}).WithContext(ctx)
	if scope.Type == asgi.ScopeWebSocket {
		r.Method = http.MethodGet
	}
	switch scope.HTTPVersion {
	case "1.1":
		r.ProtoMinor = 1
	case "2":
		r.Proto, r.ProtoMajor = "HTTP/2.0", 2
	}
	setHeaders(r, scope)
	if r.ContentLength != 0 && scope.Type == asgi.ScopeHTTP {
		r.Body = body
	}
	return r, nil
}

// setHeaders takes the headers apart as net/http does.
func setHeaders(r *http.Request, scope *asgi.Scope) {
	for _, h := range scope.Headers {
		switch name := http.CanonicalHeaderKey(h.Name); name {
		case "Host":
			r.Host = h.Value
		case "Transfer-Encoding":
			r.TransferEncoding, r.ContentLength = []string{"chunked"}, -1
		default:
			r.Header[name] = append(r.Header[name], h.Value)
		}
	}
	if length := r.Header.Get("Content-Length"); length != "" && r.ContentLength == 0 {
		if n, err := strconv.ParseInt(length, 10, 64); err == nil {
			r.ContentLength = n
		}
	} else if r.ProtoMajor >= 2 && length == "" && r.Method != http.MethodGet && r.Method != http.MethodHead {
		r.ContentLength = -1 // HTTP/2 frames a body without a field
	}
}

// badTarget says that a target means nothing to net/http.
type badTarget struct{ err error }

func (e badTarget) Error() string { return "nethttp: bad request target: " + e.err.Error() }
func (badTarget) HTTPStatus() int { return http.StatusBadRequest }

func hostPort(a asgi.Address) string {
	if a.Port == 0 {
		return a.Host
	}
	return net.JoinHostPort(a.Host, strconv.Itoa(a.Port))
}

func tcpAddr(a asgi.Address) net.Addr {
	addr, err := netip.ParseAddr(a.Host)
	if err != nil {
		return &net.UnixAddr{Net: "unix", Name: a.Host}
	}
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(addr, uint16(a.Port)))
}

// bodyReader is the Body of a request.
//
// Not safe for concurrent use.
type bodyReader struct {
	ctx     context.Context
	receive asgi.Receive
	rest    []byte
	err     error // io.EOF behind the last piece
	closed  bool
}

func (b *bodyReader) Read(p []byte) (int, error) {
	if b.closed {
		return 0, http.ErrBodyReadAfterClose
	}
	for len(b.rest) == 0 && b.err == nil {
		b.next()
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	if n == 0 && len(b.rest) == 0 {
		return 0, b.err
	}
	return n, nil
}

// next receives the next piece. Other events are none of a handler's business.
func (b *bodyReader) next() {
	ev, err := b.receive(b.ctx)
	if err != nil {
		b.err = err
		return
	}
	switch e := ev.(type) {
	case *asgi.HTTPRequest:
		b.rest = e.Body
		if !e.MoreBody {
			b.err = io.EOF
		}
	case *asgi.HTTPDisconnect:
		b.err = io.ErrUnexpectedEOF
	}
}

func (b *bodyReader) Close() error {
	b.closed = true
	return nil
}
