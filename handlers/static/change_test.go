package static_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/handlers/static"
)

// checked has every request look at the disk.
var checked = static.Config{CheckInterval: -1}

// bothSizes runs a test with files held in memory, and with open ones.
func bothSizes(t *testing.T, config static.Config, test func(t *testing.T, config static.Config)) {
	t.Run("in memory", func(t *testing.T) { test(t, config) })
	config.MaxFileBytes = -1
	t.Run("open", func(t *testing.T) { test(t, config) })
}

// What changes on the disk changes the answer, in every way that a file can change.
func TestChangesAreNoticed(t *testing.T) {
	now := time.Now()
	for name, change := range map[string]func(t *testing.T, file string){
		"replaced":              func(t *testing.T, file string) { write(t, file, "other content") },
		"replaced, of one size": func(t *testing.T, file string) { write(t, file, "CONTENT") }, // and one time, as in builds that give all files the same
		"written over":          func(t *testing.T, file string) { must(t, os.WriteFile(file, []byte("longer than before"), 0o644)) },
		"written over just now, twice": func(t *testing.T, file string) {
			overwrite(t, file, "first..", now)
			overwrite(t, file, "second.", now)
		},
		"appended to":        func(t *testing.T, file string) { overwrite(t, file, "content and more", longAgo) },
		"cut":                func(t *testing.T, file string) { must(t, os.Truncate(file, 3)) },
		"of another time":    func(t *testing.T, file string) { overwrite(t, file, "CONTENT", longAgo.Add(time.Second)) },
		"replaced by a link": func(t *testing.T, file string) { write(t, file+".new", "linked"); link(t, "file.txt.new", file) },
	} {
		t.Run(name, func(t *testing.T) {
			bothSizes(t, checked, func(t *testing.T, config static.Config) {
				config.Dir = folder(t, map[string]string{"file.txt": "content"})
				h := open(t, config)
				before := get(t, h, "/file.txt")
				if before.Status != 200 || string(before.Body) != "content" {
					t.Fatalf("%d %q", before.Status, before.Body)
				}
				file := filepath.Join(config.Dir, "file.txt")
				change(t, file)
				want, err := os.ReadFile(file)
				must(t, err)
				after := get(t, h, "/file.txt", "if-none-match: "+before.Header("etag"))
				if after.Status != 200 || string(after.Body) != string(want) || after.Header("etag") == before.Header("etag") {
					t.Errorf("%d %q %v, before %v", after.Status, after.Body, after.Headers, before.Headers)
				}
				again := get(t, h, "/file.txt", "if-none-match: "+after.Header("etag"))
				if again.Status != 304 {
					t.Errorf("what did not change: %d", again.Status)
				}
			})
		})
	}
}

// A file that was just written may be written again without another time to show for it.
func TestChangesWithinOneTickAreNoticed(t *testing.T) {
	config := checked
	config.Dir = folder(t, map[string]string{"file.txt": ""})
	h := open(t, config)
	file, now := filepath.Join(config.Dir, "file.txt"), time.Now()
	for i := range 10 {
		want := fmt.Sprint("content ", i)
		overwrite(t, file, want, now)
		if r := get(t, h, "/file.txt"); string(r.Body) != want {
			t.Errorf("%q, want %q", r.Body, want)
		}
	}
}

