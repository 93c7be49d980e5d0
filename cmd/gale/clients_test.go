package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/asgi/http1"
	"github.com/gale-server/gale/asgi/server"
	"github.com/gale-server/gale/asgi/websocket"
	"github.com/gale-server/gale/internal/longtest"
)

// clientTimeout bounds one run of a client.
const clientTimeout = 2 * time.Minute

// startTarget serves what gale conform serves, on the given engine and in the
// given form, until the test ends, and returns its address.
func startTarget(t *testing.T, engine, form string) string {
	t.Helper()
	asgitest.CheckLeaks(t)
	srv, err := newEngine(engine, server.Config{
		Handler:   forms[form](),
		HTTP:      http1.Config{MaxBodyBytes: maxConform},
		WebSocket: websocket.Config{MaxMessageBytes: maxConform},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	addr, err := srv.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- srv.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return addr.String()
}

// tool finds a program of the machine, or skips the test loudly.
func tool(t *testing.T, name, install string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("SKIPPED: %s is not installed; get it with: %s", name, install)
	}
	return path
}

// script is the path of a file below .ci, whose packages must be installed.
func script(t *testing.T, name, needs, install string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", ".ci", name))
	if err != nil {
		t.Fatal(err)
	}
	if needs != "" {
		if _, err := os.Stat(filepath.Join(filepath.Dir(path), needs)); err != nil {
			t.Skipf("SKIPPED: %s is not installed; get it with: %s", needs, install)
		}
	}
	return path
}

func runClient(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), clientTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// clientForms are the forms that clients meet on an engine in the short run, if it is
// one only: two that are far from each other.
var clientForms = map[string]string{engineLoop: "event", engineNetHTTP: "goroutine"}

// TestClients has clients that nobody here wrote talk to the conformance
// target, on both engines and in every form.
func TestClients(t *testing.T) {
	const npm = "(cd .ci/clients && npm ci)"
	// What a client needs is looked for before the target is started.
	clients := map[string]func(t *testing.T, start func() (addr string)){
		"curl": curl,
		"wrk":  wrk,
		"undici": func(t *testing.T, start func() string) {
			node := tool(t, "node", "apt-get install nodejs")
			file := script(t, "clients/http_undici.mjs", "node_modules/undici", npm)
			runClient(t, node, file, "http://"+start())
		},
		"ws": func(t *testing.T, start func() string) {
			node := tool(t, "node", "apt-get install nodejs")
			file := script(t, "clients/websocket_ws.mjs", "node_modules/ws", npm)
			runClient(t, node, file, "ws://"+start())
		},
		"python": func(t *testing.T, start func() string) {
			const python = "/usr/bin/python3" // Debian's, whose packages are meant
			if err := exec.Command(python, "-c", "import websockets, aiohttp").Run(); err != nil {
				t.Skip("SKIPPED: Debian's Python packages are not installed; get them with: apt-get install python3-websockets python3-aiohttp")
			}
			runClient(t, python, script(t, "clients/clients.py", "", ""), start())
		},
	}
	for _, engine := range []string{engineLoop, engineNetHTTP} {
		for form := range forms {
			if !longtest.On() && form != clientForms[engine] {
				continue
			}
			for name, run := range clients {
				if !longtest.On() && name == "wrk" && engine != engineLoop {
					continue // a second of all processors
				}
				t.Run(engine+"/"+name+"/"+form, func(t *testing.T) {
					run(t, func() string { return startTarget(t, engine, form) })
				})
			}
		}
	}
}

func curl(t *testing.T, start func() string) {
	path := tool(t, "curl", "apt-get install curl")
	url := "http://" + start()
	upload := filepath.Join(t.TempDir(), "upload")
	content := strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB: curl sends Expect: 100-continue
	if err := os.WriteFile(upload, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		want string // a regular expression for the whole output
	}{
		{[]string{url + "/"}, `OK`},
		{[]string{"-I", url + "/"}, `(?s)HTTP/1\.1 200 OK\r\n.*Content-Length: 2\r\n.*\r\n`},
		{[]string{"-0", url + "/"}, `OK`},
		{[]string{"-d", "a=b", url + "/"}, `a=b`},
		{[]string{"-H", "Transfer-Encoding: chunked", "-d", "a=b", url + "/"}, `a=b`},
		{[]string{"-b", "a=1; b=2", url + "/cookie"}, `a=1\nb=2\n`},
		{[]string{"-H", "X-A: 1", url + "/echo"}, `(?s).*x-a: 1\n.*`},
		{[]string{url + "/", url + "/", url + "/"}, `OKOKOK`},
		{[]string{"-T", upload, "-H", "Expect: 100-continue", url + "/"}, content},
		{[]string{"-o", os.DevNull, "-w", "%{http_code}", "-H", "Content-Length: 40000000", "-X", "POST", url + "/"}, `413`},
		{[]string{"-o", os.DevNull, "-w", "%{http_code}", "-H", "Host:", url + "/"}, `400`},
		{[]string{"-o", os.DevNull, "-w", "%{http_code}", "-X", "CONNECT", "--request-target", "h:80", url + "/"}, `405`},
	} {
		got := runClient(t, path, append([]string{"-sS", "--max-time", "60"}, test.args...)...)
		if !regexp.MustCompile(`\A(?:` + test.want + `)\z`).MatchString(got) {
			t.Errorf("curl %q printed %.200q, want %.200q", test.args, got, test.want)
		}
	}
}

var wrkRequests = regexp.MustCompile(`(\d+) requests in`)

func wrk(t *testing.T, start func() string) {
	path := tool(t, "wrk", "apt-get install wrk")
	out := runClient(t, path, "-t1", "-c50", "-d1s", fmt.Sprintf("http://%s/", start()))
	requests := wrkRequests.FindStringSubmatch(out)
	if requests == nil || requests[1] == "0" || strings.Contains(out, "Non-2xx") || strings.Contains(out, "Socket errors") {
		t.Fatal(out)
	}
}
