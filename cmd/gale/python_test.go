package main

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/gale-server/gale/internal/longtest"
)

// pythonWith is an interpreter that has some modules.
func pythonWith(t *testing.T, install string, modules ...string) string {
	t.Helper()
	for _, path := range []string{"/usr/bin/python3", "python3"} {
		path, err := exec.LookPath(path)
		if err == nil && exec.Command(path, "-c", "import sys\n"+"import "+strings.Join(append(modules, "json"), ",")).Run() == nil {
			return path
		}
	}
	t.Skipf("SKIPPED: Python has not all of %v; get them with: apt-get install %s", modules, install)
	return ""
}

// example copies an example, whose data is to be the test's.
func example(t *testing.T, name string) (folder string) {
	t.Helper()
	folder = filepath.Join(t.TempDir(), name)
	if err := os.CopyFS(folder, os.DirFS(filepath.Join("..", "..", "examples", name))); err != nil {
		t.Fatal(err)
	}
	return folder
}

// manage runs a command of Django.
func manage(t *testing.T, python, folder string, args ...string) {
	t.Helper()
	cmd := exec.Command(python, append([]string{"manage.py"}, args...)...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "DJANGO_SUPERUSER_PASSWORD=secret", "PYTHONDONTWRITEBYTECODE=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("manage.py %v: %v\n%s", args, err, out)
	}
}

// browser is a client that keeps cookies and follows redirects.
type browser struct {
	t    *testing.T
	url  string
	http *http.Client
}

func newBrowser(t *testing.T, url string) *browser {
	client := newClient(t)
	client.Jar, _ = cookiejar.New(nil) // never fails
	return &browser{t, strings.TrimSuffix(url, "/"), client}
}

func (b *browser) read(r *http.Response, err error) (int, string) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return r.StatusCode, string(body)
}

// get needs a page that says something.
func (b *browser) get(path, says string) string {
	b.t.Helper()
	status, body := b.read(b.http.Get(b.url + path))
	if status != 200 || !strings.Contains(body, says) {
		b.t.Fatalf("GET %s: %d %.500s", path, status, body)
	}
	return body
}

var csrf = regexp.MustCompile(`name="csrfmiddlewaretoken" value="(\w+)"`)

// submit fills in the form of a page of Django.
func (b *browser) submit(path, says string, fields url.Values) {
	b.t.Helper()
	if m := csrf.FindStringSubmatch(b.get(path, "csrfmiddlewaretoken")); m != nil {
		fields.Set("csrfmiddlewaretoken", m[1])
	}
	status, body := b.read(b.http.PostForm(b.url+path, fields))
	if status != 200 || !strings.Contains(body, says) {
		b.t.Fatalf("POST %s: %d %.500s", path, status, body)
	}
}

// The example of Django is served as it is: forms, sessions, the admin with its static
// files, streaming and asynchronous views, and the chat of Channels.
func TestRunDjango(t *testing.T) {
	python := pythonWith(t, "python3-django python3-django-channels", "django", "channels")
	folder := example(t, "10-django")
	manage(t, python, folder, "migrate", "-v0")
	manage(t, python, folder, "createsuperuser", "--no-input", "--username", "root", "--email", "root@example.org")
	manage(t, python, folder, "collectstatic", "--no-input", "-v0")
	for name, c := range map[string]struct {
		args []string
		dir  string
		says string
		chat bool
	}{
		"found":      {nil, folder, "gale has found a Django project with the settings mysite.settings", true},
		"by WSGI":    {[]string{"mysite.wsgi:application", "--app-dir", folder, "--static", "/static=" + filepath.Join(folder, "static"), "--env", "DEBUG=0"}, "", "the Python application mysite.wsgi:application", false},
		"on nethttp": {[]string{folder, "--engine", "nethttp"}, "", "the Python application mysite.asgi:application of " + folder, true},
	} {
		t.Run(name, func(t *testing.T) {
			if name != "found" && !longtest.On() {
				t.Skip("one of them is enough in the short run")
			}
			cmd := command(t, nil, append([]string{"run", "--port", "0", "--workers", "1", "--drain-timeout", "2s", "--python", python}, c.args...)...)
			cmd.Dir = c.dir
			p := serveCommand(t, cmd)
			if !strings.Contains(p.log.String(), c.says) {
				t.Errorf("said %s", p.log)
			}
			b := newBrowser(t, p.url)
			b.submit("/", "<li>from "+name, url.Values{"text": {"from " + name}})
			b.submit("/", "This field is required", url.Values{"text": {""}})
			b.get("/count/", "0\n1\n2\n3\n4\n")
			b.get("/wait/", `{"waited": true}`)
			b.get("/static/admin/css/base.css", "body")
			b.submit("/admin/login/?next=/admin/", "Site administration", url.Values{"username": {"root"}, "password": {"secret"}})
			b.get("/admin/board/note/", "from "+name)
			var clients []*websocket.Conn
			if c.chat {
				clients = chats(t, p)
			}
			p.signal(syscall.SIGTERM)
			for _, c := range clients {
				if _, _, err := c.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseServiceRestart) {
					t.Errorf("at the end: %v", err)
				}
				_ = c.Close()
			}
			if code := p.wait(); code != exitOK {
				t.Errorf("exit code %d, said %s", code, p.log)
			}
		})
	}
}

