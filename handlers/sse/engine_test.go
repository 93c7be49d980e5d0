package sse_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/server"
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/cursor"
	"github.com/gale-server/gale/handlers/internal/enginetest"
	"github.com/gale-server/gale/handlers/sse"
)

// engine serves a handler over TCP.
type engine struct {
	*enginetest.Server
	t *testing.T
}

// onEngines runs a test on both engines.
func onEngines(t *testing.T, handler func(t *testing.T) asgi.Handler, test func(t *testing.T, e *engine)) {
	enginetest.Each(t, enginetest.Options{HalfClose: server.HalfCloseDisconnects}, handler, func(t *testing.T, s *enginetest.Server) {
		test(t, &engine{s, t})
	})
}

// radio is a browser's EventSource at a real server: it reads a stream, and comes
// back where that has ended.
type radio struct {
	e      *engine
	path   string
	seen   browser
	cancel context.CancelFunc
	r      *http.Response
	lines  *bufio.Reader
}

func (e *engine) radio(path string) *radio {
	e.t.Helper()
	r := &radio{e: e, path: path}
	r.connect()
	return r
}

// connect connects, or connects again.
func (r *radio) connect() {
	r.e.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	q, err := http.NewRequestWithContext(ctx, "GET", "http://"+r.e.Addr+r.path, nil)
	if err != nil {
		r.e.t.Fatal(err)
	}
	q.Header.Set("Accept", "text/event-stream")
	if r.seen.lastID != "" {
		q.Header.Set("Last-Event-ID", r.seen.lastID)
	}
	r.r, err = r.e.Client.Do(q)
	if err != nil {
		r.e.t.Fatal(err)
	}
	r.cancel = cancel
	r.lines = bufio.NewReader(r.r.Body)
	r.seen = browser{lastID: r.seen.lastID, id: r.seen.lastID, events: r.seen.events}
}

// next waits for the next event.
func (r *radio) next() string {
	r.e.t.Helper()
	n := len(r.seen.events)
	for len(r.seen.events) == n {
		line, err := r.lines.ReadString('\n')
		if err != nil {
			r.drop()
			return err.Error()
		}
		r.seen.line(strings.TrimSuffix(line, "\n"))
	}
	ev := r.seen.events[n]
	if ev.Type == "message" && !strings.HasPrefix(ev.Data, "{") {
		return ev.Data
	}
	return shorten(r.e.t, ev)
}

func (r *radio) wants(want ...string) {
	r.e.t.Helper()
	for _, want := range want {
		if got := r.next(); got != want {
			r.e.t.Fatalf("got %q, want %q", got, want)
		}
	}
}

// drop breaks the connection.
func (r *radio) drop() {
	r.cancel()
	r.r.Body.Close()
}

