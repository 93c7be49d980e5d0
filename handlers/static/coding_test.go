package static_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gale-server/gale/handlers/static"
)

// Codings, by Accept-Encoding (RFC 9110, section 12.5.3).
func TestCodings(t *testing.T) {
	files := map[string]string{
		"app.js":          "the script as it is, which is long",
		"app.js.gz":       "of gzip, 17 bytes",
		"app.js.br":       "of brotli, 19 bytes",
		"app.js.zst":      "of zstandard: 22 bytes",
		"tiny.js":         "x",
		"tiny.js.gz":      "larger than tiny.js",
		"plain.js":        "plain",
		"i/index.html":    "page",
		"i/index.html.gz": "page of gzip",
	}
	const none = "-"
	bothTrees(t, files, static.Config{}, func(t *testing.T, h *static.Handler) {
		for _, c := range []struct{ path, accept, coding string }{
			{"/app.js", none, ""},
			{"/app.js", "", ""},
			{"/app.js", "gzip", "gzip"},
			{"/app.js", "GZIP", "gzip"},
			{"/app.js", "x-gzip", "gzip"},
			{"/app.js", "br", "br"},
			{"/app.js", "zstd", "zstd"},
			{"/app.js", "gzip, deflate, br, zstd", "gzip"}, // the smallest
			{"/app.js", "gzip;q=0.9, br", "br"},
			{"/app.js", "gzip;q=0.5, br;q=0.501", "br"},
			{"/app.js", "gzip;q=0, br;q=0", ""},
			{"/app.js", "gzip;q=0, *", "br"},
			{"/app.js", "*", "gzip"},
			{"/app.js", "*;q=0", ""},
			{"/app.js", "identity", ""},
			{"/app.js", "identity, gzip;q=0.5", ""},
			{"/app.js", "identity;q=0.5, gzip", "gzip"},
			{"/app.js", "identity;q=0, br;q=0.001", "br"},
			{"/app.js", "deflate", ""},
			{"/app.js", "gzip;q=nonsense", ""},
			{"/app.js", "gzip;q=1.1", ""},
			{"/app.js", "gzip;q=0.0001", ""},
			{"/app.js", "gzip ; q=1", "gzip"},
			{"/tiny.js", "gzip", "gzip"},
			{"/tiny.js", "gzip, identity", ""},
			{"/plain.js", "gzip", ""},
			{"/i/", "gzip", "gzip"},
		} {
			var lines []string
			if c.accept != none {
				lines = []string{"accept-encoding: " + c.accept}
			}
			name := c.path[1:]
			if name == "i/" {
				name = "i/index.html"
			}
			want := files[name+map[string]string{"": "", "gzip": ".gz", "br": ".br", "zstd": ".zst"}[c.coding]]
			r := get(t, h, c.path, lines...)
			vary := "accept-encoding"
			if c.path == "/plain.js" {
				vary = ""
			}
			if r.Status != 200 || r.Header("content-encoding") != c.coding || string(r.Body) != want || r.Header("vary") != vary ||
				r.Header("content-length") != fmt.Sprint(len(want)) {
				t.Errorf("%s %q: %v %q", c.path, c.accept, r.Headers, r.Body)
			}
			if js := "text/javascript; charset=utf-8"; c.path != "/i/" && r.Header("content-type") != js {
				t.Errorf("%s: content-type is %q", c.path, r.Header("content-type"))
			}
		}
		plain, coded := get(t, h, "/app.js"), get(t, h, "/app.js", "accept-encoding: gzip")
		if plain.Header("etag") == coded.Header("etag") {
			t.Error("two representations have one entity tag")
		}
		r := get(t, h, "/app.js", "accept-encoding: gzip", "if-none-match: "+coded.Header("etag"))
		if r.Status != 304 || r.Header("vary") != "accept-encoding" || r.Header("etag") != coded.Header("etag") {
			t.Errorf("%d %v", r.Status, r.Headers)
		}
		if r := get(t, h, "/app.js", "accept-encoding: gzip", "if-none-match: "+plain.Header("etag")); r.Status != 200 {
			t.Errorf("the tag of another coding: %d", r.Status)
		}
		r = get(t, h, "/app.js", "accept-encoding: gzip", "range: bytes=0-6")
		if r.Status != 206 || string(r.Body) != "of gzip" || r.Header("content-encoding") != "gzip" || r.Header("content-range") != "bytes 0-6/17" {
			t.Errorf("a range of a coding: %d %v %q", r.Status, r.Headers, r.Body)
		}
		if r := get(t, h, "/app.js.gz"); r.Header("content-type") != "application/gzip" || r.Header("content-encoding") != "" {
			t.Errorf("the file itself: %v", r.Headers)
		}
	})
}

// A coding that is older than its file is of an older content.
func TestCodingOlderThanItsFile(t *testing.T) {
	dir := folder(t, map[string]string{"app.js": "new", "app.js.gz": "old"})
	for _, c := range []struct {
		age    time.Duration
		coding string
	}{{2 * time.Second, ""}, {500 * time.Nanosecond, "gzip"}, {-time.Hour, "gzip"}} {
		at := longAgo.Add(-c.age)
		if err := os.Chtimes(filepath.Join(dir, "app.js.gz"), at, at); err != nil {
			t.Fatal(err)
		}
		h := open(t, static.Config{Dir: dir})
		if r := get(t, h, "/app.js", "accept-encoding: gzip"); r.Header("content-encoding") != c.coding {
			t.Errorf("older by %v: %v", c.age, r.Headers)
		}
	}
}
