package handlers_test

import (
	"strings"
	"testing"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/handlers"
)

// named answers with its own name and what it sees of the path.
func named(name string) asgi.Handler {
	return asgi.HandlerFunc(func(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		_ = handlers.Text(x, 200, name+" "+scope.RootPath+" "+handlers.Path(scope))
		return nil
	})
}

func testMux() *handlers.Mux {
	m := new(handlers.Mux)
	m.HTTP("/", named("root"))
	m.HTTP("GET /read", named("read"))
	m.HTTP("POST /both", named("post"))
	m.HTTP("GET /both", named("get"))
	m.HTTP("PUT /both", named("put"))
	m.HTTP("DELETE /both", named("delete"))
	m.HTTP("OPTIONS /both", named("options"))
	m.HTTP("/files/*", named("files"))
	m.HTTP("PUT /files/inner/*", named("inner"))
	m.HTTP("/files/exact", named("exact"))
	m.HTTP("/star*", named("star"))
	return m
}

func TestMuxRoutes(t *testing.T) {
	m := testMux()
	for _, c := range []struct {
		method, path string
		status       int
		body         string
		allow        string
	}{
		{"GET", "/", 200, "root  /", ""},
		{"DELETE", "/", 200, "root  /", ""},
		{"GET", "/read", 200, "read  /read", ""},
		{"HEAD", "/read", 200, "read  /read", ""},
		{"POST", "/read", 405, "method not allowed\n", "GET, HEAD"},
		{"GET", "/both", 200, "get  /both", ""},
		{"POST", "/both", 200, "post  /both", ""},
		{"PATCH", "/both", 405, "method not allowed\n", "DELETE, GET, HEAD, OPTIONS, POST, PUT"},
		{"GET", "/files", 404, "not found\n", ""},
		{"GET", "/files/", 200, "files /files /", ""},
		{"GET", "/files/a/b", 200, "files /files /a/b", ""},
		{"GET", "/files/exact", 200, "exact  /files/exact", ""},
		{"PUT", "/files/inner/x", 200, "inner /files/inner /x", ""},
		{"GET", "/files/inner/x", 200, "files /files /inner/x", ""}, // the longer prefix has no such method
		{"GET", "/filesystem", 404, "not found\n", ""},
		{"GET", "/star*", 200, "star  /star*", ""},
		{"GET", "/stars", 404, "not found\n", ""},
		{"GET", "/READ", 404, "not found\n", ""},
	} {
		r := asgitest.Do(t, m, asgitest.HTTPScope(c.method, c.path), nil)
		if r.Status != c.status || string(r.Body) != c.body || r.Header("allow") != c.allow || !r.Complete {
			t.Errorf("%s %s: %d %q, allow %q; want %d %q, %q",
				c.method, c.path, r.Status, r.Body, r.Header("allow"), c.status, c.body, c.allow)
		}
	}
}

// Where there is a WebSocket only, a request that asks for none is told so.
func TestMuxUpgradeRequired(t *testing.T) {
	m := testMux()
	m.WebSocket("/ws", named("ws"))
	m.WebSocket("/ws/*", named("all"))
	m.WebSocket("/read", named("read"))
	for target, status := range map[string]int{"GET /ws": 426, "POST /ws": 426, "GET /ws/a": 426, "GET /wsx": 404, "GET /read": 200, "POST /read": 405} {
		method, path, _ := strings.Cut(target, " ")
		r := asgitest.Do(t, m, asgitest.HTTPScope(method, path), nil)
		if r.Status != status || (r.Header("upgrade") == "websocket") != (status == 426) {
			t.Errorf("%s: %d %v", target, r.Status, r.Headers)
		}
	}
}

func TestMuxBelowRootPath(t *testing.T) {
	scope := asgitest.HTTPScope("GET", "/app/files/x")
	scope.RootPath = "/app"
	r := asgitest.Do(t, testMux(), scope, nil)
	if got, want := string(r.Body), "files /app/files /x"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if scope.RootPath != "/app" {
		t.Errorf("the scope was changed: RootPath is %q", scope.RootPath)
	}
	scope = asgitest.HTTPScope("GET", "/app")
	scope.RootPath = "/app"
	if r := asgitest.Do(t, testMux(), scope, nil); string(r.Body) != "root /app /" {
		t.Errorf("the mount itself: %q", r.Body)
	}
}

