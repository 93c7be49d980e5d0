package python

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/internal/enginetest"
	"github.com/gale-server/gale/internal/longtest"
)

// site is a server that runs an application of testdata/apps.
type site struct {
	t *testing.T
	*enginetest.Server
}

// framework tests an application of testdata/apps on each engine, in the interpreter of
// the system, for which distributions have the modules. One engine is enough in the short
// run, and so are the frameworks that no example has.
func framework(t *testing.T, module, app string, test func(s site), needs ...string) {
	interpreter := "/usr/bin/python3"
	if err := exec.Command(interpreter, "-c", "import "+strings.Join(append(needs, "sys"), ",")).Run(); err != nil {
		t.Skipf("SKIPPED: %s has no %q", interpreter, needs)
	}
	dir, err := filepath.Abs("testdata/apps")
	if err != nil {
		t.Fatal(err)
	}
	engines := 0
	enginetest.Each(t, enginetest.Options{}, func(t *testing.T) asgi.Handler {
		engines++
		if engines > 1 && !longtest.On() {
			t.Skip("the short run has one engine")
		}
		h, err := New(Config{
			Python: interpreter, Dir: dir, App: module + ":" + app, Workers: 1, Factory: app == "channels",
			Env: append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1"), Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		return h
	}, func(t *testing.T, s *enginetest.Server) { test(site{t, s}) })
}

// leaveToExamples leaves a framework to the test of an example in the short run.
func leaveToExamples(t *testing.T) {
	if !longtest.On() {
		t.Skip("in the short run, the example with this framework is enough")
	}
}

func (s site) do(method, path, kind string, body io.Reader) (*http.Response, string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), longtest.Patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, "http://"+s.Addr+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	res, err := s.Client.Do(r)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = res.Body.Close() }()
	p, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return res, string(p)
}

// get wants a page that has the text.
func (s site) get(path string, status int, text string) *http.Response {
	s.t.Helper()
	res, body := s.do("GET", path, "", nil)
	if res.StatusCode != status || !strings.Contains(body, text) {
		s.t.Errorf("GET %s: %d %q, want %d %q", path, res.StatusCode, body, status, text)
	}
	return res
}

func (s site) post(path, kind, body, text string) {
	s.t.Helper()
	res, got := s.do("POST", path, kind, strings.NewReader(body))
	if res.StatusCode != http.StatusOK || got != text {
		s.t.Errorf("POST %s: %d %q, want %q", path, res.StatusCode, got, text)
	}
}

func (s site) form() {
	s.post("/form", "application/x-www-form-urlencoded", "field=value", "form value")
}

func (s site) upload() {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, err := w.CreateFormFile("file", "name.bin")
	if err != nil {
		s.t.Fatal(err)
	}
	_, _ = part.Write(make([]byte, 3<<20))
	_ = w.Close()
	s.post("/upload", w.FormDataContentType(), b.String(), fmt.Sprint("name.bin ", 3<<20))
}

// file wants the application's own source.
func (s site) file(module string) {
	source, err := os.ReadFile("testdata/apps/" + module + ".py")
	if err != nil {
		s.t.Fatal(err)
	}
	if res := s.get("/file", http.StatusOK, string(source)); res.ContentLength != int64(len(source)) {
		s.t.Errorf("the file has %d bytes, the response %d", len(source), res.ContentLength)
	}
}

func (s site) stream() { s.get("/stream", http.StatusOK, "part 0\npart 1\npart 2\npart 3\npart 4\n") }

// eventually waits for a page to have the text.
func (s site) eventually(path, text string) {
	s.t.Helper()
	for deadline := time.Now().Add(longtest.Patience); ; time.Sleep(time.Millisecond) {
		_, body := s.do("GET", path, "", nil)
		if strings.Contains(body, text) {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("GET %s: %q, want %q", path, body, text)
		}
	}
}

func (s site) dial(path string, protocols ...string) *websocket.Conn {
	s.t.Helper()
	d := websocket.Dialer{Subprotocols: protocols, HandshakeTimeout: longtest.Patience}
	ws, _, err := d.DialContext(s.t.Context(), "ws://"+s.Addr+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	_ = ws.SetReadDeadline(time.Now().Add(longtest.Patience))
	return ws
}

// echo sends messages of all sizes and wants them back.
func (s site) echo(ws *websocket.Conn) {
	s.t.Helper()
	for _, text := range []string{"hello", "", strings.Repeat("\u00e9", 300<<10)} {
		if err := ws.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
			s.t.Fatal(err)
		}
		if _, got, err := ws.ReadMessage(); err != nil || string(got) != text {
			s.t.Fatalf("%d bytes came back of %d: %v", len(got), len(text), err)
		}
	}
}

