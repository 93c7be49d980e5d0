package static

import (
	"errors"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/internal/longtest"
)

// However a request ends, it gives its reference back; the last one closes the file.
func TestReferences(t *testing.T) {
	held := make(chan struct{})
	h, f, _ := withFaults(t, Config{MaxFileBytes: -1, CheckInterval: time.Hour, NotFound: "config.go", Fallback: "load.go"}, func(string, string) error {
		<-held
		return nil
	})
	f.fail = func(_, name string) error { <-held; return nil }
	header := func(name, value string) asgi.Header { return asgi.Header{Name: name, Value: value} }
	withoutZeroCopy := asgitest.HTTPScope("GET", "/doc.go")
	delete(withoutZeroCopy.Extensions, asgi.ExtZeroCopySend)
	scopes := []*asgi.Scope{
		asgitest.HTTPScope("GET", "/doc.go"),
		asgitest.HTTPScope("HEAD", "/doc.go"),
		asgitest.HTTPScope("GET", "/doc.go", header("if-none-match", "*")),
		asgitest.HTTPScope("GET", "/doc.go", header("if-match", `"x"`)),
		asgitest.HTTPScope("GET", "/doc.go", header("range", "bytes=0-1")),
		asgitest.HTTPScope("GET", "/doc.go", header("range", "bytes=0-1,3-4")),
		asgitest.HTTPScope("HEAD", "/doc.go", header("range", "bytes=0-1,3-4")),
		asgitest.HTTPScope("GET", "/doc.go", header("range", "bytes=9999999-")),
		asgitest.HTTPScope("GET", "/nothing"),
		asgitest.HTTPScope("GET", "/nothing", header("accept", "text/html")),
		withoutZeroCopy,
	}
	var every []*asgitest.Exchange
	for round := range 3 { // in the first, all wait for one look, and some leave
		leaves := func(i int) bool { return i%3 == 0 && round < 2 || round == 2 }
		var all []*asgitest.Exchange
		for i, scope := range scopes {
			x := asgitest.New(t, h, scope)
			if leaves(i) && !x.Response().Complete {
				x.Deliver(&asgi.HTTPRequest{}, &asgi.HTTPDisconnect{})
			}
			all = append(all, x)
		}
		select {
		case <-held:
		default:
			close(held)
		}
		for i, x := range all {
			x.Wait("the end", func() bool { return leaves(i) || x.Response().Complete })
		}
		every = append(every, all...)
	}
	h.flying.Wait()
	var entries []*entry
	h.cache.mu.Lock()
	for _, e := range h.cache.entries {
		entries = append(entries, e)
	}
	h.cache.mu.Unlock()
	eventually(t, "one reference to each entry", func() bool {
		for _, x := range every {
			x.Run() // what was read for those who have left
		}
		return !slices.ContainsFunc(entries, func(e *entry) bool { return e.refs.Load() != 1 })
	})
	h.Close()
	eventually(t, "every file to be closed", func() bool {
		return !slices.ContainsFunc(entries, func(e *entry) bool {
			return slices.ContainsFunc(e.forms, func(r *representation) bool {
				_, err := r.file.Stat()
				return !errors.Is(err, os.ErrClosed)
			})
		})
	})
}

// stuck is an exchange whose client takes nothing.
type stuck struct{ asgi.Exchange }

func (stuck) Congested() bool { return true }

// A client that takes nothing, and leaves, gives its reference back.
func TestReferenceOfAStuckClient(t *testing.T) {
	h, _, _ := withFaults(t, Config{MaxFileBytes: -1}, func(string, string) error { return nil })
	opened := asgi.HandlerFunc(func(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver { return h.Open(scope, stuck{x}) })
	x := asgitest.New(t, opened, asgitest.HTTPScope("GET", "/doc.go", asgi.Header{Name: "range", Value: "bytes=0-1,3-4"}))
	x.WaitSent(1)
	e := h.cache.entries["/doc.go"]
	if n := e.refs.Load(); n != 2 {
		t.Errorf("%d references while it is sent", n)
	}
	x.Deliver(&asgi.HTTPRequest{}, &asgi.HTTPDisconnect{})
	if n := e.refs.Load(); n != 1 {
		t.Errorf("%d references", n)
	}
}

// eventually waits for cond.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(longtest.Patience); !cond(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("waited for %s", what)
		}
	}
}
