package handlers_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/handlers"
)

var site = fstest.MapFS{
	"index.html":      {Data: []byte("<p>home</p>")},
	"app.js":          {Data: []byte("let x")},
	"empty.txt":       {},
	"docs/index.html": {Data: []byte("<p>docs</p>")},
	"docs/a b.txt":    {Data: []byte("a b")},
	"data.bin9":       {Data: []byte{0}},
}

func newStatic(t *testing.T, config handlers.StaticConfig) *handlers.Static {
	t.Helper()
	s, err := handlers.NewStatic(site, config)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStatic(t *testing.T) {
	s := newStatic(t, handlers.StaticConfig{Headers: []asgi.Header{{Name: "x-more", Value: "yes"}}})
	for _, c := range []struct {
		method, path string
		status       int
		contentType  string
		body         string
	}{
		{"GET", "/", 200, "text/html; charset=utf-8", "<p>home</p>"},
		{"GET", "/index.html", 200, "text/html; charset=utf-8", "<p>home</p>"},
		{"HEAD", "/app.js", 200, "text/javascript; charset=utf-8", "let x"}, // the server drops the body
		{"GET", "/app.js?v=2", 200, "text/javascript; charset=utf-8", "let x"},
		{"GET", "/empty.txt", 200, "text/plain; charset=utf-8", ""},
		{"GET", "/docs/", 200, "text/html; charset=utf-8", "<p>docs</p>"},
		{"GET", "/docs", 404, "text/plain; charset=utf-8", "not found\n"},
		{"GET", "/docs/a%20b.txt", 200, "text/plain; charset=utf-8", "a b"},
		{"GET", "/data.bin9", 200, "application/octet-stream", "\x00"},
		{"GET", "//app.js", 200, "text/javascript; charset=utf-8", "let x"},
		{"GET", "/docs/../app.js", 200, "text/javascript; charset=utf-8", "let x"},
		{"GET", "/../app.js", 200, "text/javascript; charset=utf-8", "let x"},
		{"GET", "/%2e%2e/%2e%2e/etc/passwd", 404, "text/plain; charset=utf-8", "not found\n"},
		{"GET", "/app.js/", 404, "text/plain; charset=utf-8", "not found\n"},
		{"GET", "/App.js", 404, "text/plain; charset=utf-8", "not found\n"},
		{"POST", "/app.js", 405, "text/plain; charset=utf-8", "method not allowed\n"},
		{"POST", "/nothing", 404, "text/plain; charset=utf-8", "not found\n"},
	} {
		r := asgitest.Do(t, s, asgitest.HTTPScope(c.method, c.path), nil)
		if r.Status != c.status || r.Header("content-type") != c.contentType || string(r.Body) != c.body || !r.Complete {
			t.Errorf("%s %s: %d %q %q", c.method, c.path, r.Status, r.Header("content-type"), r.Body)
		}
		if r.Status == 200 && (r.Header("x-more") != "yes" || r.Header("cache-control") != "no-cache" ||
			r.Header("x-content-type-options") != "nosniff" || r.Header("etag") == "") {
			t.Errorf("%s %s: headers are %v", c.method, c.path, r.Headers)
		}
	}
}

func TestStaticConditional(t *testing.T) {
	s := newStatic(t, handlers.StaticConfig{CacheControl: "max-age=60"})
	etag := asgitest.Get(t, s, "/app.js").Header("etag")
	if len(etag) < 10 || etag[0] != '"' {
		t.Fatalf("etag is %q", etag)
	}
	if other := asgitest.Get(t, s, "/").Header("etag"); other == etag {
		t.Error("two files have one etag")
	}
	for _, c := range []struct {
		fields []string
		status int
	}{
		{[]string{etag}, 304},
		{[]string{"W/" + etag}, 304},
		{[]string{`"other", ` + etag}, 304},
		{[]string{`"other"`, etag}, 304}, // two fields are one list
		{[]string{"*"}, 304},
		{[]string{`"other"`}, 200},
		{[]string{strings.Trim(etag, `"`)}, 200},
		{[]string{""}, 200},
	} {
		var fields []asgi.Header
		for _, f := range c.fields {
			fields = append(fields, asgi.Header{Name: "if-none-match", Value: f})
		}
		r := asgitest.Get(t, s, "/app.js", fields...)
		if r.Status != c.status || r.Header("etag") != etag || r.Header("cache-control") != "max-age=60" || !r.Complete {
			t.Errorf("If-None-Match %q: %d %v", c.fields, r.Status, r.Headers)
		}
		if r.Status == 304 && (len(r.Body) != 0 || r.Header("content-length") != "") {
			t.Errorf("304 with a body: %q %v", r.Body, r.Headers)
		}
	}
}

func TestStaticBound(t *testing.T) {
	var sum int64
	for _, file := range site {
		sum += int64(len(file.Data))
	}
	if _, err := handlers.NewStatic(site, handlers.StaticConfig{MaxBytes: sum - 1}); err == nil {
		t.Error("more than the bound was loaded")
	}
	if _, err := handlers.NewStatic(site, handlers.StaticConfig{MaxBytes: sum}); err != nil {
		t.Errorf("just the bound: %v", err)
	}
	if _, err := handlers.NewStatic(site, handlers.StaticConfig{MaxBytes: -1}); err != nil {
		t.Errorf("no bound: %v", err)
	}
}

func TestStaticScopes(t *testing.T) {
	s := newStatic(t, handlers.StaticConfig{})
	if x := asgitest.New(t, s, asgitest.WebSocketScope("/")); x.Err() != asgi.ErrUnsupportedScope {
		t.Errorf("a WebSocket ended with %v", x.Err())
	}
	scope := asgitest.HTTPScope("GET", "/mnt/docs/")
	scope.RootPath = "/mnt"
	if r := asgitest.Do(t, s, scope, nil); string(r.Body) != "<p>docs</p>" {
		t.Errorf("below a mount: %q", r.Body)
	}
}

func TestStaticDoesNotAllocate(t *testing.T) {
	s := newStatic(t, handlers.StaticConfig{})
	scope := asgitest.HTTPScope("GET", "/app.js", asgi.Header{Name: "if-none-match", Value: `"x", "y"`})
	x := asgi.Exchange(discard{})
	if n := testing.AllocsPerRun(100, func() { s.Open(scope, x) }); n > 0 {
		t.Errorf("%v allocations per request", n)
	}
}
