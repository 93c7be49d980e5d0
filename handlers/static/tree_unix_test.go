//go:build unix

package static

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A FIFO that took the place of a file after the look is opened without a wait for its
// writer, and found out.
func TestFIFOInThePlaceOfAFile(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, with := range []func(*Handler) *Handler{Portable, func(h *Handler) *Handler { return h }} {
		h, err := New(Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		checkFIFO(t, with(h))
	}
}

func checkFIFO(t *testing.T, h *Handler) {
	if _, _, err := h.openForm("fifo"); !errors.Is(err, errIrregular) {
		t.Errorf("a FIFO: %v", err)
	}
	file, err := h.tree.stat("file")
	if err != nil {
		t.Fatal(err)
	}
	if e, err := h.loadFile("/fifo", "fifo", file.stamp, nil); err != nil || e.kind != missing {
		t.Errorf("%v, %v", e, err)
	}
}
