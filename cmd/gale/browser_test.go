package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/asgi/nethttp"
	"github.com/gale-server/gale/asgi/server"
	"github.com/gale-server/gale/internal/longtest"
)

// TestBrowser has two pages of the demo talk in Chromium over each transport, pulls
// plugs, cuts one off and restarts the server; .ci/browser/chat.mjs says what must be seen.
func TestBrowser(t *testing.T) {
	run := browserScript(t)
	demo := func(addr string) *process {
		return serve(t, "demo", "--addr", addr, "--drain-timeout", "2s")
	}
	p := demo("127.0.0.1:0")
	run(t, "chat.mjs", p.url, restarts(t, &p, demo))
}

// TestBrowserImages has pictures worked on in Chromium, and the server restarted
// meanwhile; .ci/browser/images.mjs says what must be seen.
func TestBrowserImages(t *testing.T) {
	run := browserScript(t)
	demo := func(addr string) *process {
		return serve(t, "demo", "--addr", addr, "--drain-timeout", "2s")
	}
	p := demo("127.0.0.1:0")
	run(t, "images.mjs", p.url, restarts(t, &p, demo))
}

// TestBrowserTokens has text streamed to Chromium, cut off, held up and given up;
// .ci/browser/tokens.mjs says what must be seen.
func TestBrowserTokens(t *testing.T) {
	run := browserScript(t)
	p := serve(t, "demo", "--addr", "127.0.0.1:0", "--drain-timeout", "2s")
	run(t, "tokens.mjs", p.url, func(line string) string {
		t.Errorf("the script said %q", line)
		return ""
	})
}

// restarts returns what restarts the demo when a script says so.
func restarts(t *testing.T, p **process, demo func(addr string) *process) func(line string) (answer string) {
	return func(line string) string {
		if line != "restart" {
			t.Errorf("the script said %q", line)
			return ""
		}
		(*p).signal(syscall.SIGTERM)
		if code := (*p).wait(); code != exitOK {
			t.Errorf("the server ended with %d", code)
		}
		*p = demo(strings.TrimPrefix((*p).url, "http://"))
		return "restarted"
	}
}

// TestBrowserStream has a page's EventSource listen to a chi router on the event
// loop; .ci/browser/stream.mjs says what must be seen. That the page has gone the
// server learns from the end of its stream, if that counts as such, and else from
// the next thing it sends.
func TestBrowserStream(t *testing.T) {
	run := browserScript(t)
	for name, test := range map[string]struct {
		halfClose server.HalfClose
		beat      time.Duration // of what is sent to a page that has all events
	}{
		"end of stream": {server.HalfCloseDisconnects, time.Hour},
		"heartbeat":     {server.HalfCloseServes, 50 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			router := newStreamRouter(test.beat)
			url := serveHere(t, server.Config{
				Handler:   asgi.Goroutine(nethttp.Application(router), nil),
				HalfClose: test.halfClose,
			})
			noticed := false
			run(t, "stream.mjs", url, func(line string) string {
				if line != "gone" {
					t.Errorf("the script said %q", line)
					return ""
				}
				select {
				case n := <-router.left:
					if noticed = n == streamEvents; !noticed {
						t.Errorf("the page went after %d events", n)
					}
				case <-time.After(waitLimit):
					t.Error("the handler's context is not cancelled when the page goes")
				}
				return "noticed"
			})
			if !noticed && !t.Failed() {
				t.Error("the script never said that the page went")
			}
		})
	}
}

// serveHere runs a server in this process until the test is over.
func serveHere(t *testing.T, cfg server.Config) (url string) {
	t.Helper()
	asgitest.CheckLeaks(t)
	cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	cfg.DrainTimeout = 2 * time.Second
	srv, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	addr, err := srv.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx) }() // ends with the test
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return "http://" + addr.String()
}

// streamEvents is how many events the stream has.
const streamEvents = 5

// streamRouter is a chi router with a page, and a stream of events for it. Each
// event follows when the page has confirmed the one before, so that one which is
// held back anywhere stops the stream.
type streamRouter struct {
	*chi.Mux
	beat time.Duration
	seen chan int // confirmations of the page
	left chan int // how many events had been confirmed when the page went
}

func newStreamRouter(beat time.Duration) *streamRouter {
	r := &streamRouter{Mux: chi.NewRouter(), beat: beat, seen: make(chan int, streamEvents), left: make(chan int, 1)}
	r.Use(middleware.RequestID, middleware.Recoverer)
	r.Get("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, streamPage)
	})
	r.Get("/events", r.events)
	r.Post("/seen/{n}", func(w http.ResponseWriter, req *http.Request) {
		n, _ := strconv.Atoi(chi.URLParam(req, "n"))
		r.seen <- n
		w.WriteHeader(http.StatusNoContent)
	})
	return r
}

const streamPage = `<!doctype html><title>stream</title><link rel="icon" href="data:,"><ol></ol><script>
new EventSource("/events").onmessage = (event) => {
	document.querySelector("ol").append(Object.assign(document.createElement("li"), { textContent: event.lastEventId + " " + event.data }));
	fetch("/seen/" + event.lastEventId, { method: "POST" });
};
</script>`

func (r *streamRouter) events(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	for n := 1; n <= streamEvents; n++ {
		fmt.Fprintf(w, "id: %d\ndata: event\ndata: of %d\n\n", n, streamEvents)
		w.(http.Flusher).Flush()
		select {
		case got := <-r.seen:
			if got != n {
				panic(fmt.Sprintf("the page has seen %d, not %d", got, n))
			}
		case <-req.Context().Done():
			r.left <- n - 1
			return
		}
	}
	heart := time.NewTicker(r.beat)
	defer heart.Stop()
	for {
		select {
		case <-heart.C:
			_, _ = io.WriteString(w, ": a comment\n\n") // an error comes with the context's end
			w.(http.Flusher).Flush()
		case <-req.Context().Done():
			r.left <- streamEvents
			return
		}
	}
}

// browserScript returns a function that runs a script of .ci/browser on a url
// and passes each line it says to said, whose answer it gets.
func browserScript(t *testing.T) (run func(t *testing.T, script, url string, said func(line string) (answer string))) {
	t.Helper()
	if !longtest.On() {
		t.Skip("SKIPPED: browsers need minutes; run them with GALE_TEST=long")
	}
	node := tool(t, "node", "apt-get install nodejs npm")
	chromium := tool(t, "chromium", "apt-get install chromium")
	folder := filepath.Join("..", "..", ".ci", "browser")
	if _, err := os.Stat(filepath.Join(folder, "node_modules", "playwright-core")); err != nil {
		t.Skip("SKIPPED: playwright-core is not installed; get it with: (cd .ci/browser && npm ci)")
	}
	return func(t *testing.T, script, url string, said func(line string) (answer string)) {
		t.Helper()
		cmd := exec.Command(node, script, chromium, url)
		cmd.Dir = folder
		log := newWatchedBuffer()
		cmd.Stderr = log
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		// Its own process group, so that no browser outlives the script.
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		limit := time.AfterFunc(2*time.Minute, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
		defer limit.Stop()
		defer func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }()

		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			if answer := said(lines.Text()); answer != "" {
				if _, err := io.WriteString(stdin, answer+"\n"); err != nil {
					t.Error(err)
				}
			}
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v:\n%s", err, log)
		}
		t.Logf("\n%s", log)
	}
}