// published publishes texts in a channel of a hub.
func published(t *testing.T, h *hub.Hub, channel string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if _, err := h.PublishOne(hub.Publication{Channel: channel, Data: []byte(text)}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestEngines streams over TCP, through connections that break.
func TestEngines(t *testing.T) {
	var s *station
	onEngines(t, func(t *testing.T) asgi.Handler {
		s = newStation(t, hub.Config{Now: time.Now}, sse.Config{Authenticate: as("ann")})
		return s.handler
	}, func(t *testing.T, e *engine) {
		published(t, s.hub, "b", "x")
		r := e.radio("/hub/sse?ch=a,b")
		if r.r.StatusCode != 200 || r.r.Header.Get("Content-Type") != "text/event-stream" {
			t.Fatalf("%+v", r.r)
		}
		r.wants("subscribed a 0/0 0", "subscribed b 1/1 0")
		want := 0
		for range 5 {
			for range 10 {
				want++
				published(t, s.hub, "a", fmt.Sprint("live ", want))
			}
			for i := want - 9; i <= want; i++ {
				r.wants(fmt.Sprintf("a%d live %d", i, i))
			}
			r.drop()
			published(t, s.hub, "a", fmt.Sprint("live ", want+1), fmt.Sprint("live ", want+2))
			r.connect()
			r.wants(fmt.Sprintf("subscribed a %d/%d 0", want, want+2))
			for range 2 {
				want++
				r.wants(fmt.Sprintf("a%d live %d", want, want))
			}
			r.wants("subscribed b 1/1 0")
		}
		r.drop()
		e.gone(s.hub, 0)
	})
}

// gone waits until so many clients are left.
func (e *engine) gone(h *hub.Hub, left int) {
	e.t.Helper()
	limit := time.Now().Add(waitLimit)
	for h.Stats().Clients != left {
		if time.Now().After(limit) {
			e.t.Fatalf("%d clients are left, not %d", h.Stats().Clients, left)
		}
		time.Sleep(time.Millisecond) // the hub gives no signal
	}
}

func TestEnginesDrain(t *testing.T) {
	var s *station
	onEngines(t, func(t *testing.T) asgi.Handler {
		s = newStation(t, hub.Config{Now: time.Now}, sse.Config{})
		return s.handler
	}, func(t *testing.T, e *engine) {
		r := e.radio("/?ch=a")
		r.wants("subscribed a 0/0 0")
		ended := make(chan error, 1)
		go func() { ended <- e.Stop() }()
		rest, err := io.ReadAll(r.lines)
		if err != nil || !strings.Contains("\n"+string(rest), "\nretry: ") {
			t.Errorf("%q, %v", rest, err)
		}
		r.drop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if n := s.hub.Stats().Clients; n != 0 {
			t.Errorf("%d clients are left", n)
		}
	})
}

// A reader that stands still holds up nobody, is sent no more than the outbox
// holds, and gets everything in the end.
func TestEnginesSlowReader(t *testing.T) {
	const messages = 3000
	var s *station
	onEngines(t, func(t *testing.T) asgi.Handler {
		s = newStation(t, hub.Config{
			Now:      time.Now,
			Channels: map[string]hub.Options{"": {HistoryMessages: messages, HistoryBytes: 64 << 20, MaxLagBytes: 64 << 20}},
		}, sse.Config{})
		return s.handler
	}, func(t *testing.T, e *engine) {
		slow, fast := e.radio("/?ch=a"), e.radio("/?ch=a")
		slow.wants("subscribed a 0/0 0")
		fast.wants("subscribed a 0/0 0")
		text := strings.Repeat("x", 4000) // 12 MB in all: more than the kernel takes
		for i := range messages {
			published(t, s.hub, "a", text)
			fast.wants(fmt.Sprintf("a%d %s", i+1, text))
		}
		delivered := s.hub.Stats().Delivered
		if delivered >= 2*messages {
			t.Errorf("%d messages were delivered while one did not read", delivered)
		}
		for i := range messages {
			slow.wants(fmt.Sprintf("a%d %s", i+1, text))
		}
		slow.drop()
		fast.drop()
		e.gone(s.hub, 0)
	})
}

// Tokens of an application, in both forms.
func TestEnginesApplication(t *testing.T) {
	app := func(ctx context.Context, _ *asgi.Scope, _ asgi.Receive, w *sse.Writer) error {
		for i := range 1000 {
			if err := w.Send(ctx, &sse.Event{Data: fmt.Appendf(nil, "token %d", i)}); err != nil {
				return err
			}
		}
		return nil
	}
	causes := make(chan error, 1)
	mux := new(handlers.Mux)
	for name, form := range forms {
		mux.HTTP("/"+name, form(app, nil))
		mux.HTTP("/"+name+"/wait", form(waiting(causes), nil))
		mux.HTTP("/"+name+"/fail", form(func(ctx context.Context, _ *asgi.Scope, _ asgi.Receive, w *sse.Writer) error {
			if err := w.Start(ctx); err != nil {
				return err
			}
			return errors.New("no")
		}, nil))
	}
	onEngines(t, func(*testing.T) asgi.Handler { return mux }, func(t *testing.T, e *engine) {
		for name := range forms {
			r := e.radio("/" + name)
			for i := range 1000 {
				r.wants(fmt.Sprint("token ", i))
			}
			r.wants("end", "EOF")
			if r.connect(); r.r.StatusCode != 204 {
				t.Errorf("who comes back gets %d", r.r.StatusCode)
			}
			r.drop()

			r = e.radio("/" + name + "/fail")
			r.wants("unexpected EOF")

			r = e.radio("/" + name + "/wait")
			r.wants("a")
			r.drop()
			if err := <-causes; !errors.Is(err, asgi.ErrDisconnected) {
				t.Error(err)
			}
		}
	})
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
	var commands []string
	for line := range strings.Lines(string(doc)) {
		if command, ok := strings.CutPrefix(line, "//\tcurl "); ok {
			command, _, _ = strings.Cut(command, " #")
			commands = append(commands, strings.TrimSpace(command))
		}
	}
	wants := []string{
		"subscribed news 3/3 0",
		"subscribed news 0/3 0, news1 1, news2 2, news3 3",
		"subscribed news 2/3 0, news3 3",
		"subscribed news 1/3 0, news2 2, news3 3",
	}
	if len(commands) != len(wants) {
		t.Fatalf("%d commands in the package comment", len(commands))
	}
	var s *station
	onEngines(t, func(t *testing.T) asgi.Handler {
		s = newStation(t, hub.Config{Now: time.Now}, sse.Config{})
		mux := new(handlers.Mux)
		mux.HTTP("/hub/sse", s.handler)
		return mux
	}, func(t *testing.T, e *engine) {
		first := s.publish("news", "1")
		s.publish("news", "2", "3")
		id := secret(t).Sign(cursor.Cursor{Channels: []string{"news"}, Places: []hub.Position{first}})
		for i, command := range commands {
			command = strings.NewReplacer("localhost:8080", e.Addr, "EPOCH:7", first.Epoch+":2", "ID'", id+"'").Replace(command)
			ctx, cancel := context.WithCancel(context.Background())
			cmd := exec.CommandContext(ctx, "/bin/sh", "-c", "exec "+curl+" -sS "+command)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			var b browser
			var got []string
			for lines := bufio.NewScanner(out); strings.Join(got, ", ") != wants[i] && lines.Scan(); {
				n := len(b.events)
				b.line(lines.Text())
				for _, ev := range b.events[n:] {
					got = append(got, shorten(t, ev))
				}
				if len(got) > 4 {
					break
				}
			}
			if strings.Join(got, ", ") != wants[i] {
				t.Errorf("curl %s printed %q", command, got)
			}
			cancel()
			_ = cmd.Wait() // it was killed
		}
		e.gone(s.hub, 0)
	})
}
