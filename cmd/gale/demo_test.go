package main

import (
	"io"
	"io/fs"
	"net/http"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// dial opens a WebSocket to a path of the program.
func (p *process) dial(path string) *websocket.Conn {
	p.t.Helper()
	conn, response, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(p.url, "http")+path, nil)
	if err != nil {
		p.t.Fatalf("dial %s: %v (%v)", path, err, response)
	}
	p.t.Cleanup(func() { conn.Close() })
	_ = conn.SetReadDeadline(time.Now().Add(waitLimit))
	return conn
}

func TestDemoServesThePage(t *testing.T) {
	p := serve(t, "demo", "--addr", "127.0.0.1:0")
	get := func(path string) (*http.Response, string) {
		r, err := http.Get(p.url + path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return r, string(body)
	}
	r, body := get("/")
	if r.StatusCode != 200 || !strings.Contains(body, "<title>gale chat</title>") {
		t.Errorf("/: %s %.80q", r.Status, body)
	}
	if csp := r.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		t.Errorf("the policy is %q", csp)
	}
	if r, body := get("/images"); r.StatusCode != 200 || !strings.Contains(body, "<title>gale images</title>") ||
		r.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("/images: %s %v %.80q", r.Status, r.Header, body)
	}
	if r, body := get("/stream"); r.StatusCode != 200 || !strings.Contains(body, "<title>gale stream</title>") {
		t.Errorf("/stream: %s %.80q", r.Status, body)
	}
	if r, _ := get("/app.js"); r.StatusCode != 200 || r.Header.Get("Content-Type") != "text/javascript; charset=utf-8" {
		t.Errorf("/app.js: %s %v", r.Status, r.Header)
	}
	if r, _ := get("/nothing"); r.StatusCode != 404 {
		t.Errorf("/nothing: %s", r.Status)
	}
	p.waitLog(regexp.MustCompile(`path=/nothing status=404`))
}

func TestDemoChats(t *testing.T) {
	for _, engine := range []string{engineLoop, engineNetHTTP} {
		t.Run(engine, func(t *testing.T) { testDemoChats(t, engine) })
	}
}

func testDemoChats(t *testing.T, engine string) {
	p := serve(t, "demo", "--addr", "127.0.0.1:0", "--engine", engine, "--drain-timeout", "2s")
	var conns []*websocket.Conn
	expect := func(conn *websocket.Conn, want string) {
		t.Helper()
		for {
			_, message, err := conn.ReadMessage()
			if err != nil {
				t.Fatalf("waiting for %s: %v", want, err)
			}
			if strings.Contains(string(message), want) {
				return
			}
		}
	}
	for _, name := range []string{"Ada", "Bob"} {
		conn := p.dial("/hub/ws")
		hello := `[{"id":1,"connect":{"token":"id-of-` + name + `.` + name + `%20L."}},` +
			`{"id":2,"subscribe":{"channel":"room:lobby","presence":true,"member":true}}]`
		if err := conn.WriteMessage(websocket.TextMessage, []byte(hello)); err != nil {
			t.Fatal(err)
		}
		expect(conn, `"subscribed"`)
		conns = append(conns, conn)
	}
	expect(conns[0], `"joined":{"channel":"room:lobby","client":"`)
	for i, from := range conns {
		say := `{"id":3,"publish":{"channel":"room:lobby","data":{"text":"hello from ` + string(rune('0'+i)) + `"}}}`
		if err := from.WriteMessage(websocket.TextMessage, []byte(say)); err != nil {
			t.Fatal(err)
		}
		for _, to := range conns {
			expect(to, `"text":"hello from `+string(rune('0'+i)))
		}
	}

	p.signal(syscall.SIGTERM)
	for _, conn := range conns {
		for {
			if _, _, err := conn.ReadMessage(); err != nil {
				if !websocket.IsCloseError(err, websocket.CloseServiceRestart) {
					t.Errorf("the connection ended with %v, want 1012", err)
				}
				break
			}
		}
	}
	if code := p.wait(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}

func TestVisitor(t *testing.T) {
	for token, user := range map[string]string{
		"1.Ada":                                  "1.Ada",
		"1.Ada%20L.":                             "1.Ada L.",
		"1.%C3%89mile%20%F0%9F%90%BF":            "1.\u00c9mile \U0001f43f",
		"1." + strings.Repeat("x", maxNameRunes): "1." + strings.Repeat("x", maxNameRunes),
		"":                                       "",
		"Ada":                                    "",
		".Ada":                                   "",
		"1.":                                     "",
		"1.%20":                                  "",
		"1.Ada%20":                               "",
		"1.%0A":                                  "",
		"1.%FF":                                  "",
		"1.%F":                                   "",
		"1." + strings.Repeat("x", maxNameRunes+1):      "",
		strings.Repeat("1", maxVisitorBytes+1) + ".Ada": "",
	} {
		who, err := visitor(nil, token)
		if who.User != user || (err == nil) != (user != "") {
			t.Errorf("%q is %q, %v; want %q", token, who.User, err, user)
		}
	}
}

func TestDemoRefusesWebSocketsElsewhere(t *testing.T) {
	p := serve(t, "demo", "--addr", "127.0.0.1:0")
	_, r, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(p.url, "http")+"/", nil)
	if err == nil || r == nil || r.StatusCode != 404 {
		t.Errorf("a WebSocket on /: %v, %v", r, err)
	}
	header := http.Header{"Origin": {"http://elsewhere.example"}}
	_, r, err = websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(p.url, "http")+"/hub/ws", header)
	if err == nil || r == nil || r.StatusCode != 403 {
		t.Errorf("a foreign page: %v, %v", r, err)
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		p := serve(t, "demo", "--addr", "127.0.0.1:0")
		p.dial("/hub/ws") // nobody reads: draining would take its time
		p.signal(s)
		p.waitLog(regexp.MustCompile("stopping"))
		p.signal(s)
		if code := p.wait(); code != exitFailure {
			t.Errorf("%v twice: exit code %d", s, code)
		}
	}
}

