package static_test

import (
	"strings"
	"testing"

	"github.com/gale-server/gale/handlers/static"
)

func TestNotFoundPage(t *testing.T) {
	files := map[string]string{"404.html": "<p>nothing</p>", "index.html": "home", "docs/x": ""}
	bothTrees(t, files, static.Config{NotFound: "404.html"}, func(t *testing.T, h *static.Handler) {
		for _, path := range []string{"/nothing", "/docs/", "/docs/x/", "/.env", "/a%00b", "/" + strings.Repeat("x", 5000)} {
			r := get(t, h, path, "if-none-match: *", "range: bytes=0-1")
			if r.Status != 404 || string(r.Body) != "<p>nothing</p>" || r.Header("content-type") != "text/html; charset=utf-8" || !r.Complete {
				t.Errorf("%.20s: %d %q", path, r.Status, r.Body)
			}
		}
		if r := do(t, h, "HEAD", "/nothing"); r.Status != 404 || len(r.Body) != 0 || r.Header("content-length") != "14" || !r.Complete {
			t.Errorf("HEAD: %d %v", r.Status, r.Headers)
		}
		if r := get(t, h, "/404.html"); r.Status != 200 {
			t.Errorf("the page itself: %d", r.Status)
		}
		if r := get(t, h, "/docs"); r.Status != 301 {
			t.Errorf("a folder: %d", r.Status)
		}
	})
}

// The page of an application with routes of its own.
func TestFallback(t *testing.T) {
	const browser = "accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
	files := map[string]string{"index.html": "app", "404.html": "nothing", "app.js": "x"}
	bothTrees(t, files, static.Config{Fallback: "index.html"}, func(t *testing.T, h *static.Handler) {
		if r := get(t, h, "/users/7"); r.Status != 404 || string(r.Body) != "not found\n" || r.Header("vary") != "accept" {
			t.Errorf("without a page for it: %d %v", r.Status, r.Headers)
		}
	})
	bothTrees(t, files, static.Config{Fallback: "index.html", NotFound: "404.html"}, func(t *testing.T, h *static.Handler) {
		for _, c := range []struct {
			method, path, accept string
			status               int
			body                 string
		}{
			{"GET", "/users/7", browser, 200, "app"},
			{"GET", "/users/", browser, 200, "app"},
			{"HEAD", "/users/7", browser, 200, ""},
			{"GET", "/users/7", "accept: */*", 404, "nothing"}, // fetch()
			{"GET", "/users/7", "accept: application/json", 404, "nothing"},
			{"GET", "/users/7", "accept: text/html;q=0, */*", 404, "nothing"},
			{"GET", "/users/7", "x-none: ", 404, "nothing"},
			{"GET", "/missing.js", browser, 404, "nothing"},
			{"GET", "/v1.2/users", browser, 200, "app"},
			{"GET", "/app.js", browser, 200, "x"},
			{"POST", "/users/7", browser, 405, "method not allowed\n"},
		} {
			r := do(t, h, c.method, c.path, c.accept)
			if r.Status != c.status || string(r.Body) != c.body || !r.Complete {
				t.Errorf("%s %s %s: %d %q", c.method, c.path, c.accept, r.Status, r.Body)
			}
			if byAccept := c.path != "/app.js" && c.method != "POST"; (r.Header("vary") == "accept") != byAccept {
				t.Errorf("%s %s %s: vary is %q", c.method, c.path, c.accept, r.Header("vary"))
			}
		}
		r := get(t, h, "/users/7", browser)
		if again := get(t, h, "/users/8", browser, "if-none-match: "+r.Header("etag")); again.Status != 304 {
			t.Errorf("another route with the same page: %d", again.Status)
		}
	})
}
