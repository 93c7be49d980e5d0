package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	_ "image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/executor"
	"github.com/gale-server/gale/handlers/jobs"
	"github.com/gale-server/gale/internal/longtest"
)

// places are the values of --images.
var places = []string{picturesInClass, picturesInProcess}

// send sends a request to the program and returns the answer with its body.
func (p *process) send(method, path string, body []byte, headers ...string) (*http.Response, []byte) {
	p.t.Helper()
	request, err := http.NewRequest(method, p.url+path, bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	r, err := http.DefaultClient.Do(request)
	if err != nil {
		p.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer r.Body.Close()
	answer, err := io.ReadAll(r.Body)
	if err != nil {
		p.t.Fatalf("%s %s: %v", method, path, err)
	}
	return r, answer
}

// children counts the processes that the program has started; -1 where that
// cannot be known.
func (p *process) children() (n int) {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", p.cmd.Process.Pid))
	if len(threads) == 0 {
		p.t.Log("SKIPPED: where the work is done, for want of /proc/PID/task/TID/children")
		return -1
	}
	for _, of := range threads {
		pids, _ := os.ReadFile(of) // a thread may have ended
		n += len(strings.Fields(string(pids)))
	}
	return n
}

// testPicture is a PNG of stripes: of few bytes, however much work it is.
func testPicture(t *testing.T, width, height int) []byte {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, width, height))
	for i := range m.Pix {
		m.Pix[i] = byte(i % width / 3)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestPictures(t *testing.T) {
	for _, place := range places {
		t.Run(place, func(t *testing.T) { testPictures(t, place) })
	}
}

func testPictures(t *testing.T, place string) {
	p := serve(t, "demo", "--addr", "127.0.0.1:0", "--images", place, "--drain-timeout", "2s")
	good := testPicture(t, 200, 100)
	for name, c := range map[string]struct {
		query  string
		body   []byte
		status int
		format string
		width  int
		height int
		says   string
	}{
		"as it is":     {"?width=50", good, 200, "png", 50, 25, ""},
		"as a JPEG":    {"?width=50&height=50&fit=cover&format=jpeg", good, 200, "jpeg", 50, 50, ""},
		"rotated":      {"?rotate=90", good, 200, "png", 100, 200, ""},
		"no picture":   {"", []byte("no picture"), 415, "", 0, 0, "no JPEG, PNG"},
		"a bad fit":    {"?fit=none", good, 400, "", 0, 0, "fit"},
		"damaged":      {"", append(bytes.Clone(good[:len(good)/2]), bytes.Repeat([]byte{7}, len(good)/2)...), 422, "", 0, 0, "damaged"},
		"a short page": {"?page=short", good, 400, "", 0, 0, "page"},
	} {
		r, body := p.send("POST", "/images/jobs"+c.query, c.body, "Prefer", "wait=30")
		if r.StatusCode != c.status || !strings.Contains(string(body), c.says) {
			t.Errorf("%s: %s %.200q, want %d %s", name, r.Status, body, c.status, c.says)
			continue
		}
		if c.format == "" {
			continue
		}
		if got, format, err := image.DecodeConfig(bytes.NewReader(body)); err != nil || format != c.format ||
			got.Width != c.width || got.Height != c.height || r.Header.Get("Content-Type") != "image/"+format {
			t.Errorf("%s: %s %dx%d, %v, as %s", name, format, got.Width, got.Height, err, r.Header.Get("Content-Type"))
		}
	}
	if r, body := p.send("POST", "/images/jobs?saturate=1", good, "Prefer", "wait=30"); r.StatusCode != 200 || len(body) > 0 {
		t.Errorf("saturating: %s with %d bytes, which nobody wants", r.Status, len(body))
	}
	http.DefaultClient.CloseIdleConnections()
	p.signal(syscall.SIGTERM)
	if code := p.wait(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}

// A page that saturates the machine fills half of the queue and is then told when
// to come back; whoever has one picture more is served before all of that. The
// end does not wait for what is queued.
func TestPicturesSaturated(t *testing.T) {
	for _, place := range places {
		if place == picturesInProcess && !longtest.On() {
			continue // a worker that starts behind all else takes minutes of a busy machine
		}
		t.Run(place, func(t *testing.T) { testPicturesSaturated(t, place) })
	}
}

func testPicturesSaturated(t *testing.T, place string) {
	p := serve(t, "demo", "--addr", "127.0.0.1:0", "--images", place, "--drain-timeout", "2s", "--access-log", "off")
	const page = "page=0123456789abcdef"
	picture := testPicture(t, 3000, 2500)
	accepted, refused := 0, 0
	for range picturesQueued { // more than half, whatever a processor does meanwhile
		r, body := p.send("POST", "/images/jobs?saturate=1&width=1600&format=png&"+page, picture)
		switch r.StatusCode {
		case 202:
			accepted++
		case 503:
			refused++
			if n, err := strconv.Atoi(r.Header.Get("Retry-After")); err != nil || n < 1 {
				t.Fatalf("Retry-After is %q: %s", r.Header.Get("Retry-After"), body)
			}
		default:
			t.Fatalf("%s %s", r.Status, body)
		}
		if refused > 3 {
			break
		}
	}
	if refused == 0 || accepted < picturesQueued/2 {
		t.Errorf("%d jobs were accepted and %d refused", accepted, refused)
	}
	r, body := p.send("POST", "/images/jobs?width=10&"+page, testPicture(t, 20, 20), "Prefer", "wait=30")
	var job struct{ Location string }
	// 409: it has not ended. What makes pictures gets next to nothing of a busy machine.
	for end := time.Now().Add(pictureTime); (r.StatusCode == 202 || r.StatusCode == 409) && time.Now().Before(end); {
		if job.Location == "" {
			if err := json.Unmarshal(body, &job); err != nil {
				t.Fatal(err)
			}
		}
		r, body = p.send("GET", job.Location+"/result", nil, "Prefer", "wait=30")
	}
	if r.StatusCode != 200 {
		t.Fatalf("a picture among the others: %s %s", r.Status, body)
	}
	if n := p.children(); n >= 0 && (n > 0) != (place == picturesInProcess) {
		t.Errorf("the program has started %d processes", n)
	}
	events := p.dial("/images/jobs/events?" + page)
	queued := 0
	for range accepted {
		var job struct{ State string }
		if _, message, err := events.ReadMessage(); err != nil {
			t.Fatal(err)
		} else if err := json.Unmarshal(message, &job); err != nil {
			t.Fatal(err)
		}
		if job.State == "queued" {
			queued++
		}
	}
	if queued == 0 {
		t.Error("one picture has waited for all that were there before it")
	}
	events.Close()
	http.DefaultClient.CloseIdleConnections()
	p.signal(syscall.SIGTERM)
	if code := p.wait(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}

func TestSamples(t *testing.T) {
	p := serve(t, "demo", "--addr", "127.0.0.1:0")
	r, body := p.send("GET", "/images/samples", nil)
	var names []string
	if err := json.Unmarshal(body, &names); err != nil || len(names) != len(sampleList) {
		t.Fatalf("%s %s %v", r.Status, body, err)
	}
	if r, _ := p.send("GET", "/images/samples/none.jpg", nil); r.StatusCode != 404 {
		t.Errorf("none.jpg: %s", r.Status)
	}
	few := sampleList[3:] // the first take seconds each
	if longtest.On() {
		few = sampleList[1:]
	}
	var wait sync.WaitGroup
	for _, s := range few {
		for range 2 { // the second waits for the first one's job
			wait.Go(func() {
				r, err := http.Get(p.url + "/images/samples/" + s.name)
				if err != nil {
					t.Error(err)
					return
				}
				defer r.Body.Close()
				c, format, err := image.DecodeConfig(r.Body)
				if _, copied := io.Copy(io.Discard, r.Body); err == nil {
					err = copied
				}
				if err != nil || c.Width != s.width || c.Height != s.height || r.Header.Get("Content-Type") != "image/"+format {
					t.Errorf("%s: %s %dx%d %s, %v", s.name, format, c.Width, c.Height, r.Header.Get("Content-Type"), err)
				}
			})
		}
	}
	wait.Wait()
	http.DefaultClient.CloseIdleConnections()
}

// The first sample is what machines are saturated with; it is not to be small by
// accident.
func TestDrawIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	first := sampleList[0]
	if data, err := first.draw(ctx); err == nil {
		t.Errorf("drew %d bytes for nobody", len(data))
	}
	if pixels := first.width * first.height; pixels < 6_000_000 {
		t.Errorf("%s has %d pixels", first.name, pixels)
	}
}

func TestPictureJobs(t *testing.T) {
	p, err := newPictures(picturesInClass, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.end(); err != nil {
			t.Error(err)
		}
	})
	m := image.NewGray(image.Rect(0, 0, 300, 200))
	m.Set(1, 1, color.White)
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	const page, other = "page=0123456789abcdef", "page=fedcba9876543210"
	accept := func(host, query string) executor.Job {
		t.Helper()
		job, err := p.accept(&jobs.Request{
			Scope: &asgi.Scope{Type: asgi.ScopeHTTP, Client: asgi.Address{Host: host}, QueryString: query},
			Body:  b.Bytes(),
		})
		if err != nil {
			t.Fatal(err)
		}
		return job
	}
	job := accept("192.0.2.1", page)
	if job.RunCost < 300*200 || job.Priority != executor.PriorityNormal {
		t.Errorf("a job costs %d bytes and has priority %d", job.RunCost, job.Priority)
	}
	if job := accept("192.0.2.1", page+"&saturate=1"); job.Priority != executor.PriorityLow {
		t.Errorf("saturating has priority %d", job.Priority)
	}
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1", "192.0.2.1", true}, // secrets are made up at will
		{"192.0.2.1", "192.0.2.2", false},
		{"127.0.0.1", "127.0.0.1", false},
		{"::1", "::1", false},
		{"", "", false}, // a Unix socket
	} {
		if a, b := accept(c.a, page).Client, accept(c.b, other).Client; (a == b) != c.same {
			t.Errorf("pages of %q and %q take the turns of %q and %q", c.a, c.b, a, b)
		}
	}
}
