package nethttp_test

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/nethttp"
)

// What is not read of a body is no request, and costs the connection; what is
// read costs nothing.
func TestUnreadBody(t *testing.T) {
	h := asgi.HandlerFunc(func(s *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		switch s.Path {
		case "/now":
			send(t, x, whole("now")...)
		case "/piece", "/":
			return asgi.ReceiverFunc(func(ev asgi.ReceiveEvent) {
				if e, ok := ev.(*asgi.HTTPRequest); ok && (s.Path == "/piece" || !e.MoreBody) {
					send(t, x, whole("ok")...)
				}
			})
		case "/paused":
			x.Pause()
			x.AfterFunc(time.Millisecond, func() { send(t, x, whole("ok")...) })
		case "/reading":
			x.AfterFunc(20*time.Millisecond, func() { send(t, x, whole("ok")...) })
		}
		return nil
	})
	addr := serve(t, nethttp.Config{Handler: h})
	var beside sync.WaitGroup // net/http waits before it closes
	for path, persists := range map[string]bool{"/now": false, "/piece": false, "/paused": false, "/reading": false, "/": true} {
		for name, framing := range map[string]string{
			"length":  "Content-Length: 30\r\n\r\nGET /smuggled HTTP/1.1\r\n",
			"chunked": "Transfer-Encoding: chunked\r\n\r\n18\r\nGET /smuggled HTTP/1.1\r\n\r\n",
		} {
			beside.Go(func() {
				t.Run(path+" "+name, func(t *testing.T) { unreadBody(t, addr, path, framing, persists) })
			})
		}
	}
	beside.Wait()
}

// unreadBody sends most of a request, the rest only to "/", which waits for it.
func unreadBody(t *testing.T, addr, path, framing string, persists bool) {
	conn, r := dial(t, addr, "POST "+path+" HTTP/1.1\r\nHost: h\r\n"+framing)
	if path == "/" {
		rest := "123456"
		if strings.HasPrefix(framing, "T") {
			rest = "0\r\n\r\n"
		}
		io.WriteString(conn, rest)
	}
	res, _ := response(t, r, "POST")
	if res.StatusCode != 200 || res.Close == persists {
		t.Errorf("status %d, close %v", res.StatusCode, res.Close)
	}
	if !persists {
		if rest, _ := io.ReadAll(r); len(rest) > 0 {
			t.Errorf("more comes: %q", rest)
		}
	}
}

// A finished exchange is not held in memory by the timer of its body's rate.
func TestBodyRateTimerLetsGo(t *testing.T) {
	type receiver struct{ asgi.Receiver }
	gone := make(chan struct{}, 1)
	h := asgi.HandlerFunc(func(s *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		if s.Type == asgi.ScopeLifespan {
			x.End(asgi.ErrUnsupportedScope)
			return nil
		}
		r := &receiver{asgi.ReceiverFunc(func(ev asgi.ReceiveEvent) {
			if e, ok := ev.(*asgi.HTTPRequest); ok && !e.MoreBody {
				send(t, x, whole("ok")...)
			}
		})}
		runtime.AddCleanup(r, func(gone chan struct{}) { gone <- struct{}{} }, gone)
		return r
	})
	addr := serve(t, nethttp.Config{Handler: h, BodyRatePeriod: time.Hour})
	_, r := dial(t, addr, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody")
	if res, _ := response(t, r, "POST"); res.StatusCode != 200 {
		t.Fatalf("status %d", res.StatusCode)
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(waitLimit); ; {
		runtime.GC()
		select {
		case <-gone:
			return
		case <-tick.C:
		case <-deadline:
			t.Fatal("the exchange is still in memory")
		}
	}
}

func TestBodyLimits(t *testing.T) {
	for _, c := range []struct {
		framing string
		status  int
		period  time.Duration
	}{
		{"Content-Length: 8\r\n\r\n12345678", 200, time.Hour},
		{"Content-Length: 9\r\n\r\n", 413, time.Hour},
		{"Transfer-Encoding: chunked\r\n\r\n9\r\n123456789\r\n", 413, time.Hour},
		{"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400, time.Hour},
		{"Content-Length: 8\r\n\r\n1", 408, 30 * time.Millisecond},
	} {
		t.Run(c.framing, func(t *testing.T) {
			addr := serve(t, nethttp.Config{Handler: answering(t, "ok"), MaxBodyBytes: 8, BodyRatePeriod: c.period})
			_, r := dial(t, addr, "POST / HTTP/1.1\r\nHost: h\r\n"+c.framing)
			if res, _ := response(t, r, "POST"); res.StatusCode != c.status {
				t.Errorf("status %d, want %d", res.StatusCode, c.status)
			}
		})
	}
}

// A pause holds back the body, and with it the peer.
func TestUploadIsHeldBack(t *testing.T) {
	resume := make(chan func(), 1)
	total := 0
	h := newEvents(func(x asgi.Exchange, ev asgi.ReceiveEvent) {
		e, ok := ev.(*asgi.HTTPRequest)
		if !ok {
			return
		}
		if total == 0 {
			x.Pause()
			resume <- func() { x.Post(x.Resume) }
		}
		if total += len(e.Body); !e.MoreBody {
			send(t, x, whole(fmt.Sprint(total))...)
		}
	})
	addr := serve(t, nethttp.Config{Handler: h})
	const size = 32 << 20
	conn, r := dial(t, addr, fmt.Sprintf("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", size))
	done := make(chan error, 1)
	go func() { // ends when all is sent
		_, err := conn.Write(make([]byte, size))
		done <- err
	}()
	goOn := <-resume
	select {
	case <-done:
		t.Error("the peer could send all of it")
	case <-time.After(50 * time.Millisecond):
	}
	goOn()
	if _, body := response(t, r, "POST"); body != fmt.Sprint(size) {
		t.Errorf("the application got %s bytes", body)
	}
	<-done
}
