package nethttp_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/nethttp"
)

// fileTaker is middleware that sees which files net/http is given to send.
type fileTaker struct {
	http.ResponseWriter
	bytes *atomic.Int64
}

func (w fileTaker) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w fileTaker) ReadFrom(r io.Reader) (int64, error) {
	n, err := w.ResponseWriter.(io.ReaderFrom).ReadFrom(r)
	if part, ok := r.(*io.LimitedReader); ok {
		if _, ok := part.R.(*os.File); ok {
			w.bytes.Add(n)
		}
	}
	return n, err
}

// TestFilesGoToNetHTTP has net/http send files, which it knows how to do without a
// copy; and what is behind middleware that hides it is copied.
func TestFilesGoToNetHTTP(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<20/16)
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	h, err := nethttp.NewHandler(nethttp.Config{Handler: asgi.HandlerFunc(func(s *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		ev := asgi.SendEvent(&asgi.HTTPResponsePathSend{Path: path})
		if s.Path == "/part" {
			ev = &asgi.HTTPResponseZeroCopySend{File: file, Offset: 10, Count: 1<<20 - 10}
		}
		send(t, x, &asgi.HTTPResponseStart{Status: 200}, ev)
		return nil
	})})
	if err != nil {
		t.Fatal(err)
	}
	for _, hidden := range []bool{false, true} {
		var taken atomic.Int64
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if hidden {
				h.ServeHTTP(struct{ http.ResponseWriter }{w}, r)
				return
			}
			h.ServeHTTP(fileTaker{w, &taken}, r)
		}))
		for target, want := range map[string][]byte{"/": content, "/part": content[10:]} {
			r, err := http.Get(srv.URL + target)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r.Body)
			if r.Body.Close(); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s, hidden %v: %d bytes, or others: %v", target, hidden, len(got), err)
			}
		}
		srv.Close() // waits for the handlers: a client has all before they have counted it
		if want := int64(2<<20 - 10); !hidden && taken.Load() != want {
			t.Errorf("net/http was given %d bytes of files, want %d", taken.Load(), want)
		}
	}
}
