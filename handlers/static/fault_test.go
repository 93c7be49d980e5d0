package static

import (
	"errors"
	"io/fs"
	"log/slog"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
)

// faulty is a tree whose disk fails.
type faulty struct {
	tree
	fail  func(op, name string) error
	stats atomic.Int64
}

func (f *faulty) stat(name string) (facts, error) {
	f.stats.Add(1)
	if err := f.fail("stat", name); err != nil {
		return facts{}, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	return f.tree.stat(name)
}

func (f *faulty) open(name string) (fs.File, error) {
	if err := f.fail("open", name); err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return f.tree.open(name)
}

// withFaults makes a handler of this package's folder on such a disk.
func withFaults(t *testing.T, config Config, fail func(op, name string) error) (*Handler, *faulty, *strings.Builder) {
	t.Helper()
	var log strings.Builder
	config.Dir, config.Logger = ".", slog.New(slog.NewTextHandler(&log, nil))
	h, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	f := &faulty{tree: h.tree, fail: fail}
	h.tree = f
	return h, f, &log
}

// What a disk says decides the status; what is nobody's request is in the log, and is
// not taken for the truth.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		op     string
		err    error
		status int
		logged bool
	}{
		{"stat", syscall.EIO, 500, true},
		{"open", syscall.EIO, 500, true},
		{"stat", syscall.ESTALE, 500, true},
		{"open", syscall.EMFILE, 503, true},
		{"open", syscall.ENFILE, 503, true},
		{"stat", syscall.EACCES, 403, false},
		{"open", syscall.EACCES, 403, false},
		{"open", syscall.ENOENT, 404, false}, // it went away between the two
		{"stat", syscall.ELOOP, 404, false},
		{"stat", syscall.ENAMETOOLONG, 404, false},
		{"stat", syscall.ENOTDIR, 404, false},
		{"stat", errors.New("path escapes from parent"), 404, false},
	} {
		var mended atomic.Bool
		h, _, log := withFaults(t, Config{CheckInterval: -1}, func(op, name string) error {
			if op == c.op && !mended.Load() {
				return c.err
			}
			return nil
		})
		r := asgitest.Get(t, h, "/doc.go")
		if r.Status != c.status || (log.Len() > 0) != c.logged || (r.Status == 503) != (r.Header("retry-after") != "") {
			t.Errorf("%s: %v: %d %v, logged %q", c.op, c.err, r.Status, r.Headers, log)
		}
		mended.Store(true)
		if r := asgitest.Get(t, h, "/doc.go"); r.Status != 200 {
			t.Errorf("%s: %v: %d when it is over", c.op, c.err, r.Status)
		}
	}
}

// When descriptors run out the files that are only kept open give theirs.
func TestDescriptorsRunOut(t *testing.T) {
	h, _, _ := withFaults(t, Config{MaxFileBytes: -1}, func(string, string) error { return nil })
	h.tree.(*faulty).fail = func(op, name string) error {
		h.cache.mu.Lock()
		defer h.cache.mu.Unlock()
		if op == "open" && h.cache.files > 1 {
			return syscall.EMFILE
		}
		return nil
	}
	for _, path := range []string{"/doc.go", "/config.go", "/load.go", "/cache.go"} {
		if r := asgitest.Get(t, h, path); r.Status != 200 || len(r.Body) == 0 {
			t.Errorf("%s: %d", path, r.Status)
		}
	}
}

// A panic costs the request.
func TestPanicOfALook(t *testing.T) {
	broken := true
	h, _, log := withFaults(t, Config{}, func(string, string) error {
		if broken {
			panic("broken")
		}
		return nil
	})
	if r := asgitest.Get(t, h, "/doc.go"); r.Status != 500 || !strings.Contains(log.String(), "broken") {
		t.Errorf("%d, logged %q", r.Status, log)
	}
	broken = false
	if r := asgitest.Get(t, h, "/doc.go"); r.Status != 200 {
		t.Errorf("%d when it is over", r.Status)
	}
}

