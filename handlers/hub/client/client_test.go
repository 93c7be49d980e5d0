package client_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/hub/client"
	"github.com/gale-server/gale/internal/longtest"
)

func TestFiles(t *testing.T) {
	var mux handlers.Mux
	mux.HTTP("/hub/client.js", client.New())
	mux.HTTP("/types/*", client.New())
	for _, c := range []struct {
		path, contentType, has string
		status                 int
	}{
		{"/hub/client.js", "text/javascript; charset=utf-8", "export class Hub", 200},
		{"/types/client.d.ts", "text/plain; charset=utf-8", "export class Hub", 200},
		{"/types/client.js?v=2", "text/javascript; charset=utf-8", "export class Hub", 200},
		{"/types/", "text/plain; charset=utf-8", "not found", 404},
		{"/types/client.go", "text/plain; charset=utf-8", "not found", 404},
		{"/types/../client.test.mjs", "text/plain; charset=utf-8", "not found", 404},
	} {
		r := asgitest.Do(t, &mux, asgitest.HTTPScope("GET", c.path), nil)
		if r.Status != c.status || r.Header("content-type") != c.contentType || !strings.Contains(string(r.Body), c.has) {
			t.Errorf("%s: %d %q", c.path, r.Status, r.Header("content-type"))
		}
		if c.status != 200 {
			continue
		}
		if r.Header("access-control-allow-origin") != "*" || r.Header("cache-control") != "no-cache" {
			t.Errorf("%s: %v", c.path, r.Headers)
		}
		known := asgitest.HTTPScope("GET", c.path)
		known.Headers = append(known.Headers, asgi.Header{Name: "if-none-match", Value: r.Header("etag")})
		if again := asgitest.Do(t, &mux, known, nil); again.Status != 304 || len(again.Body) > 0 {
			t.Errorf("%s, known: %d", c.path, again.Status)
		}
	}
}

// TestModule sees that what a Content-Security-Policy may forbid, and what only
// build steps understand, is not in the module.
func TestModule(t *testing.T) {
	source, err := os.ReadFile("client.js")
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"eval(", "new Function", "import(", "import ", "innerHTML", "document.write", "require("} {
		if strings.Contains(string(source), word) {
			t.Errorf("the module has %q in it", word)
		}
	}
}

// TestClient has the module talk to a hub in node, where time is the test's;
// testdata/client.test.mjs says what must be seen. GALE_TEST=20x takes
// twenty times as many of the orders of things that come by chance.
func TestClient(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("SKIPPED: node is not installed; get it with: apt-get install nodejs")
	}
	if version, err := exec.Command(node, "--version").Output(); err != nil || !strings.HasPrefix(string(version), "v2") {
		t.Skipf("SKIPPED: node is %s; at least version 20 is needed", strings.TrimSpace(string(version)))
	}
	jitters := []string{""}
	if longtest.On() {
		jitters = append(jitters, "0", "0.9999999", "0.01,0.01,0.01,0.99", "0.05,0.05,0.05,0.05,0.05,0.05,0.99")
	}
	for _, jitter := range jitters {
		t.Run("jitter="+jitter, func(t *testing.T) {
			cmd := exec.Command(node, "--test", "testdata/client.test.mjs")
			cmd.Env = append(os.Environ(), "GALE_TEST_JITTER="+jitter)
			cmd.WaitDelay = longtest.Patience
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		})
	}
}
