package static_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/static"
)

var site = map[string]string{
	"index.html":      "<p>home</p>",
	"app.js":          "let x",
	"empty.txt":       "",
	"docs/index.html": "<p>docs</p>",
	"docs/a b.txt":    "a b",
	"data.bin9":       "\x00",
	"bare/file":       "no extension",
	".secret/key":     "secret",
	".env":            "secret",
	"a:b/index.html":  "colon",
	"large.bin":       strings.Repeat("0123456789abcdef", 32<<10), // 512 KiB, which is not held in memory
}

func TestFiles(t *testing.T) {
	const (
		html = "text/html; charset=utf-8"
		text = "text/plain; charset=utf-8"
		js   = "text/javascript; charset=utf-8"
	)
	config := static.Config{Headers: []asgi.Header{{Name: "x-more", Value: "yes"}}}
	bothTrees(t, site, config, func(t *testing.T, h *static.Handler) {
		for _, c := range []struct {
			method, path string
			status       int
			contentType  string
			body         string
		}{
			{"GET", "/", 200, html, "<p>home</p>"},
			{"GET", "/index.html", 200, html, "<p>home</p>"},
			{"GET", "/app.js?v=2", 200, js, "let x"},
			{"GET", "/empty.txt", 200, text, ""},
			{"GET", "/docs/", 200, html, "<p>docs</p>"},
			{"GET", "/docs/.", 200, html, "<p>docs</p>"},
			{"GET", "/docs/x/..", 200, html, "<p>docs</p>"},
			{"GET", "/docs/a%20b.txt", 200, text, "a b"},
			{"GET", "/data.bin9", 200, "application/octet-stream", "\x00"},
			{"GET", "/large.bin", 200, "application/octet-stream", site["large.bin"]},
			{"GET", "//app.js", 200, js, "let x"},
			{"GET", "/docs/../app.js", 200, js, "let x"},
			{"GET", "/../app.js", 200, js, "let x"},
			{"GET", "/app.js/", 404, text, "not found\n"},
			{"GET", "/app.js/x", 404, text, "not found\n"},
			{"GET", "/App.js", 404, text, "not found\n"},
			{"GET", "/bare/", 404, text, "not found\n"},
			{"GET", "/.env", 404, text, "not found\n"},
			{"GET", "/.secret/key", 404, text, "not found\n"},
			{"GET", "/docs", 301, text, "moved permanently\n"},
			{"POST", "/app.js", 405, text, "method not allowed\n"},
			{"DELETE", "/nothing", 405, text, "method not allowed\n"},
		} {
			r := do(t, h, c.method, c.path)
			if r.Status != c.status || r.Header("content-type") != c.contentType || string(r.Body) != c.body || !r.Complete {
				t.Errorf("%s %s: %d %q %.100q", c.method, c.path, r.Status, r.Header("content-type"), r.Body)
			}
			if r.Status == 200 && (r.Header("x-more") != "yes" || r.Header("cache-control") != "no-cache" || r.Header("accept-ranges") != "bytes" ||
				r.Header("x-content-type-options") != "nosniff" || r.Header("etag") == "" || r.Header("last-modified") != "Mon, 03 Feb 2020 04:05:06 GMT") {
				t.Errorf("%s %s: headers are %v", c.method, c.path, r.Headers)
			}
			if r.Status == 405 && r.Header("allow") != "GET, HEAD, OPTIONS" {
				t.Errorf("%s %s: allow is %q", c.method, c.path, r.Header("allow"))
			}
		}
		for _, path := range []string{"/app.js", "/large.bin", "/", "/docs", "/nothing"} {
			whole, r := get(t, h, path), do(t, h, "HEAD", path)
			if r.Status != whole.Status || r.Header("etag") != whole.Header("etag") || r.Header("content-length") != whole.Header("content-length") || !r.Complete {
				t.Errorf("HEAD %s: %d %v, GET %d %v", path, r.Status, r.Headers, whole.Status, whole.Headers)
			}
			if r.Status == 200 && len(r.Body) > 0 {
				t.Errorf("HEAD %s has a body", path)
			}
		}
		if r := do(t, h, "OPTIONS", "/app.js"); r.Status != 204 || r.Header("allow") != "GET, HEAD, OPTIONS" || len(r.Body) > 0 || !r.Complete {
			t.Errorf("OPTIONS: %d %v", r.Status, r.Headers)
		}
	})
}

func TestDotFiles(t *testing.T) {
	bothTrees(t, site, static.Config{DotFiles: true}, func(t *testing.T, h *static.Handler) {
		for _, path := range []string{"/.env", "/.secret/key", "/%2eenv"} {
			if r := get(t, h, path); r.Status != 200 || string(r.Body) != "secret" {
				t.Errorf("%s: %d %q", path, r.Status, r.Body)
			}
		}
	})
}

// The files of an embedded file system have no time.
func TestFileSystemWithoutTimes(t *testing.T) {
	m := mapFS(site)
	for _, file := range m {
		file.ModTime = file.ModTime.AddDate(-2020, 0, 0)
	}
	h := open(t, static.Config{FS: m})
	r := get(t, h, "/app.js", "if-modified-since: Mon, 03 Feb 2020 04:05:06 GMT", "if-unmodified-since: Mon, 03 Feb 1970 04:05:06 GMT")
	if r.Status != 200 || r.Header("last-modified") != "" {
		t.Errorf("%d %v", r.Status, r.Headers)
	}
}

