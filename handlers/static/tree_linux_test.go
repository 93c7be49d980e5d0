package static

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Portable has h open files as on systems without openat2.
func Portable(h *Handler) *Handler {
	if b, ok := h.tree.(beneathTree); ok {
		b.own.Close()
		h.tree = b.rootTree
	}
	return h
}

// Both ways to open what is below a folder find the same, and nothing outside.
func TestTreesAgree(t *testing.T) {
	outside := t.TempDir()
	dir := filepath.Join(outside, "site")
	for _, name := range []string{"a/b/c", "d"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"../secret", "file", "a/file", "a/b/c/file", "\xff", "back\\slash"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{
		"in": "file", "deep": "a/b/c/file", "a/up": "../file", "a/b/out": "../../../secret", "out": "../secret", "self": ".", "parent": "..",
		"absolute": filepath.Join(dir, "file"), "root": "/", "loop": "loop", "dangling": "none", "around": "../site/file", "folder": "a", "a/folder": "b/c",
		"proc": "/proc/self/root/etc/passwd",
	} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	slow := rootTree{root}
	fast := beneath(slow)
	defer fast.close()
	if _, ok := fast.(beneathTree); !ok {
		t.Skip("SKIPPED: no openat2 here")
	}
	for _, name := range []string{
		".", "file", "file/", "file/x", "a", "a/", "a/b/c/file", "a//b/c/file", "a/./b/../file", "none", "a/none", "none/none", "\xff", "back\\slash",
		"in", "deep", "a/up", "a/b/out", "out", "self", "self/file", "self/self/self/file", "parent", "parent/secret", "parent/site/file", "absolute", "root", "root/etc/passwd",
		"loop", "loop/x", "dangling", "around", "folder/file", "folder/folder/file", "folder/../file", "a/folder/file", "proc",
		"..", "../secret", "a/../../secret", "/etc/passwd", "/", strings.Repeat("x", 255), strings.Repeat("x", 256), strings.Repeat("a/", 3000), strings.Repeat("self/", 50) + "file",
	} {
		a, errA := slow.stat(name)
		b, errB := fast.stat(name)
		if a != b || (errA == nil) != (errB == nil) || isDisk(errA) != isDisk(errB) {
			t.Errorf("stat %.40q: %+v, %v; with openat2 %+v, %v", name, a, errA, b, errB)
		}
		fileA, errA := slow.open(name)
		fileB, errB := fast.open(name)
		if (errA == nil) != (errB == nil) {
			t.Errorf("open %.40q: %v; with openat2 %v", name, errA, errB)
		}
		for _, file := range []interface{ Close() error }{fileA, fileB} {
			if errA == nil && errB == nil {
				file.Close()
			}
		}
	}
}
