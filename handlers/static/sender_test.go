package static_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/executor"
	"github.com/gale-server/gale/handlers/static"
)

// plainScope is a request on a server that cannot send from files.
func plainScope(method, target string, lines ...string) *asgi.Scope {
	scope := asgitest.HTTPScope(method, target, head(lines...)...)
	delete(scope.Extensions, asgi.ExtZeroCopySend)
	return scope
}

// A server that cannot send from files gets them piece by piece.
func TestServerWithoutZeroCopy(t *testing.T) {
	large := site["large.bin"]
	bothSizes(t, static.Config{Dir: folder(t, site)}, func(t *testing.T, config static.Config) {
		h := open(t, config)
		for _, c := range []struct {
			fields string
			status int
			body   string
		}{
			{"x: y", 200, large},
			{"range: bytes=5-70000", 206, large[5:70001]},
			{"range: bytes=-3", 206, large[len(large)-3:]},
		} {
			r := asgitest.Do(t, h, plainScope("GET", "/large.bin", c.fields), nil)
			if r.Status != c.status || string(r.Body) != c.body || !r.Complete {
				t.Errorf("%s: %d, %d bytes", c.fields, r.Status, len(r.Body))
			}
		}
		r := asgitest.Do(t, h, plainScope("GET", "/large.bin", "range: bytes=0-1,70000-70001"), nil)
		if r.Status != 206 || !strings.Contains(string(r.Body), "\r\n\r\n"+large[:2]+"\r\n--") || !strings.Contains(string(r.Body), "\r\n\r\n"+large[70000:70002]+"\r\n--") || !r.Complete {
			t.Errorf("%d %q", r.Status, r.Body)
		}
		if r := asgitest.Do(t, h, plainScope("HEAD", "/large.bin"), nil); r.Status != 200 || len(r.Body) > 0 || !r.Complete {
			t.Errorf("HEAD: %d, %d bytes", r.Status, len(r.Body))
		}
		if r := asgitest.Do(t, h, plainScope("GET", "/empty.txt"), nil); r.Status != 200 || len(r.Body) > 0 || !r.Complete {
			t.Errorf("an empty file: %d, %d bytes", r.Status, len(r.Body))
		}
	})
}

// Pieces wait for room in the outbox.
func TestPiecesWaitForRoom(t *testing.T) {
	const several = "range: bytes=0-9,100-109,200-209"
	for name, scope := range map[string]*asgi.Scope{
		"several ranges":   asgitest.HTTPScope("GET", "/large.bin", head(several)...),
		"of a small file":  asgitest.HTTPScope("GET", "/index.html", head("range: bytes=0-0,2-2")...),
		"without zerocopy": plainScope("GET", "/large.bin"),
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, static.Config{Dir: folder(t, site)})
			x := asgitest.New(t, congesting(h), scope)
			for steps := 0; !x.Response().Complete; steps++ {
				sent := len(x.Sent())
				x.Drain()
				x.Wait("a piece", func() bool { return len(x.Sent()) > sent || x.Response().Complete })
				if n := len(x.Sent()); sent > 1 && n > sent+1 {
					t.Fatalf("%d pieces at once", n-sent)
				}
			}
		})
	}
}

// congesting fills the outbox with each piece of a body.
func congesting(h asgi.Handler) asgi.Handler {
	return asgi.HandlerFunc(func(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		return h.Open(scope, full{x.(*asgitest.Exchange)})
	})
}

type full struct{ *asgitest.Exchange }

func (f full) Send(ev asgi.SendEvent) error {
	err := f.Exchange.Send(ev)
	if _, start := ev.(*asgi.HTTPResponseStart); !start {
		f.Exchange.Congest()
	}
	return err
}

// A disk that has no time for a piece has the client wait, not go without.
func TestPieceOfASaturatedClass(t *testing.T) {
	c := class(t, executor.ClassConfig{Workers: 1, QueueJobs: -1})
	h := open(t, static.Config{Dir: folder(t, site), Blocking: c, CheckInterval: time.Hour})
	get(t, h, "/large.bin") // it is known from now on
	var release func()
	for release == nil { // until the worker is back
		if c.Stats().Running == 0 {
			release = occupy(t, c, 1)
		}
	}
	x := asgitest.New(t, h, plainScope("GET", "/large.bin"))
	for range 3 {
		x.Advance(100 * time.Millisecond)
	}
	if r := x.Response(); len(r.Body) > 0 || x.Ended() {
		t.Fatalf("%d bytes, ended: %v", len(r.Body), x.Err())
	}
	release()
	x.Wait("the file", func() bool {
		x.Post(func() {})
		return x.Response().Complete || x.Ended() || advance(x)
	})
	if r := x.Response(); string(r.Body) != site["large.bin"] || r.Err != nil {
		t.Errorf("%d bytes, %v", len(r.Body), r.Err)
	}
}

func advance(x *asgitest.Exchange) bool { x.Advance(100 * time.Millisecond); return false }

// A file that is cut ends in an error, which the server makes a visible truncation.
func TestFileCutBetweenPieces(t *testing.T) {
	dir := folder(t, site)
	h := open(t, static.Config{Dir: dir})
	x := asgitest.New(t, congesting(h), plainScope("GET", "/large.bin"))
	x.WaitSent(2)
	must(t, os.Truncate(filepath.Join(dir, "large.bin"), 70_000))
	for !x.Ended() && !x.Response().Complete {
		sent := len(x.Sent())
		x.Drain()
		x.Wait("a piece or the end", func() bool { return len(x.Sent()) > sent || x.Ended() })
	}
	if err := x.Err(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("ended with %v", err)
	}
}