// chats has two clients speak with one another, and leaves them connected.
func chats(t *testing.T, p *process) (clients []*websocket.Conn) {
	t.Helper()
	for range 2 {
		c, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(p.url, "http")+"chat/lobby/", nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		clients = append(clients, c)
	}
	for i, c := range clients {
		text := fmt.Sprintf(`{"text": "from %d"}`, i)
		if err := c.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
			t.Fatal(err)
		}
		for _, other := range clients {
			if _, got, err := other.ReadMessage(); err != nil || string(got) != text {
				t.Fatalf("%s, %v; want %s", got, err, text)
			}
		}
	}
	return clients
}

// The example of Flask is served as it is.
func TestRunFlask(t *testing.T) {
	python := pythonWith(t, "python3-flask", "flask")
	folder := example(t, "11-flask")
	cmd := command(t, nil, "run", "--port", "0", "--workers", "2", "--python", python)
	cmd.Dir = folder
	p := serveCommand(t, cmd)
	if !strings.Contains(p.log.String(), "gale has found an application of Flask in app.py") {
		t.Errorf("said %s", p.log)
	}
	b := newBrowser(t, p.url)
	b.get("/", "Hello, world!")
	if status, body := b.read(b.http.PostForm(b.url+"/", url.Values{"name": {"gale"}})); status != 200 || !strings.Contains(body, "Hello, gale!") {
		t.Errorf("%d %s", status, body)
	}
	b.get("/count", "0\n1\n2\n3\n4\n")
	b.get("/source", `"""Flask on gale`)
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	part, err := w.CreateFormFile("file", "large.bin")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = part.Write(make([]byte, 5<<20))
	_ = w.Close()
	status, body := b.read(b.http.Post(b.url+"/upload", w.FormDataContentType(), &form))
	if status != 200 || !strings.Contains(body, `"bytes":5242880`) || !strings.Contains(body, "c036cbb7553a909f8b8877d4461924307f27ecb66cff928eeeafd569c3887e29") {
		t.Errorf("%d %s", status, body)
	}
}

// A reload has new code serve, and keeps the old one if the new one does not start.
func TestRunReloads(t *testing.T) {
	python := pythonWith(t, "python3")
	folder := t.TempDir()
	says := func(text string) {
		file(t, folder, "app.py", "def app(environ, start_response):\n    start_response('200 OK', [])\n    return [b'"+text+"']\n")
	}
	says("one")
	p := serve(t, "run", "--port", "0", "--workers", "2", "--python", python, "--app-dir", folder, "app:app")
	b := newBrowser(t, p.url)
	b.get("/", "one")
	file(t, folder, "app.py", "import nothing_of_that_name\n")
	p.signal(syscall.SIGHUP)
	p.waitLog(regexp.MustCompile(`ModuleNotFoundError`))
	p.waitLog(regexp.MustCompile(`the old one serves on`))
	b.get("/", "one")
	says("two")
	p.signal(syscall.SIGHUP)
	p.waitLog(regexp.MustCompile(`the new code serves`))
	b.get("/", "two")
}

// What does not start says why in its last line, after the traceback.
func TestRunPythonFails(t *testing.T) {
	python := pythonWith(t, "python3")
	folder := t.TempDir()
	file(t, folder, "broken.py", "import nothing_of_that_name\n")
	file(t, folder, "other.py", "application = 1\n")
	for args, says := range map[string]string{
		"broken:app":                       "No module named 'nothing_of_that_name'",
		"other:app":                        "app",
		"nothing:app":                      "nothing",
		"broken:app --python /no/python3":  "/no/python3",
		"broken:app --wsgi --asgi":         "exclude one another",
		"other:application --static x=y=z": "--static",
	} {
		cmd := command(t, nil, append([]string{"run", "--port", "0", "--python", python, "--app-dir", folder}, strings.Fields(args)...)...)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		err := cmd.Run()
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if last := lines[len(lines)-1]; err == nil || !strings.HasPrefix(last, "gale: ") || !strings.Contains(last, says) {
			t.Errorf("%s: %v, said %s", args, err, out.String())
		}
	}
}

// A Python application stands beside the hub: it publishes to those who follow a channel,
// whom gale holds, and says who may.
func TestServePython(t *testing.T) {
	python := pythonWith(t, "python3")
	folder := t.TempDir()
	file(t, folder, "app.py", `
import gale

@gale.on_subscribe
def allow(request):
    return request.channel != "secret"

@gale.job("shout")
def shout(payload):
    return payload.upper()

async def app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError
    body = ("%s %s" % (scope["root_path"], scope["path"])).encode()
    if scope["path"].endswith("/publish"):
        position = await gale.publish("news", b"from Python")
        body = b"%d" % position.offset
    elif scope["path"].endswith("/history"):
        body = b"|".join(p.data for p in (await gale.history("news")).publications)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": body})
`)
	config := file(t, folder, "gale.toml", `
[anonymous]
subscribe = ["*"]
[[mount]]
path = "/app"
python = "app:app"
dir = "."
interpreter = "`+python+`"
workers = 1
`)
	for _, engine := range []string{engineLoop, engineNetHTTP} {
		t.Run(engine, func(t *testing.T) {
			p := serve(t, "serve", "--config", config, "--addr", "127.0.0.1:0", "--engine", engine)
			b := newBrowser(t, p.url)
			b.get("/app/path", "/app /app/path")
			b.get("/app", "/app /app")
			if body := b.get("/app/publish", ""); body == "" {
				t.Error("no offset")
			}
			b.get("/app/history", "from Python")
			b.get("/hub/poll?ch=news&last=1&wait=0", "from Python")
			if status, body := b.read(b.http.Get(b.url + "/hub/poll?ch=secret&wait=0")); status != 403 {
				t.Errorf("a channel that the application does not allow: %d %s", status, body)
			}
		})
	}
}
