package handlers

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gale-server/gale/asgi"
)

// Mux hands each scope to the handler whose route fits best.
//
// A path is matched exactly ("/about") or, when it ends with "/*", as a prefix
// ("/files/*" fits "/files/" and everything below). Exact beats prefix, the
// longer prefix beats the shorter. Paths are compared below the scope's
// RootPath; the handler of a prefix sees the prefix as part of RootPath.
//
// What fits no route is answered: HTTP with 404, with 405 and an Allow field when only
// the method does not fit, or with 426 where there is a WebSocket and nothing else; a WebSocket with a refusal; the lifespan, unless
// it has a handler, with "complete".
//
// The zero Mux has no routes. Routes are added before it serves, from one
// goroutine; from then on it is safe for concurrent use.
type Mux struct {
	http      table
	webSocket table
	lifespan  asgi.Handler
}

var (
	notFound = NewFixed(404, "not found\n")

	// RFC 9110, section 15.5.22: it MUST have an Upgrade field, and so, section 7.8,
	// Connection. The version is that of RFC 6455.
	upgradeRequired = NewFixed(426, "this is a WebSocket\n",
		asgi.Header{Name: "upgrade", Value: "websocket"},
		asgi.Header{Name: "connection", Value: "Upgrade"},
		asgi.Header{Name: "sec-websocket-version", Value: "13"})
)

// HTTP adds a route for HTTP requests. A pattern is a path, or a method, a space
// and a path ("GET /about"); a route for GET serves HEAD too. It panics when the
// pattern is malformed or taken: both are mistakes in the program.
func (m *Mux) HTTP(pattern string, h asgi.Handler) {
	method, path, found := strings.Cut(pattern, " ")
	if !found {
		method, path = "", pattern
	}
	m.http.add(path, method, h)
}

// WebSocket adds a route for WebSocket handshakes. It panics as HTTP does.
func (m *Mux) WebSocket(path string, h asgi.Handler) { m.webSocket.add(path, "", h) }

// Lifespan sets the handler of the lifespan.
func (m *Mux) Lifespan(h asgi.Handler) { m.lifespan = h }

// Open hands the scope on.
func (m *Mux) Open(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
	switch scope.Type {
	case asgi.ScopeHTTP:
		return m.openHTTP(scope, x)
	case asgi.ScopeWebSocket:
		if to, ok := m.webSocket.find(Path(scope), ""); ok {
			return to.open(scope, x)
		}
		return Refuse(scope, x, 404, "no WebSocket here\n")
	case asgi.ScopeLifespan:
		if m.lifespan != nil {
			return m.lifespan.Open(scope, x)
		}
		return answerLifespan(x)
	default:
		x.End(asgi.ErrUnsupportedScope)
		return nil
	}
}

func (m *Mux) openHTTP(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
	path := Path(scope)
	if to, ok := m.http.find(path, scope.Method); ok {
		return to.open(scope, x)
	}
	_, webSocket := m.webSocket.find(path, "")
	switch allow := m.http.methods(path); {
	case allow != "":
		methodNotAllowed(x, allow)
	case webSocket:
		upgradeRequired.send(x)
	default:
		notFound.send(x)
	}
	return nil
}

// methodNotAllowed answers 405, which MUST list what is allowed (RFC 9110,
// section 15.5.6).
func methodNotAllowed(x asgi.Exchange, allow string) {
	_ = Respond(x, 405, []byte("method not allowed\n"),
		asgi.Header{Name: "allow", Value: allow},
		asgi.Header{Name: "content-type", Value: plainText})
}

// Path returns the scope's path below its RootPath, beginning with a slash.
func Path(scope *asgi.Scope) string {
	path := strings.TrimPrefix(scope.Path, scope.RootPath)
	if path == "" {
		return "/"
	}
	return path
}

// table is the routes of one scope type: a path, then a method ("" for any).
type table struct {
	exact    map[string]route
	prefixes []prefix // longest first
}

type route map[string]asgi.Handler

type prefix struct {
	path  string // ends with a slash
	route route
}

// destination is a handler, and the part of the path it is mounted on.
type destination struct {
	handler asgi.Handler
	mount   string // "" for none
}

func (d destination) open(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
	if d.mount != "" {
		scope = scope.Copy()
		scope.RootPath += d.mount
	}
	return d.handler.Open(scope, x)
}

func (t *table) add(path, method string, h asgi.Handler) {
	if !strings.HasPrefix(path, "/") || h == nil {
		panic(fmt.Sprintf("handlers: no route: %q", path))
	}
	r := t.route(path)
	if _, taken := r[method]; taken {
		panic(fmt.Sprintf("handlers: two routes for %q", strings.TrimSpace(method+" "+path)))
	}
	r[method] = h
}

// route returns the entry of a path, made if need be.
func (t *table) route(path string) route {
	under, isPrefix := strings.CutSuffix(path, "*")
	if !isPrefix || !strings.HasSuffix(under, "/") {
		if t.exact == nil {
			t.exact = make(map[string]route)
		}
		if t.exact[path] == nil {
			t.exact[path] = make(route)
		}
		return t.exact[path]
	}
	at, found := slices.BinarySearchFunc(t.prefixes, under, func(p prefix, path string) int {
		if d := len(path) - len(p.path); d != 0 {
			return d
		}
		return strings.Compare(p.path, path)
	})
	if !found {
		t.prefixes = slices.Insert(t.prefixes, at, prefix{path: under, route: make(route)})
	}
	return t.prefixes[at].route
}

// matches calls visit with each route that fits the path, the best first, until
// visit returns false.
func (t *table) matches(path string, visit func(r route, mount string) bool) {
	if r, ok := t.exact[path]; ok && !visit(r, "") {
		return
	}
	for _, p := range t.prefixes {
		if strings.HasPrefix(path, p.path) && !visit(p.route, strings.TrimSuffix(p.path, "/")) {
			return
		}
	}
}

func (t *table) find(path, method string) (to destination, ok bool) {
	t.matches(path, func(r route, mount string) bool {
		to = destination{handler: r.handler(method), mount: mount}
		ok = to.handler != nil
		return !ok
	})
	return to, ok
}

// handler returns the handler for a method; nil if there is none.
func (r route) handler(method string) asgi.Handler {
	h := r[method]
	if h == nil && method == "HEAD" {
		h = r["GET"]
	}
	if h == nil {
		h = r[""]
	}
	return h
}

// methods lists what the path allows, for an Allow field; "" if nothing fits
// the path.
func (t *table) methods(path string) string {
	var names []string
	t.matches(path, func(r route, _ string) bool {
		for method := range r {
			names = append(names, method)
			if method == "GET" {
				names = append(names, "HEAD")
			}
		}
		return true
	})
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}