func TestFrameworkStarlette(t *testing.T) {
	framework(t, "starlette_app", "app", func(s site) {
		if res := s.get("/?q=1", http.StatusOK, `{"path":"/","q":"1","seen":["startup"`); res.Header.Get("X-Middleware") != "yes" {
			s.t.Error("the middleware did not run")
		}
		s.get("/threaded", http.StatusOK, "from a thread")
		s.get("/error", http.StatusInternalServerError, "")
		s.stream()
		s.file("starlette_app")
		s.upload()
		s.get("/background", http.StatusOK, "ok")
		s.eventually("/", "background")
		ctx, leave := context.WithCancel(s.t.Context())
		r, _ := http.NewRequestWithContext(ctx, "GET", "http://"+s.Addr+"/endless", nil)
		res, err := s.Client.Do(r)
		if err != nil {
			s.t.Fatal(err)
		}
		_, _ = io.ReadFull(res.Body, make([]byte, 5000))
		leave()
		_ = res.Body.Close()
		s.eventually("/", "endless is over")
		ws := s.dial("/ws", "echo")
		if ws.Subprotocol() != "echo" {
			s.t.Errorf("subprotocol %q", ws.Subprotocol())
		}
		s.echo(ws)
		_ = ws.Close()
		s.eventually("/", "websocket is over")
	}, "starlette", "multipart")
}

func TestFrameworkFastAPI(t *testing.T) {
	framework(t, "fastapi_app", "app", func(s site) {
		s.get("/", http.StatusOK, `"value":"dependency","seen":["startup"`)
		s.post("/items", "application/json", `{"name": "pen", "price": 2}`, `{"name":"pen","price":2.0}`)
		s.eventually("/", "pen")
		if res, body := s.do("POST", "/items", "application/json", strings.NewReader(`{"name": 1}`)); res.StatusCode != http.StatusUnprocessableEntity {
			s.t.Errorf("%d %s", res.StatusCode, body)
		}
		s.get("/docs", http.StatusOK, "swagger")
		ws := s.dial("/ws")
		s.echo(ws)
		_ = ws.Close()
	}, "fastapi")
}

func TestFrameworkBottle(t *testing.T) {
	framework(t, "bottle_app", "app", func(s site) {
		s.get("/hello/gale", http.StatusOK, "Hello, gale")
		s.get("/none", http.StatusNotFound, "")
		s.form()
		s.stream()
		s.file("bottle_app")
	}, "bottle")
}

func TestFrameworkFlask(t *testing.T) {
	leaveToExamples(t)
	framework(t, "flask_app", "app", func(s site) {
		s.get("/?q=1", http.StatusOK, `"query":"1"`)
		s.get("/error", http.StatusInternalServerError, "")
		s.form()
		s.stream()
		s.eventually("/", `"closed":["stream"`)
		s.file("flask_app")
	}, "flask")
}

func TestFrameworkDjango(t *testing.T) {
	leaveToExamples(t)
	for _, app := range []string{"wsgi", "asgi"} {
		t.Run(app, func(t *testing.T) {
			framework(t, "django_app", app, func(s site) {
				s.get("/?q=1", http.StatusOK, `{"path": "/", "q": "1", "scheme": "http"}`)
				s.get("/async", http.StatusOK, "async")
				s.get("/error", http.StatusInternalServerError, "")
				s.form()
				s.upload()
				s.stream()
				s.file("django_app")
			}, "django")
		})
	}
}

func TestFrameworkChannels(t *testing.T) {
	leaveToExamples(t)
	framework(t, "django_app", "channels", func(s site) {
		s.get("/", http.StatusOK, `"path": "/"`)
		ws := s.dial("/ws", "echo")
		s.echo(ws)
		_ = ws.Close()
	}, "django", "channels")
}

func TestFrameworkSocketIO(t *testing.T) {
	framework(t, "socketio_app", "app", func(s site) {
		_, body := s.do("GET", "/socket.io/?EIO=4&transport=polling", "", nil)
		if !strings.HasPrefix(body, `0{"sid":`) {
			s.t.Fatalf("%q", body)
		}
		ws := s.dial("/socket.io/?EIO=4&transport=websocket")
		defer func() { _ = ws.Close() }()
		for _, step := range []struct{ send, want string }{{"", `0{"sid":`}, {"40", `40{"sid":`}, {`42["echo","hi"]`, `42["echo","hi"]`}} {
			if step.send != "" {
				if err := ws.WriteMessage(websocket.TextMessage, []byte(step.send)); err != nil {
					s.t.Fatal(err)
				}
			}
			if _, got, err := ws.ReadMessage(); err != nil || !strings.HasPrefix(string(got), step.want) {
				s.t.Fatalf("%q %v, want %q", got, err, step.want)
			}
		}
	}, "socketio")
}
