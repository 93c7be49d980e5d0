package static_test

import (
	"testing"

	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/handlers/static"
)

// Content-Disposition (RFC 6266).
func TestDownload(t *testing.T) {
	names := map[string]string{
		"plain.txt":       `attachment; filename="plain.txt"`,
		"two words.txt":   `attachment; filename="two words.txt"`,
		"späße.txt":       `attachment; filename="sp____e.txt"; filename*=UTF-8''sp%C3%A4%C3%9Fe.txt`,
		`a"; b=c.txt`:     `attachment; filename="a_; b=c.txt"; filename*=UTF-8''a%22%3B%20b%3Dc.txt`,
		"a\r\nb: c.txt":   `attachment; filename="a__b: c.txt"; filename*=UTF-8''a%0D%0Ab%3A%20c.txt`,
		`back\slash.txt`:  `attachment; filename="back_slash.txt"; filename*=UTF-8''back%5Cslash.txt`,
		"50%25.txt":       `attachment; filename="50_25.txt"; filename*=UTF-8''50%2525.txt`,
		"sub/folder.html": `attachment; filename="folder.html"`,
	}
	files := map[string]string{"site/index.html": "home"}
	for name := range names {
		files[name] = "content"
	}
	h := open(t, static.Config{Dir: folder(t, files), Download: "download"})
	for name, want := range names {
		scope := asgitest.HTTPScope("GET", "/?x=1&download=evil.exe&y")
		scope.Path = "/" + name
		if r := asgitest.Do(t, h, scope, nil); r.Status != 200 || r.Header("content-disposition") != want {
			t.Errorf("%q: %d %q", name, r.Status, r.Header("content-disposition"))
		}
	}
	for target, want := range map[string]string{
		"/site/?download":         `attachment; filename="index.html"`,
		"/plain.txt":              "",
		"/plain.txt?downloads":    "",
		"/plain.txt?x=download":   "",
		"/plain.txt?download=&x":  names["plain.txt"],
		"/plain.txt?a;download=1": "",
	} {
		if r := get(t, h, target); r.Header("content-disposition") != want {
			t.Errorf("%s: %q", target, r.Header("content-disposition"))
		}
	}
	if r := get(t, h, "/plain.txt?download", "range: bytes=0-1"); r.Status != 206 || r.Header("content-disposition") != names["plain.txt"] {
		t.Errorf("a part: %d %v", r.Status, r.Headers)
	}
	plain := open(t, static.Config{Dir: folder(t, files)})
	if r := get(t, plain, "/plain.txt?download"); r.Header("content-disposition") != "" {
		t.Errorf("not asked for: %v", r.Headers)
	}
}
