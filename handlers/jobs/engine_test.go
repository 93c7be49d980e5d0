package jobs_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/server"
	"github.com/gale-server/gale/handlers/internal/enginetest"
	"github.com/gale-server/gale/handlers/jobs"
)

// engine serves a shop over TCP.
type engine struct {
	*shop
	*enginetest.Server
}

// onEngines runs a test on both engines.
func onEngines(t *testing.T, config jobs.Config, test func(t *testing.T, e *engine)) {
	onEnginesWith(t, enginetest.Options{Drain: 2 * time.Second}, config, test)
}

func onEnginesWith(t *testing.T, o enginetest.Options, config jobs.Config, test func(t *testing.T, e *engine)) {
	var s *shop
	enginetest.Each(t, o, func(t *testing.T) asgi.Handler {
		s = newShop(t, oneWorker, config)
		return s.handler
	}, func(t *testing.T, server *enginetest.Server) {
		test(t, &engine{s, server})
	})
}

// get makes a request and returns its body.
func (e *engine) get(method, path, body, prefer string) (*http.Response, string) {
	e.t.Helper()
	r := e.open(method, path, body, prefer)
	defer r.Body.Close()
	p, err := io.ReadAll(r.Body)
	if err != nil {
		e.t.Fatal(err)
	}
	return r, string(p)
}

func (e *engine) open(method, path, body, prefer string) *http.Response {
	e.t.Helper()
	q, err := http.NewRequest(method, "http://"+e.Addr+path, strings.NewReader(body))
	if err != nil {
		e.t.Fatal(err)
	}
	if prefer != "" {
		q.Header.Set("Prefer", prefer)
	}
	r, err := e.Client.Do(q)
	if err != nil {
		e.t.Fatal(err)
	}
	return r
}

func (e *engine) dial(path string) *websocket.Conn {
	e.t.Helper()
	c, r, err := websocket.DefaultDialer.Dial("ws://"+e.Addr+path, nil)
	if err != nil {
		e.t.Fatal(err)
	}
	r.Body.Close()
	e.t.Cleanup(func() { c.Close() })
	return c
}

func TestEngines(t *testing.T) {
	onEngines(t, jobs.Config{MaxBodyBytes: 8 << 20}, func(t *testing.T, e *engine) {
		if r, body := e.get("POST", "/jobs", "echo hello", "wait=30"); r.StatusCode != 200 || body != "hello" {
			t.Errorf("%d %q", r.StatusCode, body)
		}
		large := strings.Repeat("0123456789abcdef", 200_000)
		if r, body := e.get("POST", "/jobs", "echo "+large, "wait=30"); r.StatusCode != 200 || body != large {
			t.Errorf("%d, %d bytes", r.StatusCode, len(body))
		}
		r, body := e.get("POST", "/jobs", "step", "")
		job := parse(t, []byte(body))
		if r.StatusCode != 202 || r.Header.Get("Location") != job.Location {
			t.Fatalf("%d %q", r.StatusCode, body)
		}
		e.begins("step ")
		stream := e.open("GET", job.Location+"/events", "", "")
		defer stream.Body.Close()
		socket := e.dial(job.Location + "/events")
		e.steps <- 42
		lines := bufio.NewScanner(stream.Body)
		for lines.Scan() && !strings.Contains(lines.Text(), `"percent":42`) {
		}
		close(e.steps)
		rest := ""
		for lines.Scan() {
			rest += lines.Text() + "\n"
		}
		if !strings.Contains(rest, "event: done\n") || lines.Err() != nil {
			t.Errorf("the stream ended with %q, %v", rest, lines.Err())
		}
		last := ""
		for {
			_, p, err := socket.ReadMessage()
			if err != nil {
				if !websocket.IsCloseError(err, 1000) {
					t.Error(err)
				}
				break
			}
			last = parse(t, p).State
		}
		if last != "done" {
			t.Errorf("the last message said %q", last)
		}
	})
}

// A client that closes behind something more than its request leaves no job behind,
// neither one that runs nor one that waits.
func TestEnginesDepart(t *testing.T) {
	departs := enginetest.Options{HalfClose: server.HalfCloseDisconnects}
	onEnginesWith(t, departs, jobs.Config{}, func(t *testing.T, e *engine) {
		for _, more := range []string{"", "G", "\r\n", "GET / HTTP/1.1\r\nHost: h\r\n\r\n"} {
			var conns []net.Conn
			for range 3 {
				c, err := net.Dial("tcp", e.Addr)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				fmt.Fprint(c, "POST /jobs HTTP/1.1\r\nHost: h\r\nPrefer: wait=50\r\nContent-Length: 4\r\n\r\nhold")
				conns = append(conns, c)
			}
			e.queue(1, 2)
			for _, c := range conns {
				fmt.Fprint(c, more)
				c.Close()
			}
			e.queue(0, 0)
		}
	})
}

