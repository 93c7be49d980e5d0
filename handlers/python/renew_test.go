package python

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/internal/enginetest"
	"github.com/gale-server/gale/internal/longtest"
)

// No request is dropped while workers are replaced, by a reload or because they have had
// their share.
func TestRenewalUnderLoad(t *testing.T) {
	t.Run("asgi", func(t *testing.T) { testRenewal(t, killable) })
	t.Run("wsgi", func(t *testing.T) { testRenewal(t, killableWSGI) })
}

func testRenewal(t *testing.T, source string) {
	var h *Handler
	config := application(t, source)
	config.Workers, config.Lifespan, config.MaxRequests, config.Logger = 2, "off", 100, slog.New(slog.DiscardHandler)
	reloads := longtest.Count(1, 5)
	enginetest.Each(t, enginetest.Options{}, func(t *testing.T) asgi.Handler {
		var err error
		if h, err = New(config); err != nil {
			t.Fatal(err)
		}
		return h
	}, func(t *testing.T, s *enginetest.Server) {
		var n tally
		ctx, done := context.WithCancel(context.Background())
		defer done()
		var clients sync.WaitGroup
		for id := range 3 {
			clients.Go(func() { n.requests(ctx, t, s, id) })
		}
		n.some(t, 10)
		first := h.pool.ready()[0]
		for range reloads {
			if err := h.Reload(limited(t)); err != nil {
				t.Error(err)
			}
			n.some(t, 20)
		}
		wait(t, "the first worker ends", first.gone)
		done()
		clients.Wait()
		if refused, cut := n.refused.Load(), n.cut.Load(); refused+cut > 0 {
			t.Errorf("%d refused, %d cut of %d", refused, cut, n.whole.Load())
		}
		h.pool.mu.Lock()
		started := h.pool.lastID
		h.pool.mu.Unlock()
		if started < 2+2*reloads {
			t.Errorf("%d workers were started", started)
		}
	})
}

// A WebSocket that stays open is told that its worker is replaced, when its time is over.
func TestWebSocketOfReplaced(t *testing.T) {
	var h *Handler
	config := application(t, killable)
	config.Lifespan, config.RetireTimeout, config.StopTimeout, config.Logger = "off", 10*time.Millisecond, time.Second, slog.New(slog.DiscardHandler)
	enginetest.Each(t, enginetest.Options{}, func(t *testing.T) asgi.Handler {
		var err error
		if h, err = New(config); err != nil {
			t.Fatal(err)
		}
		return h
	}, func(t *testing.T, s *enginetest.Server) {
		for h.pool.failure() == nil && len(h.pool.ready()) == 0 {
			time.Sleep(time.Millisecond) // the engine starts it
		}
		conn, _, err := websocket.DefaultDialer.DialContext(limited(t), "ws://"+s.Addr+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := h.Reload(limited(t)); err != nil {
			t.Fatal(err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(longtest.Patience))
		if _, _, err := conn.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseServiceRestart) {
			t.Errorf("it ends: %v", err)
		}
	})
}

// A worker has the limits that the configuration gives it.
func TestProcessLimits(t *testing.T) {
	config := application(t, `
import resource
print("files", resource.getrlimit(resource.RLIMIT_NOFILE), "core", resource.getrlimit(resource.RLIMIT_CORE))
try:
    bytearray(2 << 30)
except MemoryError:
    print("no memory")
`+plain)
	if _, err := os.Stat("/proc/self/statm"); err != nil {
		t.Skip("SKIPPED: there are no limits here")
	}
	config.MaxFiles, config.MaxMemoryBytes = 99, 1<<30
	p := started(t, config)
	p.log.wait(t, 1, "files (99, 99) core (0, 0)")
	p.log.wait(t, 1, "no memory")
}

// A worker has none of this process's descriptors, not even those that this process has
// inherited.
func TestInherited(t *testing.T) {
	config := application(t, `
import os
for fd in os.listdir("/proc/self/fd"):
    try:
        print("has", fd, os.readlink("/proc/self/fd/" + fd))
    except OSError:
        pass
print("listed")
`+plain)
	config.Env = append(config.Env, "LISTEN_FDS=1")
	file, err := os.Create(filepath.Join(t.TempDir(), "secret"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	careless, err := syscall.Dup(int(file.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(careless)
	p := started(t, config)
	p.log.wait(t, 1, "listed")
	if p.log.count("has") < 4 || p.log.count("secret") > 0 {
		t.Errorf("it has:\n%s", p.log)
	}
}
