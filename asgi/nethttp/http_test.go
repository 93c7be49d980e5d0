package nethttp_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/nethttp"
)

const get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

func TestScopeHeaders(t *testing.T) {
	scopes := make(chan *asgi.Scope, 1)
	h := asgi.HandlerFunc(func(s *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		if s.Type == asgi.ScopeHTTP {
			scopes <- s
			send(t, x, whole("")...)
		}
		return nil
	})
	_, r := dial(t, serve(t, nethttp.Config{Handler: h}), "POST / HTTP/1.1\r\nHost: h\r\nX-B: 1\r\nx-a:  two \t\r\nX-B: 3\r\n"+
		"Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n0\r\n\r\n")
	response(t, r, "POST")
	want := "[{host h} {x-a two} {x-b 1} {x-b 3} {transfer-encoding chunked} {trailer x-sum}]"
	if got := fmt.Sprint((<-scopes).Headers); got != want {
		t.Errorf("headers are %s, want %s", got, want)
	}
}

func TestResponseHeaders(t *testing.T) {
	h := answering(t, "")
	h.on = func(x asgi.Exchange, ev asgi.ReceiveEvent) {
		if _, ok := ev.(*asgi.HTTPRequest); ok {
			send(t, x, &asgi.HTTPResponseStart{Status: 200, Headers: []asgi.Header{
				{Name: "set-cookie", Value: "a=1"}, {Name: "x-other", Value: "\xe9"}, {Name: "Set-Cookie", Value: "b=2"},
				{Name: "keep-alive", Value: "timeout=5"}, {Name: "te", Value: "x"}, {Name: "upgrade", Value: "x"},
				{Name: "content-length", Value: " 2\t"},
			}}, &asgi.HTTPResponseBody{Body: []byte("<>")})
		}
	}
	_, r := dial(t, serve(t, nethttp.Config{Handler: h}), get)
	res, _ := response(t, r, "GET")
	res.Header.Del("Date")
	want := "map[Content-Length:[2] Server:[gale] Set-Cookie:[a=1 b=2] X-Other:[\xe9]]"
	if got := fmt.Sprint(res.Header); got != want {
		t.Errorf("headers are %q, want %q", got, want)
	}
}

func TestTrailers(t *testing.T) {
	h := newEvents(func(x asgi.Exchange, ev asgi.ReceiveEvent) {
		if _, ok := ev.(*asgi.HTTPRequest); ok {
			send(t, x, &asgi.HTTPResponseStart{Status: 200, Trailers: true, Headers: []asgi.Header{{Name: "trailer", Value: "x-sum"}}},
				&asgi.HTTPResponseBody{Body: []byte("body")},
				&asgi.HTTPResponseTrailers{Headers: []asgi.Header{{Name: "x-sum", Value: "1"}}, MoreTrailers: true},
				&asgi.HTTPResponseTrailers{Headers: []asgi.Header{{Name: "x-more", Value: "2"}}})
		}
	})
	addr := serve(t, nethttp.Config{Handler: h})
	for te, want := range map[string]string{"TE: gzip, trailers\r\n": "map[X-More:[2] X-Sum:[1]]", "": "map[X-Sum:[]]"} {
		_, r := dial(t, addr, "GET / HTTP/1.1\r\nHost: h\r\n"+te+"\r\n")
		res, body := response(t, r, "GET")
		if got := fmt.Sprint(res.Trailer); body != "body" || got != want {
			t.Errorf("with %q: body %q, trailers %s, want %s", te, body, got, want)
		}
	}
}

// A client may leave at any point of its request's life; the application hears
// of it within a moment, and nothing is left.
func TestDisconnectAnywhere(t *testing.T) {
	half := "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\n\r\nhalf"
	chunk := "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"
	for _, c := range []struct{ name, text string }{
		{"head", get},
		{"body", half},
		{"chunk", chunk},
		{"response", "GET /start HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"flood", "GET /flood HTTP/1.1\r\nHost: h\r\n\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEvents(nil)
			h := asgi.HandlerFunc(func(s *asgi.Scope, x asgi.Exchange) asgi.Receiver {
				r := e.Open(s, x)
				return asgi.ReceiverFunc(func(ev asgi.ReceiveEvent) {
					if _, first := ev.(*asgi.HTTPRequest); first && s.Path != "/" {
						send(t, x, &asgi.HTTPResponseStart{Status: 200}, &asgi.HTTPResponseBody{Body: []byte("x"), MoreBody: true})
					}
					for s.Path == "/flood" && !x.Congested() {
						if x.Send(&asgi.HTTPResponseBody{Body: make([]byte, 1<<16), MoreBody: true}) != nil {
							break
						}
					}
					r.Receive(ev)
				})
			})
			conn, _ := dial(t, serve(t, nethttp.Config{Handler: h}), c.text)
			e.saw(t, "http.request")
			conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
			e.wait(t, "http.disconnect")
		})
	}
}

