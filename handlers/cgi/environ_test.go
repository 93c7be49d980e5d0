package cgi_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/cgi"
	"github.com/gale-server/gale/handlers/internal/enginetest"
	"github.com/gale-server/gale/internal/longtest"
)

const dump = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nenv\necho \"ARGS=$#\"\necho \"CWD=$(pwd -P)\"\n"

// variables parses what dump writes.
func variables(t *testing.T, text string) map[string]string {
	t.Helper()
	vars := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if _, again := vars[name]; !ok || again {
			t.Fatalf("line %q in\n%s", line, text)
		}
		vars[name] = value
	}
	for _, shell := range []string{"PWD", "OLDPWD", "SHLVL", "_"} { // these are the shell's own
		delete(vars, shell)
	}
	return vars
}

// raw sends a request as it is, and returns the body of its response.
func raw(t *testing.T, s *enginetest.Server, request string) (status, body string) {
	t.Helper()
	c, err := net.Dial("tcp", s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(longtest.Patience))
	fmt.Fprint(c, request)
	return readRaw(t, c)
}

func TestEnvironment(t *testing.T) {
	t.Setenv("SECRET", "of the server")
	t.Setenv("TZ", "Asia/Tokyo")
	t.Setenv("LD_LIBRARY_PATH", "/nowhere")
	os.Unsetenv("LANG")
	os.Unsetenv("LC_ALL")
	dir := scripts(t, map[string]string{"sub/dump": dump})
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	each(t, func(*testing.T) cgi.Config {
		return cgi.Config{Dir: dir, DocumentRoot: "/srv/www", Env: []string{"OWN=a", "OWN=b", "HTTP_X_FIXED=ours"}}
	}, func(t *testing.T, s *enginetest.Server) {
		_, body := raw(t, s, "POST /cgi/sub/dump/a%20b/../%C3%A9?x=%41+b HTTP/1.0\r\nHost: gale.example:8443\r\n"+
			"Content-Type: text/x\r\nContent-Length: 4\r\nContent-Encoding: gzip\r\nX-Fixed: theirs\r\n"+
			"X-Two: 1\r\nCookie: a=1\r\nX-Two: 2\r\nCookie: b=2\r\n"+
			"Proxy: http://evil\r\nX_Two: evil\r\nX-Forwarded_For: evil\r\nAuthorization: secret\r\nProxy-Authorization: secret\r\n"+
			"Connection: close, X-Hop\r\nX-Hop: hop\r\nTE: trailers\r\nKeep-Alive: 1\r\n\r\nbody")
		vars := variables(t, body)
		_, port, _ := net.SplitHostPort(s.Addr)
		_ = port
		delete(vars, "REMOTE_PORT")
		want := map[string]string{
			"GATEWAY_INTERFACE": "CGI/1.1", "SERVER_SOFTWARE": "gale", "SERVER_PROTOCOL": "HTTP/1.0",
			"REQUEST_METHOD": "POST", "REQUEST_SCHEME": "http", "QUERY_STRING": "x=%41+b",
			"REQUEST_URI": "/cgi/sub/dump/a%20b/../%C3%A9?x=%41+b",
			"SCRIPT_NAME": "/cgi/sub/dump", "SCRIPT_FILENAME": filepath.Join(dir, "sub/dump"),
			"PATH_INFO": "/\u00e9", "PATH_TRANSLATED": "/srv/www/\u00e9", "DOCUMENT_ROOT": "/srv/www",
			"REDIRECT_STATUS": "200", "SERVER_NAME": "gale.example", "SERVER_PORT": "8443", "SERVER_ADDR": "127.0.0.1",
			"REMOTE_ADDR": "127.0.0.1", "REMOTE_HOST": "127.0.0.1",
			"CONTENT_LENGTH": "4", "CONTENT_TYPE": "text/x",
			"HTTP_HOST": "gale.example:8443", "HTTP_CONTENT_ENCODING": "gzip", "HTTP_X_FIXED": "ours",
			"HTTP_X_TWO": "1, 2", "HTTP_COOKIE": "a=1; b=2",
			"PATH": "/usr/local/bin:/usr/bin:/bin", "TZ": "Asia/Tokyo", "OWN": "b",
			"ARGS": "0", "CWD": filepath.Join(real, "sub"),
		}
		for name, value := range want {
			if got, ok := vars[name]; !ok || got != value {
				t.Errorf("%s=%q, want %q", name, got, value)
			}
		}
		for name, value := range vars {
			if _, ok := want[name]; !ok {
				t.Errorf("%s=%q is too much", name, value)
			}
		}
	})
}

// An indexed query, one without "=", never becomes arguments (CVE-2012-1823).
func TestQueryIsNoArgument(t *testing.T) {
	dir := scripts(t, map[string]string{"dump": dump})
	each(t, func(*testing.T) cgi.Config {
		return cgi.Config{Dir: dir, PassAuthorization: true, User: func(*asgi.Scope) (string, string) { return "ann", "Basic" }}
	}, func(t *testing.T, s *enginetest.Server) {
		r := request(t, s, "GET", "/cgi/dump?-s+-d+x", nil)
		r.Header.Set("Authorization", "Basic x")
		vars := variables(t, do(t, s, r).body)
		for name, value := range map[string]string{
			"ARGS": "0", "QUERY_STRING": "-s+-d+x", "HTTP_AUTHORIZATION": "Basic x", "REMOTE_USER": "ann", "AUTH_TYPE": "Basic", "SERVER_PROTOCOL": "HTTP/1.1",
		} {
			if vars[name] != value {
				t.Errorf("%s=%q, want %q", name, vars[name], value)
			}
		}
		for _, absent := range []string{"CONTENT_LENGTH", "CONTENT_TYPE", "PATH_INFO", "PATH_TRANSLATED", "HTTPS", "LD_LIBRARY_PATH", "HOME"} {
			if value, ok := vars[absent]; ok {
				t.Errorf("%s=%q", absent, value)
			}
		}
	})
}