// What there is at a path may become another thing.
func TestKindsChange(t *testing.T) {
	config := checked
	config.Listing = true
	config.Dir = folder(t, map[string]string{"x": "file"})
	h := open(t, config)
	at := func(name string) string { return filepath.Join(config.Dir, name) }
	for _, step := range []struct {
		what     string
		do       func()
		path     string
		status   int
		contains string
	}{
		{"a file", func() {}, "/x", 200, "file"},
		{"gone", func() { must(t, os.Remove(at("x"))) }, "/x", 404, ""},
		{"there again", func() { write(t, at("x"), "again") }, "/x", 200, "again"},
		{"a folder", func() { must(t, os.Remove(at("x"))); must(t, os.Mkdir(at("x"), 0o755)) }, "/x", 301, ""},
		{"listed", func() {}, "/x/", 200, "Name"},
		{"with a file", func() { write(t, at("x/new.txt"), "12345") }, "/x/", 200, "new.txt"},
		{"which grows", func() { write(t, at("x/new.txt"), "1234567") }, "/x/", 200, ">7"},
		{"with an index", func() { write(t, at("x/index.html"), "index") }, "/x/", 200, "index"},
		{"another index", func() { write(t, at("x/index.html"), "other") }, "/x/", 200, "other"},
		{"without an index", func() { must(t, os.Remove(at("x/index.html"))) }, "/x/", 200, "new.txt"},
		{"gone with all", func() { must(t, os.RemoveAll(at("x"))) }, "/x/", 404, ""},
	} {
		step.do()
		if r := get(t, h, step.path); r.Status != step.status || !strings.Contains(string(r.Body), step.contains) {
			t.Errorf("%s: %d %q", step.what, r.Status, r.Body)
		}
	}
}

// Codings come and go.
func TestCodingsChange(t *testing.T) {
	config := checked
	config.Dir = folder(t, map[string]string{"app.js": "plain"})
	h := open(t, config)
	coding := filepath.Join(config.Dir, "app.js.gz")
	expect := func(what, coding, body string) {
		t.Helper()
		if r := get(t, h, "/app.js", "accept-encoding: gzip"); r.Header("content-encoding") != coding || string(r.Body) != body {
			t.Errorf("%s: %v %q", what, r.Headers, r.Body)
		}
	}
	expect("none", "", "plain")
	write(t, coding, "packed")
	expect("there", "gzip", "packed")
	write(t, coding, "packed again")
	expect("another", "gzip", "packed again")
	overwrite(t, filepath.Join(config.Dir, "app.js"), "newer", longAgo.Add(time.Hour))
	expect("too old", "", "newer")
	overwrite(t, coding, "newer, packed", longAgo.Add(2*time.Hour))
	expect("new enough", "gzip", "newer, packed")
	must(t, os.Remove(coding))
	expect("gone", "", "newer")
}

// Within its interval nobody asks the disk; after it, the request waits for the answer.
func TestCheckInterval(t *testing.T) {
	dir := folder(t, map[string]string{"file.txt": "old"})
	h := open(t, static.Config{Dir: dir, CheckInterval: time.Hour})
	get(t, h, "/file.txt")
	get(t, h, "/missing.txt")
	write(t, filepath.Join(dir, "file.txt"), "new")
	write(t, filepath.Join(dir, "missing.txt"), "new")
	if r := get(t, h, "/file.txt"); string(r.Body) != "old" {
		t.Errorf("%q", r.Body)
	}
	if r := get(t, h, "/missing.txt"); r.Status != 404 {
		t.Errorf("%d", r.Status)
	}
	h = open(t, static.Config{Dir: dir, CheckInterval: time.Millisecond})
	for i := range 20 {
		want := fmt.Sprint("version ", i)
		write(t, filepath.Join(dir, "file.txt"), want)
		for known := time.Now(); ; { // what is older than the interval is never sent
			asked := time.Now()
			r := get(t, h, "/file.txt")
			if string(r.Body) == want {
				break
			}
			if asked.Sub(known) > time.Millisecond {
				t.Fatalf("%v after the change: %q", asked.Sub(known), r.Body)
			}
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// overwrite writes a file in its place, as if at a time.
func overwrite(t testing.TB, name, content string, at time.Time) {
	t.Helper()
	must(t, os.WriteFile(name, []byte(content), 0o644))
	must(t, os.Chtimes(name, at, at))
}

// link puts a symbolic link in the place of a file.
func link(t testing.TB, target, name string) {
	t.Helper()
	must(t, os.Symlink(target, name+"~link"))
	must(t, os.Rename(name+"~link", name))
}