// A response far faster than its reader: what waits is bounded, and the
// application is told when to go on.
func TestSlowReader(t *testing.T) {
	const pieces, size, high = 200, 64 << 10, 128 << 10
	var most atomic.Int64
	sent := 0
	more := func(x asgi.Exchange) {
		for ; sent < pieces && !x.Congested(); sent++ {
			send(t, x, &asgi.HTTPResponseBody{Body: make([]byte, size), MoreBody: sent < pieces-1})
			most.Store(max(most.Load(), int64(x.Buffered())))
		}
	}
	h := newEvents(func(x asgi.Exchange, ev asgi.ReceiveEvent) {
		switch ev.(type) {
		case *asgi.HTTPRequest:
			send(t, x, &asgi.HTTPResponseStart{Status: 200})
			more(x)
		case *asgi.Writable:
			more(x)
		}
	})
	_, r := dial(t, serve(t, nethttp.Config{Handler: h, HighWatermark: high}), get)
	h.saw(t, "http.request")
	res, body := response(t, r, "GET")
	if res.StatusCode != 200 || len(body) != pieces*size {
		t.Errorf("got %d, %d bytes", res.StatusCode, len(body))
	}
	if got := most.Load(); got > high+size+1024 || got <= high {
		t.Errorf("%d bytes waited, with a high watermark of %d", got, high)
	}
}

// A peer that never reads is dropped; so is an application that heeds nothing.
func TestNeverReads(t *testing.T) {
	for name, flood := range map[string]bool{"write timeout": false, "flood": true} {
		t.Run(name, func(t *testing.T) {
			failures := make(chan error, 1)
			h := newEvents(func(x asgi.Exchange, ev asgi.ReceiveEvent) {
				if _, ok := ev.(*asgi.HTTPRequest); !ok {
					return
				}
				send(t, x, &asgi.HTTPResponseStart{Status: 200})
				for flood || !x.Congested() {
					if err := x.Send(&asgi.HTTPResponseBody{Body: make([]byte, 1<<20), MoreBody: true}); err != nil {
						failures <- err
						return
					}
				}
			})
			cfg := nethttp.Config{Handler: h, WriteTimeout: 50 * time.Millisecond, HighWatermark: 16 << 20, OutboxBytes: 32 << 20}
			if flood {
				cfg.WriteTimeout = 0
			}
			dial(t, serve(t, cfg), get)
			h.wait(t, "http.disconnect")
			if flood {
				if err := <-failures; err != asgi.ErrDisconnected {
					t.Error(err)
				}
			}
		})
	}
}

// Under HTTP/2 a Handler is the same; TLS is told of.
func TestHTTP2(t *testing.T) {
	app := func(ctx context.Context, s *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
		data, _ := s.Extensions[asgi.ExtTLS].(*asgi.TLS)
		if err := send(ctx, &asgi.HTTPResponseStart{Status: 200, Trailers: true}); err != nil {
			return err
		}
		head := fmt.Sprint(s.HTTPVersion, " ", s.Scheme, " ", data != nil && data.Version == tls.VersionTLS13, " ")
		if err := send(ctx, &asgi.HTTPResponseBody{Body: []byte(head), MoreBody: true}); err != nil {
			return err
		}
		for {
			ev, err := receive(ctx)
			if err != nil {
				return err
			}
			e, ok := ev.(*asgi.HTTPRequest)
			if !ok {
				return fmt.Errorf("received %s", ev.EventType())
			}
			if err := send(ctx, &asgi.HTTPResponseBody{Body: e.Body, MoreBody: e.MoreBody}); err != nil {
				return err
			}
			if !e.MoreBody {
				return send(ctx, &asgi.HTTPResponseTrailers{Headers: []asgi.Header{{Name: "x-sum", Value: "1"}}})
			}
		}
	}
	h, err := nethttp.NewHandler(nethttp.Config{Handler: asgi.Coroutine(app)})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(h)
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	req, _ := http.NewRequest("POST", srv.URL, strings.NewReader(strings.Repeat("x", 1<<20)))
	req.Header.Set("Te", "trailers")
	res, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if want := "2 https true "; err != nil || !strings.HasPrefix(string(body), want) || len(body) != len(want)+1<<20 {
		t.Errorf("got %.40q, %d bytes, %v", body, len(body), err)
	}
	if res.Trailer.Get("X-Sum") != "1" {
		t.Errorf("trailers are %v", res.Trailer)
	}
}

