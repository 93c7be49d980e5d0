package static_test

import (
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/handlers/static"
)

// discard is an exchange whose events go nowhere.
type discard struct{ asgi.Exchange }

func (discard) Send(asgi.SendEvent) error { return nil }
func (discard) Congested() bool           { return false }
func (discard) Post(func()) bool          { return true }

// hot are requests for what is known, which cost the handler as little as can be.
func hot(t testing.TB) map[string]func() {
	h := open(t, static.Config{
		Dir:           folder(t, map[string]string{"small.html": string(fileContent()), "large.bin": string(make([]byte, 512<<10)), "app.js": "x", "app.js.gz": "y"}),
		CheckInterval: time.Hour,
	})
	x := asgi.Exchange(discard{})
	request := func(path string, lines ...string) func() {
		lines = append(lines, "host: example.com", "user-agent: Mozilla/5.0", "accept: */*", "accept-encoding: gzip, deflate, br, zstd", "cookie: a=b")
		r := get(t, h, path, lines...)
		for i, line := range lines {
			lines[i] = replaceTag(line, r.Header("etag"))
		}
		scope := asgitest.HTTPScope("GET", path, head(lines...)...)
		return func() { h.Open(scope, x) }
	}
	return map[string]func(){
		"small":   request("/small.html"),
		"large":   request("/large.bin"),
		"coding":  request("/app.js"),
		"304":     request("/small.html", "if-none-match: {tag}"),
		"range":   request("/small.html", "range: bytes=100-199"),
		"missing": request("/none.html"),
	}
}

func replaceTag(line, tag string) string {
	if line == "if-none-match: {tag}" {
		return "if-none-match: " + tag
	}
	return line
}

func BenchmarkOpen(b *testing.B) {
	for name, request := range hot(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				request()
			}
		})
	}
}

func TestHotRequestsDoNotAllocate(t *testing.T) {
	for name, request := range hot(t) {
		most := 0.0
		if name == "range" {
			most = 8 // with the race detector; 6 without
		}
		if n := testing.AllocsPerRun(100, request); n > most {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