func TestRedirectStaysOnTheHost(t *testing.T) {
	files := map[string]string{
		"evil.example/index.html":       "",
		"a:b/index.html":                "",
		"docs/x/index.html":             "",
		`\evil.example/index.html`:      "",
		"a\r\nset-cookie: x/index.html": "",
		"ü/index.html":                  "",
	}
	h := open(t, static.Config{Dir: folder(t, files)})
	for _, c := range []struct{ path, location string }{
		{"/docs", "/docs/"},
		{"/docs/x", "/docs/x/"},
		{"/docs%2Fx", "/docs/x/"},
		{"/docs/./x", "/docs/x/"},
		{"/docs?a=b&c=%2F", "/docs/?a=b&c=%2F"},
		{"//evil.example", "/evil.example/"},
		{"///evil.example", "/evil.example/"},
		{"//evil.example/%2e%2e", ""}, // the root
		{"//evil.example/../docs", "/docs/"},
		{"/%2Fevil.example", "/evil.example/"},
		{"/%5Cevil.example", "/%5Cevil.example/"},
		{"/a:b", "/a:b/"},
		{"/a%0d%0aset-cookie:%20x", "/a%0D%0Aset-cookie:%20x/"},
		{"/%c3%bc", "/%C3%BC/"},
	} {
		if r := get(t, h, c.path); r.Header("location") != c.location || c.location != "" && r.Status != 301 {
			t.Errorf("%s: %d to %q", c.path, r.Status, r.Header("location"))
		}
	}
}

// A root path that is a slash makes no host of a folder.
func TestRedirectBelowASlash(t *testing.T) {
	h := open(t, static.Config{Dir: folder(t, site)})
	scope := asgitest.HTTPScope("GET", "/docs")
	scope.RootPath = "/"
	if r := asgitest.Do(t, h, scope, nil); r.Status != 301 || r.Header("location") != "/docs/" {
		t.Errorf("%d to %q", r.Status, r.Header("location"))
	}
}

func TestMounted(t *testing.T) {
	bothTrees(t, site, static.Config{}, func(t *testing.T, h *static.Handler) {
		mux := new(handlers.Mux)
		mux.HTTP("/mnt/*", h)
		mux.HTTP("/mnt", asgi.HandlerFunc(func(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
			scope = scope.Copy()
			scope.RootPath = "/mnt"
			return h.Open(scope, x)
		}))
		if r := get(t, mux, "/mnt/docs/"); string(r.Body) != "<p>docs</p>" {
			t.Errorf("below a mount: %d %q", r.Status, r.Body)
		}
		for path, want := range map[string]string{"/mnt/docs": "/mnt/docs/", "/mnt": "/mnt/"} {
			if r := get(t, mux, path); r.Status != 301 || r.Header("location") != want {
				t.Errorf("%s: %d to %q", path, r.Status, r.Header("location"))
			}
		}
		if r := get(t, mux, "/mnt/../docs/"); r.Status != 200 { // "..", below the mount: it cannot leave it
			t.Errorf("%d", r.Status)
		}
	})
}

func TestScopes(t *testing.T) {
	h := open(t, static.Config{FS: mapFS(site)})
	if x := asgitest.New(t, h, asgitest.WebSocketScope("/")); x.Err() != asgi.ErrUnsupportedScope {
		t.Errorf("a WebSocket ended with %v", x.Err())
	}
}

func TestNewRefuses(t *testing.T) {
	dir := folder(t, site)
	var sum int64
	for _, content := range site {
		sum += int64(len(content))
	}
	for name, config := range map[string]static.Config{
		"nothing to serve":         {},
		"two things to serve":      {Dir: dir, FS: mapFS(site)},
		"a folder that is not":     {Dir: dir + "/none"},
		"a file":                   {Dir: dir + "/app.js"},
		"a path as index":          {Dir: dir, Index: "docs/index.html"},
		"no file for 404":          {Dir: dir, NotFound: "404.html"},
		"a folder for 404":         {Dir: dir, NotFound: "docs"},
		"a file outside for 404":   {Dir: dir, NotFound: "../404.html"},
		"an absolute fallback":     {Dir: dir, Fallback: "/index.html"},
		"a rule without a pattern": {Dir: dir, Cache: []static.CacheRule{{CacheControl: "no-store"}}},
		"a rule without a value":   {Dir: dir, Cache: []static.CacheRule{{Pattern: "*"}}},
		"too many bytes":           {FS: mapFS(site), MaxMemoryBytes: sum - 1},
	} {
		if h, err := static.New(config); err == nil {
			h.Close()
			t.Errorf("%s: no error", name)
		} else if !strings.HasPrefix(err.Error(), "static: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := static.New(static.Config{Dir: dir + "/none"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	open(t, static.Config{FS: mapFS(site), MaxMemoryBytes: -1})
}

func TestClosed(t *testing.T) {
	h := open(t, static.Config{Dir: folder(t, site)})
	if r := get(t, h, "/app.js"); r.Status != 200 {
		t.Fatalf("%d", r.Status)
	}
	h.Close()
	if r := get(t, h, "/app.js"); r.Status != 503 || r.Header("retry-after") == "" {
		t.Errorf("%d %v", r.Status, r.Headers)
	}
}