// A stream that rests longer than the write timeout goes on, in both versions.
func TestRestingStream(t *testing.T) {
	const timeout = 2 * time.Second // for a write that finds room, on a slow machine
	h, err := nethttp.NewHandler(nethttp.Config{WriteTimeout: timeout, Handler: newEvents(func(x asgi.Exchange, ev asgi.ReceiveEvent) {
		if _, ok := ev.(*asgi.HTTPRequest); ok {
			send(t, x, &asgi.HTTPResponseStart{Status: 200}, &asgi.HTTPResponseBody{Body: []byte("a"), MoreBody: true})
			x.AfterFunc(timeout+100*time.Millisecond, func() { send(t, x, &asgi.HTTPResponseBody{Body: []byte("b")}) })
		}
	})})
	if err != nil {
		t.Fatal(err)
	}
	var beside sync.WaitGroup // they rest most of the time
	for _, http2 := range []bool{false, true} {
		beside.Go(func() {
			t.Run(fmt.Sprintf("HTTP2 %v", http2), func(t *testing.T) {
				srv := httptest.NewUnstartedServer(h)
				srv.EnableHTTP2 = http2
				srv.StartTLS()
				defer srv.Close()
				for range 2 { // the second request on the same connection
					res, err := srv.Client().Get(srv.URL)
					if err != nil {
						t.Fatal(err)
					}
					body, err := io.ReadAll(res.Body)
					res.Body.Close()
					if err != nil || string(body) != "ab" {
						t.Errorf("HTTP/%d: got %q, %v", res.ProtoMajor, body, err)
					}
				}
			})
		})
	}
	beside.Wait()
}

// A handler under http.StripPrefix has its prefix back as root path.
func TestMounted(t *testing.T) {
	h, err := nethttp.NewHandler(nethttp.Config{RootPath: "/api", Handler: asgi.HandlerFunc(func(s *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		send(t, x, whole(s.RootPath+" "+s.Path+" "+s.RawPath)...)
		return nil
	})})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	http.StripPrefix("/api", h).ServeHTTP(w, httptest.NewRequest("GET", "/api/a%2Fb", nil))
	if got := w.Body.String(); got != "/api /api/a/b /a%2Fb" {
		t.Error(got)
	}
}

func TestConfigErrors(t *testing.T) {
	h := answering(t, "")
	for _, cfg := range []nethttp.Config{
		{},
		{Handler: h, RootPath: "x"},
		{Handler: h, RootPath: "/x/"},
		{Handler: h, AllowedOrigins: []string{"example.com"}},
		{Handler: h, HighWatermark: 2 << 20},
		{Handler: h, HighWatermark: 10, LowWatermark: 20},
	} {
		if _, err := nethttp.NewServer(cfg); err == nil {
			t.Errorf("%+v is accepted", cfg)
		}
	}
}

