package main

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gale-server/gale/internal/longtest"
)

// framework is an application of testdata/frameworks under way.
type framework struct {
	*browser
	p      *process
	events string // the file that the application writes to
}

// serveFramework serves an application. Its events are in a file.
func serveFramework(t *testing.T, engine, app, install string, modules ...string) *framework {
	t.Helper()
	python := pythonWith(t, install, modules...)
	folder, err := filepath.Abs(filepath.Join("testdata", "frameworks"))
	if err != nil {
		t.Fatal(err)
	}
	events := file(t, t.TempDir(), "events", "")
	p := serve(t, "run", "--port", "0", "--engine", engine, "--workers", "1", "--drain-timeout", "2s", "--python", python,
		"--env", "EVENTS="+events, "--env", "PYTHONDONTWRITEBYTECODE=1", "--app-dir", folder, app)
	return &framework{newBrowser(t, p.url), p, events}
}

// saw waits until the application has noted something.
func (f *framework) saw(what string) {
	f.t.Helper()
	for deadline := time.Now().Add(waitLimit); ; time.Sleep(time.Millisecond) {
		text, err := os.ReadFile(f.events)
		if err == nil && strings.Contains(string(text), what+"\n") {
			return
		}
		if time.Now().After(deadline) {
			f.t.Fatalf("the application has not noted %q but %q", what, text)
		}
	}
}

// post needs an answer that says something.
func (f *framework) post(path, kind string, body io.Reader, says string) {
	f.t.Helper()
	status, answer := f.read(f.http.Post(f.url+path, kind, body))
	if status != 200 || !strings.Contains(answer, says) {
		f.t.Errorf("POST %s: %d %.300s; want %s", path, status, answer, says)
	}
}

// fails needs a status.
func (f *framework) fails(path string, want int) {
	f.t.Helper()
	if status, body := f.read(f.http.Get(f.url + path)); status != want {
		f.t.Errorf("GET %s: %d %.300s; want %d", path, status, body, want)
	}
}

// echoes has a WebSocket say something twice, and leaves.
func (f *framework) echoes(path string) {
	f.t.Helper()
	c, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(f.url, "http")+path, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	defer c.Close()
	for _, text := range []string{"one", strings.Repeat("é", 100_000)} {
		if err := c.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
			f.t.Fatal(err)
		}
		if _, got, err := c.ReadMessage(); err != nil || string(got) != text {
			f.t.Fatalf("%.100q, %v", got, err)
		}
	}
}

// ends has the server stop in order.
func (f *framework) ends() {
	f.t.Helper()
	f.p.signal(syscall.SIGTERM)
	if code := f.p.wait(); code != exitOK {
		f.t.Errorf("exit code %d, said %s", code, f.p.log)
	}
}

func TestFrameworkStarlette(t *testing.T) {
	engines := []string{engineLoop}
	if longtest.On() {
		engines = append(engines, engineNetHTTP)
	}
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			f := serveFramework(t, engine, "apps:starlette()", "python3-starlette python3-multipart", "starlette", "multipart")
			f.saw("startup")
			f.get("/hello?name=x", `{"hello":"x","answer":42}`)
			f.saw("background")
			f.get("/blocks", "from a thread")
			f.get("/file", `"""Applications of the frameworks`)
			f.fails("/fails", 500)
			f.fails("/nothing", 404)
			f.post("/upload", "application/octet-stream", bytes.NewReader(make([]byte, 3<<20)), strconv.Itoa(3<<20))
			var form bytes.Buffer
			w := multipart.NewWriter(&form)
			_ = w.WriteField("name", "value")
			part, err := w.CreateFormFile("file", "a.bin")
			if err != nil {
				t.Fatal(err)
			}
			_, _ = part.Write(make([]byte, 300_000))
			_ = w.Close()
			f.post("/form", w.FormDataContentType(), &form, "value a.bin 300000")
			f.echoes("/echo")
			f.saw("socket ends")
			q, err := http.NewRequest("GET", f.url+"/stream", nil)
			if err != nil {
				t.Fatal(err)
			}
			q.Header.Set("Accept-Encoding", "identity") // what is compressed would wait for more
			stream, err := f.http.Do(q)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(stream.Body, make([]byte, 6)); err != nil {
				t.Fatal(err)
			}
			_ = stream.Body.Close() // the client leaves, which the application hears
			f.saw("stream ends")
			f.ends()
			f.saw("shutdown")
		})
	}
}

func TestFrameworkFastAPI(t *testing.T) {
	f := serveFramework(t, engineLoop, "apps:fastapi()", "python3-fastapi", "fastapi")
	f.post("/items?name=me", "application/json", strings.NewReader(`{"name":"a","price":1.5}`), `{"name":"a","total":3.0,"user":"me"}`)
	f.fails("/missing", 404)
	f.get("/openapi.json", `"/items"`)
	f.echoes("/echo")
	f.ends()
}

func TestFrameworkBottle(t *testing.T) {
	f := serveFramework(t, engineLoop, "apps:bottle()", "python3-bottle", "bottle")
	f.get("/hello?name=x", "hello x")
	f.post("/upload", "application/octet-stream", bytes.NewReader(make([]byte, 3<<20)), strconv.Itoa(3<<20))
	f.get("/stream", "0\n1\n2\n")
	f.saw("stream ends")
	f.fails("/fails", 500)
	f.ends()
}

// Socket.IO begins with long polls and goes on over a WebSocket
// (https://github.com/socketio/engine.io-protocol).
func TestFrameworkSocketIO(t *testing.T) {
	f := serveFramework(t, engineLoop, "apps:sockets()", "python3-socketio", "socketio")
	open := f.get("/socket.io/?EIO=4&transport=polling", `"upgrades":["websocket"]`)
	_, rest, _ := strings.Cut(open, `"sid":"`)
	sid, _, _ := strings.Cut(rest, `"`)
	poll := "/socket.io/?EIO=4&transport=polling&sid=" + sid
	f.post(poll, "text/plain;charset=UTF-8", strings.NewReader("40"), "OK")
	f.get(poll, "40{")
	f.post(poll, "text/plain;charset=UTF-8", strings.NewReader(`42["ask","by a poll"]`), "OK")
	f.get(poll, `42["answer","BY A POLL"]`)
	c, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(f.url, "http")+"/socket.io/?EIO=4&transport=websocket&sid="+sid, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	says := func(text, want string) {
		t.Helper()
		if err := c.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if want == "" {
			return
		}
		_, got, err := c.ReadMessage()
		for err == nil && string(got) == "6" { // nothing, which may have been meant for a poll
			_, got, err = c.ReadMessage()
		}
		if err != nil || string(got) != want {
			t.Fatalf("%s, %v; want %s", got, err, want)
		}
	}
	says("2probe", "3probe")
	says("5", "")
	says(`42["ask","by a socket"]`, `42["answer","BY A SOCKET"]`)
	_ = c.Close()
	f.ends()
}

func TestFrameworkPlain(t *testing.T) {
	for app, mode := range map[string]string{"apps:plain": "ASGI", "apps:validated": "WSGI"} {
		f := serveFramework(t, engineLoop, app, "python3")
		f.get("/", "GET ")
		f.post("/", "text/plain", strings.NewReader("body"), "POST body")
		if r, err := http.Head(f.url + "/"); err != nil || r.StatusCode != 200 {
			t.Errorf("%s: %v %v", mode, r, err)
		}
		if strings.Contains(f.p.log.String(), "AssertionError") {
			t.Errorf("%s: %s", mode, f.p.log)
		}
		f.ends()
	}
}