func TestMuxNested(t *testing.T) {
	outer := new(handlers.Mux)
	outer.HTTP("/v1/*", testMux())
	r := asgitest.Get(t, outer, "/v1/files/x")
	if got, want := string(r.Body), "files /v1/files /x"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMuxWebSocket(t *testing.T) {
	m := testMux()
	m.WebSocket("/ws/*", asgi.HandlerFunc(func(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		return asgi.ReceiverFunc(func(ev asgi.ReceiveEvent) {
			if _, ok := ev.(*asgi.WebSocketConnect); ok {
				_ = x.Send(&asgi.WebSocketAccept{})
				_ = x.Send(&asgi.WebSocketSend{Data: []byte(handlers.Path(scope))})
			}
		})
	}))

	x := asgitest.New(t, m, asgitest.WebSocketScope("/ws/room"))
	x.Deliver(&asgi.WebSocketConnect{})
	sent := x.Sent()
	if len(sent) != 2 || string(sent[1].(*asgi.WebSocketSend).Data) != "/room" {
		t.Errorf("sent %v", sent)
	}

	x = asgitest.New(t, m, asgitest.WebSocketScope("/read")) // a route, but of HTTP
	if len(x.Sent()) != 0 {
		t.Error("refused before the handshake asked")
	}
	x.Deliver(&asgi.WebSocketConnect{})
	if r := x.Response(); r.Status != 404 || !r.Complete {
		t.Errorf("an unknown path: %+v", r)
	}

	scope := asgitest.WebSocketScope("/nowhere")
	scope.Extensions = nil
	x = asgitest.New(t, m, scope)
	x.Deliver(&asgi.WebSocketConnect{})
	if sent := x.Sent(); len(sent) != 1 || sent[0].EventType() != "websocket.close" {
		t.Errorf("without denial responses: %v", sent)
	}
}

func TestMuxLifespan(t *testing.T) {
	x := asgitest.New(t, new(handlers.Mux), asgitest.LifespanScope())
	x.Deliver(&asgi.LifespanStartup{}, &asgi.LifespanShutdown{})
	sent := x.Sent()
	if len(sent) != 2 || sent[0].EventType() != "lifespan.startup.complete" || sent[1].EventType() != "lifespan.shutdown.complete" {
		t.Errorf("sent %v", sent)
	}

	m := new(handlers.Mux)
	asked := false
	m.Lifespan(asgi.HandlerFunc(func(_ *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		asked = true
		x.End(nil)
		return nil
	}))
	asgitest.New(t, m, asgitest.LifespanScope())
	if !asked {
		t.Error("the lifespan was not handed on")
	}
}

func TestMuxRefusesOtherScopes(t *testing.T) {
	scope := asgitest.HTTPScope("GET", "/")
	scope.Type = "gopher"
	if x := asgitest.New(t, new(handlers.Mux), scope); x.Err() != asgi.ErrUnsupportedScope {
		t.Errorf("ended with %v", x.Err())
	}
}

func TestMuxPanicsOnMistakes(t *testing.T) {
	for name, add := range map[string]func(*handlers.Mux){
		"twice":        func(m *handlers.Mux) { m.HTTP("/", named("")); m.HTTP("/", named("")) },
		"prefix twice": func(m *handlers.Mux) { m.HTTP("GET /a/*", named("")); m.HTTP("GET /a/*", named("")) },
		"no slash":     func(m *handlers.Mux) { m.HTTP("GET a", named("")) },
		"empty":        func(m *handlers.Mux) { m.WebSocket("", named("")) },
		"nil":          func(m *handlers.Mux) { m.HTTP("/", nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			add(new(handlers.Mux))
		}()
	}
}

func BenchmarkMux(b *testing.B) {
	m := new(handlers.Mux)
	m.HTTP("GET /hello", handlers.NewFixed(200, "hello"))
	x := discard{}
	scope := asgitest.HTTPScope("GET", "/hello")
	b.ReportAllocs()
	for b.Loop() {
		m.Open(scope, x)
	}
}

// discard is an Exchange that takes everything.
type discard struct{ asgi.Exchange }

func (discard) Send(asgi.SendEvent) error { return nil }
func (discard) End(error)                 {}
