package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A hub, files and programs stand side by side in one server.
func TestServeMounts(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"site", "programs", "site/sub"} {
		if err := os.Mkdir(filepath.Join(folder, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	file(t, filepath.Join(folder, "site"), "index.html", "<p>home</p>")
	file(t, filepath.Join(folder, "site"), "app.12345678.js", "let x")
	file(t, filepath.Join(folder, "site", "sub"), "index.html", "<p>sub</p>")
	program(t, filepath.Join(folder, "programs"), "one", shellScript)
	program(t, filepath.Join(folder, "programs"), "away", "#!/bin/sh\nprintf 'Location: /sub/\\n\\n'\n")
	config := file(t, folder, "gale.toml", `
[anonymous]
subscribe = ["*"]
[[mount]]
path = "/"
static = "site"
fallback = "index.html"
headers = ["X-Site: yes"]
[[mount.cache]]
pattern = "*.????????.js"
cache-control = "immutable"
[[mount]]
path = "/run"
cgi = "programs"
[[mount]]
path = "/one"
program = "programs/one"
`)
	for _, engine := range []string{engineLoop, engineNetHTTP} {
		t.Run(engine, func(t *testing.T) {
			p := serve(t, "serve", "--config", config, "--addr", "127.0.0.1:0", "--engine", engine)
			for _, c := range []struct {
				path   string
				status int
				says   string // the body begins so
				field  string // of the response, with its value
			}{
				{"/healthz", 200, "ok", ""},
				{"/hub/poll?ch=a&wait=0", 200, "{", ""},
				{"/", 200, "<p>home</p>", "X-Site: yes"},
				{"/app.12345678.js", 200, "let x", "Cache-Control: immutable"},
				{"/sub", 301, "", "Location: /sub/"},
				{"/nothing.js", 404, "", ""},
				{"/run", 308, "", "Location: /run/"},
				{"/run?a=b", 308, "", "Location: /run/?a=b"},
				{"/run/one/more", 200, "/more of /run/one by 127.0.0.1", ""},
				{"/run/two", 404, "", ""},
				{"/run/away", 200, "<p>sub</p>", ""}, // a redirect that the client does not see
				{"/one", 200, " of /one by 127.0.0.1", ""},
				{"/one/more", 200, "/more of /one by 127.0.0.1", ""},
			} {
				client := newClient(t)
				client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
				r, body := p.request(client, "GET", c.path, "", "")
				name, value, _ := strings.Cut(c.field, ": ")
				if r.StatusCode != c.status || !strings.HasPrefix(body, c.says) || r.Header.Get(name) != value {
					t.Errorf("%s: %d %q, %v", c.path, r.StatusCode, body, r.Header)
				}
			}
		})
	}
}