// Connections that break free the queue, over TCP.
func TestEnginesDisconnect(t *testing.T) {
	onEngines(t, jobs.Config{}, func(t *testing.T, e *engine) {
		e.get("POST", "/jobs", "hold", "")
		e.begins("hold ")
		var conns []net.Conn
		for range 100 {
			c, err := net.Dial("tcp", e.Addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			fmt.Fprint(c, "POST /jobs HTTP/1.1\r\nHost: h\r\nPrefer: wait=50\r\nContent-Length: 4\r\n\r\nhold")
			conns = append(conns, c)
		}
		e.queue(1, 100)
		for _, c := range conns {
			_ = c.(*net.TCPConn).SetLinger(0) // a reset: the end of the stream alone is not a departure
			c.Close()
		}
		e.queue(1, 0)

		socket := e.dial("/jobs/events")
		for range 1000 {
			if err := socket.WriteMessage(websocket.BinaryMessage, []byte("hold")); err != nil {
				t.Fatal(err)
			}
		}
		for range 1000 {
			if _, p, err := socket.ReadMessage(); err != nil || !bytes.Contains(p, []byte(`"accepted"`)) && !bytes.Contains(p, []byte(`"job"`)) {
				t.Fatalf("%s, %v", p, err)
			}
		}
		e.queue(1, 1000)
		_ = socket.NetConn().(*net.TCPConn).SetLinger(0)
		socket.Close()
		e.queue(1, 0)
		close(e.shop.open)
	})
}

func TestEnginesDrain(t *testing.T) {
	onEngines(t, jobs.Config{}, func(t *testing.T, e *engine) {
		_, body := e.get("POST", "/jobs?client=a", "hold", "")
		job := parse(t, []byte(body))
		e.begins("hold ")
		stream := e.open("GET", job.Location+"/events", "", "")
		defer stream.Body.Close()
		lines := bufio.NewReader(stream.Body)
		if _, err := lines.ReadString('{'); err != nil {
			t.Fatal(err)
		}
		socket := e.dial("/jobs/events?client=a")
		if _, _, err := socket.ReadMessage(); err != nil {
			t.Fatal(err)
		}
		type answer struct {
			status int
			body   string
		}
		poll, post := make(chan answer, 1), make(chan answer, 1)
		go func() { r, body := e.get("GET", job.Location+"?wait=50", "", ""); poll <- answer{r.StatusCode, body} }()
		go func() { r, body := e.get("POST", "/jobs", "hold", "wait=50"); post <- answer{r.StatusCode, body} }()
		e.queue(1, 1)
		e.followed(job.ID, 2)
		ended := make(chan error, 1)
		go func() { ended <- e.Stop() }()
		if got := <-poll; got.status != 200 || parse(t, []byte(got.body)).State != "running" {
			t.Errorf("the poll was answered with %+v", got)
		}
		if rest, err := io.ReadAll(lines); err != nil || !strings.Contains(string(rest), "\n\nretry: ") {
			t.Errorf("the stream ended with %q, %v", rest, err)
		}
		for {
			_, _, err := socket.ReadMessage()
			if err == nil {
				continue
			}
			if !websocket.IsCloseError(err, 1012) {
				t.Errorf("the WebSocket ended with %v", err)
			}
			socket.Close()
			break
		}
		if got := <-post; got.status != 503 {
			t.Errorf("the POST was answered with %+v", got)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
		e.queue(0, 0) // by the lifespan
	})
}

// followed waits until so many follow a job.
func (s *shop) followed(id string, n int) {
	s.t.Helper()
	limit := time.Now().Add(waitLimit)
	for s.service.Followers(id) != n {
		if time.Now().After(limit) {
			s.t.Fatalf("%d follow it, not %d", s.service.Followers(id), n)
		}
		time.Sleep(time.Millisecond) // the service gives no signal
	}
}

// TestCurl runs the commands of the package comment.
func TestCurl(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("SKIPPED: curl is not installed; get it with: apt-get install curl")
	}
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "text"), []byte("step"), 0o600); err != nil {
		t.Fatal(err)
	}
	var commands []string
	for line := range strings.Lines(string(doc)) {
		if command, ok := strings.CutPrefix(line, "//\tcurl "); ok {
			command, _, _ = strings.Cut(command, " #")
			commands = append(commands, strings.TrimSpace(command))
		}
	}
	onEngines(t, jobs.Config{}, func(t *testing.T, e *engine) {
		close(e.steps) // no job takes long
		id := ""
		run := func(command string) string {
			command = strings.ReplaceAll(strings.ReplaceAll(command, "localhost:8080", e.Addr), "ID", id)
			ctx, cancel := context.WithTimeout(context.Background(), waitLimit)
			defer cancel()
			cmd := exec.CommandContext(ctx, "/bin/sh", "-c", curl+" -sS "+command)
			cmd.Dir = dir
			out, err := cmd.Output()
			var exit *exec.ExitError
			if errors.As(err, &exit) {
				t.Errorf("curl %s: %v %s", command, err, exit.Stderr)
			}
			return string(out)
		}
		for i, want := range []string{
			"stepped",
			"HTTP/1.1 202 Accepted",
			`"state":"`,
			`"state":"done"`,
			`"state":"done"`,
			"stepped",
			"event: done",
			"",
		} {
			if i >= len(commands) {
				t.Fatalf("%d commands in the package comment", len(commands))
			}
			out := run(commands[i])
			if !strings.Contains(out, want) || want == "" && out != "" {
				t.Errorf("curl %s printed %q", commands[i], out)
			}
			if i == 1 {
				_, location, _ := strings.Cut(strings.ToLower(out), "location: /jobs/")
				id = strings.ToUpper(location[:26])
			}
		}
		if len(commands) != 8 {
			t.Errorf("%d commands in the package comment", len(commands))
		}
	})
}
