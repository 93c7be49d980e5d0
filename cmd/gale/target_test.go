package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// program writes a file that may be started.
func program(t *testing.T, folder, name, text string) string {
	t.Helper()
	path := file(t, folder, name, text)
	if err := os.Chmod(path, 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFindTarget(t *testing.T) {
	root := t.TempDir()
	folder := func(name string) string {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const script = "#!/bin/sh\n"
	site := folder("site")
	file(t, site, "index.html", "<p>")
	programs := folder("programs")
	one := program(t, programs, "one", script)
	program(t, programs, "two.sh", script)
	file(t, programs, ".hidden", "")
	mixed := folder("mixed")
	program(t, mixed, "one", script)
	file(t, mixed, "notes.txt", "")
	everythingExecutable := folder("executable")
	program(t, everythingExecutable, "index.html", "<p>")
	for _, c := range []struct {
		name string
		cgi  bool
		is   kind
	}{
		{site, false, kindStatic},
		{site, true, kindCGI},
		{folder("empty"), false, kindStatic},
		{programs, false, kindCGI},
		{mixed, false, kindStatic},
		{mixed, true, kindCGI},
		{folder("cgi-bin"), false, kindCGI},
		{everythingExecutable, false, kindStatic},
		{one, false, kindProgram},
		{one, true, kindProgram},
		{root + "/site/../site/", false, kindStatic},
	} {
		got, err := findTarget(c.name, c.cgi, ".")
		if err != nil || got.kind != c.is || got.path != filepath.Clean(c.name) {
			t.Errorf("%s, cgi %t: %v, %v; want %s", strings.TrimPrefix(c.name, root), c.cgi, got, err, c.is)
		}
	}
}

func TestSpellSwitches(t *testing.T) {
	for args, want := range map[string]string{
		"gale run --access-log ./site":                   "gale run --access-log=on ./site",
		"gale run --access-log off ./site":               "gale run --access-log off ./site",
		"gale run --no-access-log ./site --access-log":   "gale run --access-log=off ./site --access-log=on",
		"gale run --proxy-headers --no-proxy-headers x":  "gale run --proxy-headers=on --proxy-headers=off x",
		"gale run --access-log=off --no-color x":         "gale run --access-log=off --no-color x",
		"gale run -- --no-access-log":                    "gale run -- --no-access-log",
		"gale demo --access-log maybe":                   "gale demo --access-log maybe",
		"gale demo --access-log --addr :0":               "gale demo --access-log=on --addr :0",
		"gale serve --metrics --anonymous all --metrics": "gale serve --metrics=on --anonymous all --metrics=on",
	} {
		if got := spellSwitches(strings.Fields(args)); !reflect.DeepEqual(got, strings.Fields(want)) {
			t.Errorf("%s: %q, want %s", args, got, want)
		}
	}
}

func TestParseBytes(t *testing.T) {
	for text, want := range map[string]int64{"1": 1, "65536": 65536, "64KiB": 64 << 10, "20 MiB": 20 << 20, "1GiB": 1 << 30, "2TiB": 2 << 40} {
		if got, err := parseBytes(text); err != nil || got != want {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "0", "-1", "1.5GiB", "GiB", "1 GB", "9999999TiB", "1e3"} {
		if got, err := parseBytes(text); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
}
