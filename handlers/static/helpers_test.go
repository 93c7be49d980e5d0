package static_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/handlers/internal/enginetest"
	"github.com/gale-server/gale/handlers/static"
)

// longAgo is a time at which no file of a test is being changed.
var longAgo = time.Date(2020, 2, 3, 4, 5, 6, 789, time.UTC)

// folder makes a folder of files that were written long ago: name to content.
func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		write(t, filepath.Join(dir, name), content)
	}
	return dir
}

// write puts a new file in the place of another, as if long ago.
func write(t testing.TB, name, content string) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(name), 0o755)
	if err == nil {
		err = os.WriteFile(name+"~new", []byte(content), 0o644)
	}
	if err == nil {
		err = os.Chtimes(name+"~new", longAgo, longAgo)
	}
	if err == nil {
		err = os.Rename(name+"~new", name)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// mapFS makes a file system of the same.
func mapFS(files map[string]string) fstest.MapFS {
	m := fstest.MapFS{}
	for name, content := range files {
		m[name] = &fstest.MapFile{Data: []byte(content), ModTime: longAgo}
	}
	return m
}

// open makes a handler that is closed with the test.
func open(t testing.TB, config static.Config) *static.Handler {
	t.Helper()
	config.Logger = enginetest.Quiet
	h, err := static.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// bothTrees runs a test with the files in a folder, and in a file system.
func bothTrees(t *testing.T, files map[string]string, config static.Config, test func(t *testing.T, h *static.Handler)) {
	t.Run("dir", func(t *testing.T) {
		config := config
		config.Dir = folder(t, files)
		test(t, open(t, config))
	})
	t.Run("fs", func(t *testing.T) {
		config := config
		config.FS = mapFS(files)
		test(t, open(t, config))
	})
}

// head makes a header of "name: value" lines.
func head(lines ...string) (headers []asgi.Header) {
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		headers = append(headers, asgi.Header{Name: strings.ToLower(name), Value: value})
	}
	return headers
}

func do(t testing.TB, h asgi.Handler, method, target string, lines ...string) *asgitest.Response {
	t.Helper()
	return asgitest.Do(t, h, asgitest.HTTPScope(method, target, head(lines...)...), nil)
}

func get(t testing.TB, h asgi.Handler, target string, lines ...string) *asgitest.Response {
	t.Helper()
	return do(t, h, "GET", target, lines...)
}
