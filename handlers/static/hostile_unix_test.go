//go:build unix

package static_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/gale-server/gale/handlers/static"
)

// What is no regular file is not there, and nobody waits for it.
func TestIrregularFiles(t *testing.T) {
	dir := folder(t, map[string]string{"ok.txt": "ok"})
	must(t, syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o644))
	must(t, os.Mkdir(filepath.Join(dir, "indexed"), 0o755))
	must(t, syscall.Mkfifo(filepath.Join(dir, "indexed/index.html"), 0o644))
	must(t, syscall.Mkfifo(filepath.Join(dir, "ok.txt.gz"), 0o644))
	must(t, os.Symlink("fifo", filepath.Join(dir, "link")))
	socket, err := net.Listen("unix", filepath.Join(dir, "socket"))
	must(t, err)
	defer socket.Close()
	names := []string{"fifo", "socket", "link", "indexed/"}
	if os.Getuid() == 0 && syscall.Mknod(filepath.Join(dir, "zero"), syscall.S_IFCHR|0o666, 1<<8|5) == nil {
		names = append(names, "zero")
	}
	for _, listing := range []bool{false, true} {
		h := open(t, static.Config{Dir: dir, Listing: listing})
		for _, name := range names {
			r := get(t, h, "/"+name)
			if r.Status != 404 && !(listing && name == "indexed/") {
				t.Errorf("%s: %d", name, r.Status)
			}
		}
		if r := get(t, h, "/ok.txt", "accept-encoding: gzip"); string(r.Body) != "ok" || r.Header("content-encoding") != "" {
			t.Errorf("%d %v", r.Status, r.Headers)
		}
		if listing {
			r := get(t, h, "/")
			for _, name := range []string{"fifo", "socket", "link", "zero"} {
				if strings.Contains(string(r.Body), name) {
					t.Errorf("%s is listed", name)
				}
			}
		}
	}
}

// A file that the server may not read is forbidden, not absent: its owner wants to know.
func TestUnreadableFiles(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may read everything")
	}
	dir := folder(t, map[string]string{"x.txt": "x", "d/x.txt": "x"})
	must(t, os.Chmod(filepath.Join(dir, "x.txt"), 0))
	must(t, os.Chmod(filepath.Join(dir, "d"), 0))
	t.Cleanup(func() { os.Chmod(filepath.Join(dir, "d"), 0o755) })
	h := open(t, static.Config{Dir: dir, Listing: true})
	for _, path := range []string{"/x.txt", "/d/x.txt", "/d/"} {
		if r := get(t, h, path); r.Status != 403 {
			t.Errorf("%s: %d", path, r.Status)
		}
	}
}
