package python

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/internal/longtest"
)

// python3 is the interpreter itself: what is in PATH may be a script that looks for it.
var python3 = sync.OnceValue(func() string {
	out, err := exec.Command("python3", "-I", "-c", "import sys; print(sys.executable)").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
})

// needsPython skips the test where there is no Python.
func needsPython(t testing.TB) string {
	t.Helper()
	if python3() == "" {
		t.Skip("SKIPPED: python3 is not installed")
	}
	return python3()
}

// script writes a program that stands for an interpreter.
func script(t testing.TB, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o777); err != nil {
		t.Fatal(err)
	}
	return path
}

// quick returns an interpreter that starts in half the time: it has no site-packages,
// and a script answers the question after its version.
func quick(t testing.TB) string {
	t.Helper()
	return script(t, t.TempDir(), "python", `case "$*" in
*version_info*) echo 3 11 0 cpython ;;
*) exec `+needsPython(t)+` -S "$@" ;;
esac`)
}

// application writes a file of Python into a folder, and returns a Config for app:app
// there. The test must leave nothing behind.
func application(t testing.TB, source string) Config {
	t.Helper()
	wantNothingLeft(t)
	config := Config{Python: quick(t), Dir: t.TempDir(), App: "app:app", Workers: 1, Loop: "asyncio"}
	write(t, config.Dir, "app.py", source)
	config.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	return config
}

func write(t testing.TB, dir, name, source string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(source), 0o666); err != nil {
		t.Fatal(err)
	}
}

// lines is a log.
type lines struct {
	mu    sync.Mutex
	text  strings.Builder
	wrote chan struct{} // has a value when there is more
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(p)
	select {
	case l.wrote <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// wait waits for n lines with all of the texts in it.
func (l *lines) wait(t testing.TB, n int, texts ...string) {
	t.Helper()
	deadline := time.After(longtest.Patience)
	for l.count(texts...) < n {
		select {
		case <-l.wrote:
		case <-deadline:
			t.Fatalf("not %d times in the log: %q\n%s", n, texts, l)
		}
	}
}

func (l *lines) count(texts ...string) (n int) {
	for line := range strings.Lines(l.String()) {
		all := true
		for _, text := range texts {
			all = all && strings.Contains(line, text)
		}
		if all {
			n++
		}
	}
	return n
}

// testPool is a pool with its log.
type testPool struct {
	*pool
	log *lines
	t   testing.TB
}

// wantNothingLeft looks for goroutines, descriptors and processes at the end of the
// test. It is called before anything is started.
func wantNothingLeft(t testing.TB) {
	t.Helper()
	asgitest.CheckLeaks(t)
	t.Cleanup(func() {
		if left := children(); left != "" {
			t.Errorf("processes are left: %s", left)
		}
	})
}

// newTestPool returns a pool that is stopped when the test ends.
func newTestPool(t testing.TB, config Config) *testPool {
	t.Helper()
	log := &lines{wrote: make(chan struct{}, 1)}
	config.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if config.Backoff == 0 {
		config.Backoff = time.Millisecond
	}
	config, err := config.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	p := &testPool{newPool(&config), log, t}
	t.Cleanup(func() {
		if err := p.stop(limited(t)); err != nil {
			t.Error("stop:", err)
		}
		if t.Failed() {
			t.Logf("the log:\n%s", log)
		}
	})
	return p
}

// started is newTestPool, whose workers are ready.
func started(t testing.TB, config Config) *testPool {
	t.Helper()
	p := newTestPool(t, config)
	if err := p.start(limited(t)); err != nil {
		t.Fatal(err)
	}
	return p
}

// only is the worker of a pool of one.
func (p *testPool) only() *worker {
	p.t.Helper()
	ready := p.ready()
	if len(ready) != 1 {
		p.t.Fatalf("%d workers are ready", len(ready))
	}
	return ready[0]
}

// next waits until a worker is ready that is none of those.
func (p *testPool) next(old ...*worker) *worker {
	p.t.Helper()
	deadline := time.After(longtest.Patience)
	for {
		p.mu.Lock()
		change := p.change
		p.mu.Unlock()
		for _, w := range p.ready() {
			if !contains(old, w) {
				return w
			}
		}
		select {
		case <-change:
		case <-deadline:
			p.t.Fatalf("no other worker is ready:\n%s", p.log)
		}
	}
}

func contains(all []*worker, w *worker) bool {
	for _, other := range all {
		if other == w {
			return true
		}
	}
	return false
}

// wait waits for a channel that is closed.
func wait(t testing.TB, what string, ch <-chan struct{}) {
	t.Helper()
	select {
	case <-ch:
	case <-time.After(longtest.Patience):
		t.Fatalf("never: %s", what)
	}
}

func limited(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), longtest.Patience)
	t.Cleanup(cancel)
	return ctx
}

// children are the processes whose parent is this one, zombies too.
func children() string {
	lists, _ := filepath.Glob("/proc/self/task/*/children")
	var all strings.Builder
	for _, path := range lists {
		b, _ := os.ReadFile(path)
		all.Write(b)
	}
	return strings.TrimSpace(all.String())
}