func TestLogFormat(t *testing.T) {
	p := serve(t, "demo", "--addr", "127.0.0.1:0", "--log-format", "json", "--log-level", "warn", "--access-log=off")
	if r, err := http.Get(p.url); err != nil {
		t.Fatal(err)
	} else {
		r.Body.Close()
	}
	http.DefaultClient.CloseIdleConnections()
	p.signal(syscall.SIGTERM)
	if code := p.wait(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if said := p.log.String(); strings.Contains(said, "access") || strings.Contains(said, "level") {
		t.Errorf("logged below its level: %s", said)
	}
	p = serve(t, "demo", "--addr", "127.0.0.1:0", "--log-format", "json")
	p.signal(syscall.SIGTERM)
	p.waitLog(regexp.MustCompile(`(?m)^\{"time":.*"msg":"stopping`))
	p.wait()
}

var (
	reference = regexp.MustCompile(`(?:src|href|from|new Worker)\s*[=(]?\s*"([^"#]+)"`)
	outside   = regexp.MustCompile(`(?i)(https?:)?//[a-z0-9-]+\.[a-z]`)
)

// pagesByPath are what links between the pages say.
var pagesByPath = map[string]string{"./": "index.html", "images": "images.html", "stream": "stream.html"}

// The pages need nothing but their own files, and have none too many.
func TestPageIsWhole(t *testing.T) {
	files, err := fs.Sub(page, "page")
	if err != nil {
		t.Fatal(err)
	}
	needed := map[string]bool{"index.html": true}
	present := map[string]bool{}
	err = fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		present[name] = true
		content, err := fs.ReadFile(files, name)
		for _, m := range reference.FindAllStringSubmatch(string(content), -1) {
			if m[1] == "./hub/client.js" {
				continue // of the hub itself
			}
			name, ok := pagesByPath[m[1]]
			if !ok {
				name = strings.TrimPrefix(m[1], "./")
			}
			needed[name] = true
		}
		text := strings.ReplaceAll(string(content), "http://www.w3.org/2000/svg", "")
		if m := outside.FindString(text); m != "" {
			t.Errorf("%s refers to %q", name, m)
		}
		if strings.HasSuffix(name, ".js") && strings.Contains(text, "innerHTML") {
			t.Errorf("%s makes markup of text", name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range needed {
		if !present[name] {
			t.Errorf("%s is referred to and missing", name)
		}
	}
	for name := range present {
		if !needed[name] {
			t.Errorf("%s is not referred to", name)
		}
	}
}