// An environment may not grow without a bound.
func TestEnvironmentLimit(t *testing.T) {
	dir := scripts(t, map[string]string{"dump": dump})
	each(t, func(*testing.T) cgi.Config { return cgi.Config{Dir: dir, MaxEnvBytes: 4 << 10} }, func(t *testing.T, s *enginetest.Server) {
		for n, want := range map[int]int{1000: 200, 4000: 431} {
			r := request(t, s, "GET", "/cgi/dump", nil)
			r.Header = http.Header{"X-Large": {strings.Repeat("x", n)}}
			if a := do(t, s, r); a.StatusCode != want {
				t.Errorf("a field of %d: %d", n, a.StatusCode)
			}
		}
	})
}

// TestLookup: what is below the folder, a regular file and executable, is run; the
// text of a script is never shown.
func TestLookup(t *testing.T) {
	dir := scripts(t, map[string]string{"ok": hello, "sub/ok": hello, "sub/.hidden": hello, ".dot/ok": hello, "back\\slash": hello, "sp ace": hello})
	outside := scripts(t, map[string]string{"evil": hello})
	write(t, filepath.Join(dir, "text"), hello, 0o644)
	write(t, filepath.Join(dir, "everybodys"), hello, 0o777)
	write(t, filepath.Join(dir, "noformat"), "neither a script nor a program\n", 0o755)
	write(t, filepath.Join(dir, "nointerpreter"), "#!/nowhere/interpreter\n", 0o755)
	for link, to := range map[string]string{
		"out": outside, "file": filepath.Join(outside, "evil"), "up": "..", "inside": "sub/ok", "self": ".", "gone": "nowhere", "loop": "loop",
		"inner": "sub",
	} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	evil := filepath.Base(outside)
	cases := map[string]string{
		"/cgi/ok": "200", "/cgi/ok/": "200", "/cgi/ok/more": "200", "/cgi/sub/ok": "200", "/cgi/sp%20ace": "200", "/cgi/back%5Cslash": "200",
		"/cgi/inside": "200", "/cgi/inner/ok": "200", "/cgi/self/self/ok": "200", "/cgi/sub/../ok": "200", "/cgi/ok/../sub/ok": "200",

		"/cgi/": "404", "/cgi/sub": "404", "/cgi/sub/": "404", "/cgi/none": "404", "/cgi/none/ok": "404", "/cgi//ok": "404", "/cgi/sub//ok": "404",
		"/cgi/sub/.hidden": "404", "/cgi/.dot/ok": "404", "/cgi/OK": "404",
		"/cgi/text": "403", "/cgi/everybodys": "403", "/cgi/noformat": "502", "/cgi/nointerpreter": "502",

		"/cgi/out/evil": "404", "/cgi/file": "404", "/cgi/up/" + evil + "/evil": "404", "/cgi/gone": "404", "/cgi/loop": "404",
		"/cgi" + strings.Repeat("/self", 40) + "/ok": "404",

		"/cgi/../" + evil + "/evil": "404", "/cgi/%2e%2e/" + evil + "/evil": "404", "/cgi/.%2E/" + evil + "/evil": "404",
		"/cgi/sub/../../" + evil + "/evil":             "404",
		"/cgi/..%2f" + evil + "/evil":                  "404",
		"/cgi/%2e%2e%2f" + evil + "%2fevil":            "404",
		"/cgi/%252e%252e/" + evil + "/evil":            "404",
		"/cgi/%252e%252e%252f" + evil + "%252fevil":    "404",
		"/cgi/..%5c" + evil + "%5cevil":                "404",
		"/cgi/..\\" + evil + "\\evil":                  "404",
		"/cgi/%c0%ae%c0%ae/" + evil + "/evil":          "404", // overlong
		"/cgi/%c0%ae%c0%ae%c0%af" + evil + "/evil":     "404",
		"/cgi/%e0%80%ae%e0%80%ae/" + evil + "/evil":    "404",
		"/cgi/%u002e%u002e/" + evil + "/evil":          "400 404",
		"/cgi/ok%00.txt":                               "400 404",
		"/cgi/sub%2fok":                                "404",
		"/cgi/sub%2Fok":                                "404",
		"/cgi/;/../../" + evil + "/evil":               "404",
		"/cgi/..;/" + evil + "/evil":                   "404",
		"/cgi/ok/../../../../../../../../etc/passwd":   "404",
		"/cgi/" + strings.Repeat("a/", 2000) + "x":     "404",
		"/cgi/" + strings.Repeat("a", 300):             "404",
		"/cgi/ok" + strings.Repeat("/../ok", 100) + "": "404 200",
	}
	each(t, func(*testing.T) cgi.Config { return cgi.Config{Dir: dir} }, func(t *testing.T, s *enginetest.Server) {
		for path, want := range cases {
			status, body := raw(t, s, "GET "+path+" HTTP/1.0\r\nHost: h\r\n\r\n")
			if !slices.Contains(strings.Fields(want), status) {
				t.Errorf("%s: %s, want %s", path, status, want)
			}
			if status == "200" && body != "hello\n" || strings.Contains(body, "#!") || strings.Contains(body, "neither") {
				t.Errorf("%s: %q", path, body)
			}
		}
	})
}
