package static_test

import (
	"testing"

	"github.com/gale-server/gale/handlers/static"
)

func TestCacheRules(t *testing.T) {
	files := map[string]string{}
	want := map[string]string{
		"app.3f2a9c1b.js":          static.Immutable,
		"assets/x/app.3f2a9c1b.js": static.Immutable,
		"index-DiwrgT4a.css":       static.Immutable,
		"app.20240101.js":          "no-cache", // a date
		"photo.12345678.jpg":       "no-cache",
		"app.production.js":        "no-cache", // a word
		"app.3f2a.js":              "no-cache", // too short
		"app.js":                   "no-cache",
		"img/a.png":                "max-age=60",
		"img/deep/a.png":           "no-cache",
		"font/deep/a.woff2":        "max-age=3600",
		"a1.txt":                   "no-store",
		"a12.txt":                  "no-cache",
	}
	for name := range want {
		files[name] = name
	}
	config := static.Config{Cache: []static.CacheRule{
		{"*.<hash>.*", static.Immutable},
		{"*-<hash>.css", static.Immutable},
		{"/img/*", "max-age=60"},
		{"/font/**", "max-age=3600"},
		{"a?.txt", "no-store"},
		{"*.3f2a9c1b.js", "never: an earlier rule fits"},
	}}
	bothTrees(t, files, config, func(t *testing.T, h *static.Handler) {
		for name, want := range want {
			r := get(t, h, "/"+name)
			if got := r.Header("cache-control"); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
			if again := get(t, h, "/"+name, "if-none-match: "+r.Header("etag")); again.Status != 304 || again.Header("cache-control") != want {
				t.Errorf("%s: %d %v", name, again.Status, again.Headers)
			}
		}
	})
}

func TestTypes(t *testing.T) {
	config := static.Config{FS: mapFS(map[string]string{"a.JS": "", "a.gale": "", "a": "", "a.": ""}), Types: map[string]string{".gale": "text/x-gale"}}
	h := open(t, config)
	for path, want := range map[string]string{
		"/a.JS": "text/javascript; charset=utf-8", "/a.gale": "text/x-gale", "/a": "application/octet-stream", "/a.": "application/octet-stream",
	} {
		if r := get(t, h, path); r.Header("content-type") != want {
			t.Errorf("%s: %q", path, r.Header("content-type"))
		}
	}
}