// The handler's own goroutines have bounds, too.
func TestOwnWorkersAreBounded(t *testing.T) {
	free := make(chan struct{})
	h, f, _ := withFaults(t, Config{}, func(string, string) error { <-free; return nil })
	var all []*asgitest.Exchange
	for i := range ownWorkers + ownQueue + 10 {
		all = append(all, asgitest.New(t, h, asgitest.HTTPScope("GET", "/"+strings.Repeat("x", i+1))))
	}
	for _, x := range all[ownWorkers+ownQueue:] {
		x.Wait("a refusal", func() bool { return x.Response().Complete })
		if r := x.Response(); r.Status != 503 || r.Header("retry-after") == "" {
			t.Errorf("%d %v", r.Status, r.Headers)
		}
	}
	// Those who wait in the queue, and leave, are not looked for.
	for _, x := range all[ownWorkers : ownWorkers+ownQueue-1] {
		x.Deliver(&asgi.HTTPRequest{}, &asgi.HTTPDisconnect{})
	}
	close(free)
	last := all[ownWorkers+ownQueue-1]
	last.Wait("the answer", func() bool { return last.Response().Complete })
	h.Close()
	if n := f.stats.Load(); n != ownWorkers+1 {
		t.Errorf("%d looks at the disk, %d were wanted", n, ownWorkers+1)
	}
}

// Clients that come and go while the disk hangs leave nothing behind.
func TestVisitsThatLeave(t *testing.T) {
	free := make(chan struct{})
	h, _, _ := withFaults(t, Config{}, func(string, string) error { <-free; return nil })
	defer close(free)
	for range 1000 {
		x := asgitest.New(t, h, asgitest.HTTPScope("GET", "/doc.go"))
		x.Deliver(&asgi.HTTPRequest{}, &asgi.HTTPDisconnect{})
	}
	h.cache.mu.Lock()
	defer h.cache.mu.Unlock()
	if n := len(h.cache.flights["/doc.go"].visits); n != 0 {
		t.Errorf("%d visits are known", n)
	}
}

// The cache holds no more than its bounds, whatever is asked for.
func TestCacheBounds(t *testing.T) {
	names := []string{"/doc.go", "/config.go", "/load.go", "/cache.go", "/handler.go", "/send.go"}
	for name, config := range map[string]Config{
		"files":  {MaxFileBytes: -1, MaxOpenFiles: 2},
		"none":   {MaxFileBytes: -1, MaxOpenFiles: -1},
		"memory": {MaxMemoryBytes: 20 << 10},
		"nil":    {MaxMemoryBytes: 1},
	} {
		t.Run(name, func(t *testing.T) {
			h, _, _ := withFaults(t, config, func(string, string) error { return nil })
			for range 3 {
				for _, path := range names {
					if r := asgitest.Get(t, h, path); r.Status != 200 || len(r.Body) == 0 {
						t.Errorf("%s: %d", path, r.Status)
					}
					c := &h.cache
					c.mu.Lock()
					if c.files > h.config.MaxOpenFiles || c.bytes > h.config.MaxMemoryBytes || c.found.Len() != len(c.entries) {
						t.Errorf("%d files, %d bytes, %d entries, %d in the map", c.files, c.bytes, c.found.Len(), len(c.entries))
					}
					c.mu.Unlock()
				}
			}
		})
	}
	h, _, _ := withFaults(t, Config{MaxMissing: 10}, func(string, string) error { return nil })
	asgitest.Get(t, h, "/doc.go")
	for i := range 100 {
		asgitest.Get(t, h, "/missing/"+strings.Repeat("x", i))
	}
	if n := h.cache.absent.Len(); n != 10 {
		t.Errorf("%d missing paths are known", n)
	}
	if e, _ := h.cache.get("/doc.go", h.cache.entries["/doc.go"].checked); e == nil {
		t.Error("missing paths have driven out a file")
	} else {
		e.release()
	}
}

// What nobody asks for is given back.
func TestIdleFilesAreClosed(t *testing.T) {
	h, _, _ := withFaults(t, Config{MaxFileBytes: -1, IdleTimeout: 1}, func(string, string) error { return nil })
	x := asgitest.New(t, h, asgitest.HTTPScope("GET", "/doc.go"))
	x.Wait("the answer", func() bool { return x.Response().Complete })
	x.Wait("the file to be forgotten", func() bool {
		x.Post(func() {}) // look again
		h.cache.mu.Lock()
		defer h.cache.mu.Unlock()
		return len(h.cache.entries) == 0 && h.cache.files == 0 && h.cache.sweeper == nil
	})
}