// Posts, timers and events of one exchange never overlap, and keep on after it.
func TestLoop(t *testing.T) {
	exchanges := make(chan asgi.Exchange, 1)
	h := asgi.HandlerFunc(func(s *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		if s.Type == asgi.ScopeHTTP {
			send(t, x, whole("")...)
			exchanges <- x
		}
		return nil
	})
	_, r := dial(t, serve(t, nethttp.Config{Handler: h}), get)
	response(t, r, "GET")
	x := <-exchanges
	if x.Owned() || x.Send(&asgi.HTTPResponseBody{}) != asgi.ErrForeignGoroutine {
		t.Error("a foreign goroutine owns the exchange")
	}
	const n = 1000
	order := make(chan int, n)
	running := 0
	for i := range n {
		x.Post(func() {
			if running++; running != 1 || !x.Owned() {
				t.Error("posts overlap")
			}
			order <- i
			running--
			switch {
			case i%100 == 7:
				panic("costs nothing else")
			case i%100 == 8:
				t.Log("Goexit follows")
			}
		})
	}
	for want := range n {
		if got := <-order; got != want {
			t.Fatalf("post %d ran as number %d", got, want)
		}
	}
}

// A timer that is stopped does not run, even if its time has come already; nor
// does one whose exchange has ended.
func TestTimers(t *testing.T) {
	ran := make(chan string, 4)
	h := newEvents(func(x asgi.Exchange, ev asgi.ReceiveEvent) {
		if _, ok := ev.(*asgi.HTTPRequest); !ok {
			return
		}
		stopped := x.AfterFunc(0, func() { ran <- "stopped" })
		x.AfterFunc(0, func() { ran <- "first" })
		<-time.After(20 * time.Millisecond) // both are due, and wait for the loop
		if !stopped.Stop() || stopped.Stop() {
			t.Error("a pending timer is stopped once")
		}
		x.AfterFunc(10*time.Millisecond, func() {
			send(t, x, whole("")...)
			x.AfterFunc(0, func() { ran <- "of an ended exchange" })
			<-time.After(20 * time.Millisecond)
			x.End(nil)
			if x.AfterFunc(0, func() { ran <- "after the end" }).Stop() {
				t.Error("an ended exchange has timers")
			}
			x.Post(func() { x.Post(func() { ran <- "last" }) })
		})
	})
	_, r := dial(t, serve(t, nethttp.Config{Handler: h}), get)
	response(t, r, "GET")
	for _, want := range []string{"first", "last"} {
		if got := <-ran; got != want {
			t.Fatalf("ran %q, want %q", got, want)
		}
	}
}

// What a piece of a response has in its fields waits in the outbox as its body
// does.
func TestFieldsCount(t *testing.T) {
	long := strings.Repeat("x", 8<<10)
	buffered := make(chan int, 1)
	addr := serve(t, nethttp.Config{Handler: newEvents(func(x asgi.Exchange, ev asgi.ReceiveEvent) {
		if _, ok := ev.(*asgi.HTTPRequest); !ok {
			return
		}
		send(t, x, &asgi.HTTPEarlyHint{Links: []string{long, long}},
			&asgi.HTTPResponseStart{Status: 200, Headers: []asgi.Header{{Name: "x-long", Value: long}}},
			&asgi.HTTPResponseBody{})
		buffered <- x.Buffered() // nothing is written before the end of this turn
	})})
	dial(t, addr, get)
	if n := <-buffered; n < 3*len(long) {
		t.Errorf("%d bytes wait, want those of all fields", n)
	}
}

// What middleware has taken off or rewritten is off the path as it was sent, too.
func TestPathBehindMiddleware(t *testing.T) {
	scopes := make(chan *asgi.Scope, 1)
	h, err := nethttp.NewHandler(nethttp.Config{RootPath: "/mount", Handler: asgi.HandlerFunc(func(s *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		scopes <- s
		send(t, x, whole("ok")...)
		return nil
	})})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/mount/", http.StripPrefix("/mount", h))
	mux.HandleFunc("/old/", func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path, r.URL.RawPath = "/new path", ""
		h.ServeHTTP(w, r)
	})
	srv := httptest.NewServer(mux)
	defer srv.Close()
	for target, want := range map[string]string{
		"/mount/a|b%2Fc%7C?x|y": "/a|b%2Fc%7C /mount/a|b/c| x|y",
		"/mount/":               "/ /mount/ ",
		"/old/x":                "/new%20path /mount/new path ",
	} {
		_, r := dial(t, srv.Listener.Addr().String(), "GET "+target+" HTTP/1.1\r\nHost: h\r\n\r\n")
		response(t, r, "GET")
		s := <-scopes
		if got := s.RawPath + " " + s.Path + " " + s.QueryString; got != want {
			t.Errorf("%s is seen as %q, want %q", target, got, want)
		}
	}
}
