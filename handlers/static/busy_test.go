package static_test

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/executor"
	"github.com/gale-server/gale/handlers/internal/enginetest"
	"github.com/gale-server/gale/handlers/static"
	"github.com/gale-server/gale/internal/longtest"
)

// class makes an executor with a blocking class of its own.
func class(t *testing.T, config executor.ClassConfig) *executor.Class {
	t.Helper()
	config.Name = "disk"
	e, err := executor.New(executor.Config{Classes: []executor.ClassConfig{config}, Logger: enginetest.Quiet})
	must(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), longtest.Patience)
		defer cancel()
		must(t, e.Close(ctx))
	})
	return e.Class("disk")
}

// occupy holds every worker of a class until the returned function is called.
func occupy(t *testing.T, c *executor.Class, workers int) (release func()) {
	t.Helper()
	free := make(chan struct{})
	var busy sync.WaitGroup
	busy.Add(workers)
	for range workers {
		must(t, c.Go(func() { busy.Done(); <-free }))
	}
	busy.Wait()
	return sync.OnceFunc(func() { close(free) })
}

// A class that has no room: 503, and when to come back; what is known is answered all
// the same, as long as it may be.
func TestSaturatedClass(t *testing.T) {
	c := class(t, executor.ClassConfig{Workers: 1, QueueJobs: -1})
	h := open(t, static.Config{Dir: folder(t, site), Blocking: c, CheckInterval: time.Hour})
	if r := get(t, h, "/app.js"); r.Status != 200 {
		t.Fatalf("%d", r.Status)
	}
	release := occupy(t, c, 1)
	defer release()
	for range 3 {
		if r := get(t, h, "/large.bin"); r.Status != 503 || r.Header("retry-after") == "" || !r.Complete {
			t.Errorf("%d %v", r.Status, r.Headers)
		}
	}
	if r := get(t, h, "/app.js"); r.Status != 200 {
		t.Errorf("what is known: %d", r.Status)
	}
	release()
	x := asgitest.New(t, h, asgitest.HTTPScope("GET", "/large.bin"))
	for x.Response().Status != 200 { // until the worker is back
		x = asgitest.New(t, h, asgitest.HTTPScope("GET", "/large.bin"))
		x.Wait("an answer", func() bool { return x.Response().Complete })
	}
}

// All who ask for a path while it is looked up share one look.
func TestOneLookForMany(t *testing.T) {
	c := class(t, executor.ClassConfig{Workers: 1, QueueJobs: 1, ClientJobs: -1})
	h := open(t, static.Config{Dir: folder(t, site), Blocking: c})
	release := occupy(t, c, 1)
	var all []*asgitest.Exchange
	for range 100 {
		all = append(all, asgitest.New(t, h, asgitest.HTTPScope("GET", "/app.js")))
	}
	gone := asgitest.New(t, h, asgitest.HTTPScope("GET", "/app.js"))
	gone.Deliver(&asgi.HTTPRequest{})
	gone.Deliver(&asgi.HTTPDisconnect{})
	release()
	for _, x := range all {
		x.Wait("the answer", func() bool { return x.Response().Complete })
		if r := x.Response(); r.Status != 200 || string(r.Body) != "let x" {
			t.Errorf("%d %q", r.Status, r.Body)
		}
	}
	if ran := c.Stats().Completed; ran > 2 {
		t.Errorf("%d jobs", ran)
	}
}

// slowClients is how many downloads are under way at a time. Over the loopback each
// fills some MiB of the kernel's buffers: a thousand, of GALE_TEST=4x, take all that
// TCP may have on a machine with 24 GiB, and whatever else is tested there stands
// still. Under net/http they stand still themselves.
func slowClients(t *testing.T) int {
	if strings.HasSuffix(t.Name(), "/nethttp") {
		return min(longtest.Count(50, 100), 200)
	}
	return min(longtest.Count(100, 250), 1000)
}

// Slow downloads of a large file take no memory for it.
func TestSlowDownloads(t *testing.T) {
	const size = 64 << 20
	handler := func(t *testing.T) asgi.Handler {
		dir := folder(t, map[string]string{"large": ""})
		must(t, os.Truncate(filepath.Join(dir, "large"), size))
		return open(t, static.Config{Dir: dir})
	}
	enginetest.Each(t, enginetest.Options{}, handler, func(t *testing.T, s *enginetest.Server) {
		before := memory()
		var conns []net.Conn
		defer func() {
			for _, c := range conns {
				c.Close()
			}
		}()
		for range slowClients(t) {
			conn, err := net.Dial("tcp", s.Addr)
			must(t, err)
			conns = append(conns, conn)
			_, err = io.WriteString(conn, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
			must(t, err)
		}
		for range 3 { // each takes a little, and then nothing for a while
			for _, conn := range conns {
				conn.SetDeadline(time.Now().Add(longtest.Patience))
				_, err := io.ReadFull(conn, make([]byte, 8<<10))
				must(t, err)
			}
		}
		each := (memory() - before) / int64(len(conns))
		t.Logf("%d bytes for each of %d downloads", each, len(conns))
		if most := int64(512 << 10); each > most {
			t.Errorf("a download takes %d bytes of memory, more than %d", each, most)
		}
	})
}

// memory returns the bytes in use after a collection.
func memory() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
