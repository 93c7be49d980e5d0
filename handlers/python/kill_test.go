package python

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/internal/enginetest"
	"github.com/gale-server/gale/internal/longtest"
)

// killable is an application whose answers say whose they are.
const killable = `
import asyncio
async def app(scope, receive, send):
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while True:
            event = await receive()
            if event["type"] == "websocket.disconnect":
                return
            await send({"type": "websocket.send", "text": event["text"]})
    assert scope["type"] == "http"
    id = scope["query_string"]
    size = 0
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            return
        size += len(event["body"])
        if not event.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"] == "/stream":
        for n in range(40):
            await send({"type": "http.response.body", "body": id + b"\n", "more_body": True})
            await asyncio.sleep(0.0005)
        await send({"type": "http.response.body", "body": b"end"})
    else:
        await send({"type": "http.response.body", "body": b"%s %d" % (id, size)})
`

// killableWSGI is the same by WSGI, without WebSockets.
const killableWSGI = `
import time
def app(environ, start_response):
    id = environ["QUERY_STRING"].encode()
    size = len(environ["wsgi.input"].read())
    start_response("200 OK", [])
    if environ["PATH_INFO"] == "/stream":
        return stream(id)
    return [b"%s %d" % (id, size)]
def stream(id):
    for n in range(40):
        yield id + b"\n"
        time.sleep(0.0005)
    yield b"end"
`

// tally counts what became of requests.
type tally struct{ whole, refused, cut, closed atomic.Int64 }

// Workers are killed at random instants under load. Each client gets its own answer, an
// error, or an end that it can see; nobody waits for ever, and nothing is left.
func TestKills(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("SKIPPED: it looks for processes in /proc")
	}
	t.Run("asgi", func(t *testing.T) { testKills(t, killable, longtest.Count(8, 50)/2) })
	t.Run("wsgi", func(t *testing.T) { testKills(t, killableWSGI, longtest.Count(2, 10)/2) })
}

// testKills kills so many workers of an application on each engine.
func testKills(t *testing.T, source string, kills int) {
	var h *Handler
	config := application(t, source)
	config.Workers, config.Lifespan = 3, "off"
	config.Backoff, config.MaxBackoff = time.Millisecond, 2*time.Millisecond
	config.Logger = slog.New(slog.DiscardHandler)
	enginetest.Each(t, enginetest.Options{}, func(t *testing.T) asgi.Handler {
		var err error
		if h, err = New(config); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if left := children(); left != "" {
				t.Errorf("processes are left: %s", left)
			}
		})
		return h
	}, func(t *testing.T, s *enginetest.Server) {
		var n tally
		ctx, done := context.WithCancel(context.Background())
		defer done()
		var clients sync.WaitGroup
		for id := range 4 {
			clients.Go(func() { n.requests(ctx, t, s, id) })
		}
		for id := range 2 {
			if source == killableWSGI {
				break
			}
			clients.Go(func() { n.webSockets(ctx, t, s, id) })
		}
		for range kills {
			n.some(t, rand.Int64N(40))
			killOne(t, h.pool)
		}
		done()
		clients.Wait()
		t.Logf("%d kills: %d whole, %d refused, %d cut, %d closed", kills, n.whole.Load(), n.refused.Load(), n.cut.Load(), n.closed.Load())
		if n.whole.Load() == 0 || kills > 2 && n.refused.Load()+n.cut.Load()+n.closed.Load() == 0 {
			t.Error("the test tests nothing")
		}
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
}

// some waits until so many more answers were whole.
func (n *tally) some(t *testing.T, more int64) {
	deadline := time.Now().Add(longtest.Patience)
	for want := n.whole.Load() + more; n.whole.Load() < want; time.Sleep(100 * time.Microsecond) { // a counter gives no signal
		if time.Now().After(deadline) {
			t.Fatal("no request is answered any more")
		}
	}
}

// killOne kills a worker that is ready.
func killOne(t *testing.T, p *pool) {
	for {
		p.mu.Lock()
		change := p.change
		p.mu.Unlock()
		if ready := p.ready(); len(ready) > 0 {
			w := ready[rand.IntN(len(ready))]
			if syscall.Kill(w.pid, syscall.SIGKILL) == nil {
				wait(t, "it is gone", w.gone)
				return
			}
			wait(t, "it is gone already", w.gone)
			continue
		}
		wait(t, "a worker is ready", change)
	}
}

// requests makes requests until ctx is over.
func (n *tally) requests(ctx context.Context, t *testing.T, s *enginetest.Server, client int) {
	upload := bytes.Repeat([]byte("u"), 600_000)
	for i := 0; ctx.Err() == nil; i++ {
		id := fmt.Sprintf("%d-%d", client, i)
		method, path, body := "GET", "/", []byte(nil)
		switch i % 3 {
		case 1:
			path = "/stream"
		case 2:
			method, body = "POST", upload[:rand.IntN(len(upload))]
		}
		want := fmt.Sprintf("%s %d", id, len(body))
		if path == "/stream" {
			want = strings.Repeat(id+"\n", 40) + "end"
		}
		r, err := http.NewRequest(method, "http://"+s.Addr+path+"?"+id, bytes.NewReader(body))
		if err != nil {
			panic(err)
		}
		res, err := s.Client.Do(r)
		if err != nil {
			t.Errorf("%s %s %s: %v", method, path, id, err)
			return
		}
		got, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		switch {
		case res.StatusCode == 200 && err == nil && string(got) == want:
			n.whole.Add(1)
		case res.StatusCode == 200 && errors.Is(err, io.ErrUnexpectedEOF) && strings.HasPrefix(want, string(got)):
			n.cut.Add(1)
		case (res.StatusCode == 502 || res.StatusCode == 503) && err == nil:
			n.refused.Add(1)
		default:
			t.Errorf("%s %s %s: %d, %d bytes: %.60q, %v", method, path, id, res.StatusCode, len(got), got, err)
		}
	}
}

// webSockets speaks over WebSockets until ctx is over.
func (n *tally) webSockets(ctx context.Context, t *testing.T, s *enginetest.Server, client int) {
	for ctx.Err() == nil {
		conn, res, err := websocket.DefaultDialer.DialContext(context.WithoutCancel(ctx), "ws://"+s.Addr+"/", nil)
		if err != nil {
			if res == nil || res.StatusCode != 502 && res.StatusCode != 503 {
				t.Errorf("a handshake: %v, %v", res, err)
				return
			}
			n.refused.Add(1)
			continue
		}
		for i := 0; ctx.Err() == nil; i++ {
			text := fmt.Sprintf("%d-%d", client, i)
			_ = conn.SetReadDeadline(time.Now().Add(longtest.Patience))
			err := conn.WriteMessage(websocket.TextMessage, []byte(text))
			var got []byte
			if err == nil {
				_, got, err = conn.ReadMessage()
			}
			if err != nil {
				if !websocket.IsCloseError(err, websocket.CloseServiceRestart) && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("a WebSocket ends: %v", err)
				}
				n.closed.Add(1)
				break
			}
			if string(got) != text {
				t.Errorf("%q for %q", got, text)
			}
			n.whole.Add(1)
		}
		_ = conn.Close()
	}
}
