package cgi_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/server"
	"github.com/gale-server/gale/executor"
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/cgi"
	"github.com/gale-server/gale/handlers/internal/enginetest"
	"github.com/gale-server/gale/internal/longtest"
)

// scripts makes a folder of programs; a name is that of its file, with the mode 0755.
func scripts(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		write(t, filepath.Join(dir, name), text, 0o755)
	}
	return dir
}

func write(t testing.TB, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// program compiles a program in C.
func program(t testing.TB, dir, name, source string) {
	t.Helper()
	need(t, "gcc")
	file := filepath.Join(t.TempDir(), name+".c")
	write(t, file, source, 0o600)
	if out, err := exec.Command("gcc", "-O1", "-o", filepath.Join(dir, name), file).CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
}

// need skips, loudly, where a program is not installed.
func need(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("SKIPPED: %s is not installed", name)
	}
	return path
}

// class is an executor class for tests.
func class(t testing.TB, c executor.ClassConfig) *executor.Class {
	t.Helper()
	c.Name = "cgi"
	e, err := executor.New(executor.Config{Classes: []executor.ClassConfig{c}, Logger: enginetest.Quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), longtest.Patience)
		defer cancel()
		if err := e.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return e.Class("cgi")
}

// mount returns a handler of programs, at /cgi, which is closed at the end.
func mount(t testing.TB, c cgi.Config) asgi.Handler {
	t.Helper()
	if c.Class == nil {
		c.Class = class(t, executor.ClassConfig{Workers: 4})
	}
	if c.Logger == nil {
		c.Logger = enginetest.Quiet
	}
	h, err := cgi.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	var m handlers.Mux
	m.HTTP("/cgi/*", h)
	return &m
}

// each serves programs on each engine.
func each(t *testing.T, c func(t *testing.T) cgi.Config, test func(t *testing.T, s *enginetest.Server)) {
	t.Helper()
	enginetest.Each(t, enginetest.Options{HalfClose: server.HalfCloseDisconnects}, func(t *testing.T) asgi.Handler { return mount(t, c(t)) }, test)
}

// answer is a response, whole.
type answer struct {
	*http.Response
	body string
	err  error // of reading the body
}

func get(t testing.TB, s *enginetest.Server, path string) answer {
	t.Helper()
	return do(t, s, request(t, s, "GET", path, nil))
}

func request(t testing.TB, s *enginetest.Server, method, path string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, "http://"+s.Addr+path, body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func do(t testing.TB, s *enginetest.Server, r *http.Request) answer {
	t.Helper()
	client := *s.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return answer{res, string(body), err}
}

// log collects records.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *log) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

const hello = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nhello\\n'\n"

func TestLanguages(t *testing.T) {
	const head = "Content-Type: text/plain"
	dir := scripts(t, map[string]string{
		"shell":  "#!/bin/sh\nread line\nprintf '" + head + "\\n\\n%s %s %s' \"$REQUEST_METHOD\" \"$PATH_INFO\" \"$line\"\n",
		"perl":   "#!/usr/bin/env perl\nmy $l = <STDIN>; print \"" + head + "\\r\\n\\r\\n$ENV{REQUEST_METHOD} $ENV{PATH_INFO} $l\";\n",
		"python": "#!/usr/bin/env python3\nimport os, sys\nprint('" + head + "\\n\\n' + ' '.join([os.environ['REQUEST_METHOD'], os.environ['PATH_INFO'], sys.stdin.readline()]), end='')\n",
	})
	need(t, "perl")
	need(t, "python3")
	program(t, dir, "c", `#include <stdio.h>
#include <stdlib.h>
int main(void) {
	char line[100] = "";
	fgets(line, sizeof line, stdin);
	printf("`+head+`\n\n%s %s %s", getenv("REQUEST_METHOD"), getenv("PATH_INFO"), line);
	return 0;
}`)
	each(t, func(*testing.T) cgi.Config { return cgi.Config{Dir: dir} }, func(t *testing.T, s *enginetest.Server) {
		for _, name := range []string{"c", "shell", "perl", "python"} {
			a := do(t, s, request(t, s, "POST", "/cgi/"+name+"/more/path", strings.NewReader("a line")))
			if a.StatusCode != 200 || a.body != "POST /more/path a line" || a.Header.Get("Content-Type") != "text/plain" {
				t.Errorf("%s: %d %q %v", name, a.StatusCode, a.body, a.Header)
			}
		}
	})
}

// readRaw reads a response to the end of its connection.
func readRaw(t testing.TB, c io.Reader) (status, body string) {
	t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.Status[:3], string(b)
}
