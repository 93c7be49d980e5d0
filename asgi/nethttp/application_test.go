package nethttp_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	gorilla "github.com/gorilla/websocket"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/asgi/nethttp"
	"github.com/gale-server/gale/asgi/server"
)

// serveLoop runs a net/http handler on the event loop until the test is over.
func serveLoop(t testing.TB, h http.Handler) (addr string) {
	t.Helper()
	asgitest.CheckGoroutines(t)
	srv, err := server.New(server.Config{
		Handler:      asgi.Goroutine(nethttp.Application(h), nil),
		Logger:       slog.New(slog.NewTextHandler(io.Discard, nil)),
		DrainTimeout: 2 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	bound, err := srv.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx) }() // ends with the test
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return bound.String()
}

// router is a chi router as people write them.
func router(left chan<- error) http.Handler {
	r := chi.NewRouter()
	r.Use(middleware.RequestID, middleware.StripSlashes)
	r.Get("/hello/{name}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello %s %s", chi.URLParam(r, "name"), r.URL.Query().Get("q"))
	})
	r.Post("/echo", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
		io.Copy(w, r.Body)
	})
	r.Get("/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		rc := http.NewResponseController(w)
		for i := 0; ; i++ {
			fmt.Fprintf(w, "data: %d\n\n", i)
			if err := rc.Flush(); err != nil {
				left <- err
				return
			}
			select {
			case <-r.Context().Done():
				left <- context.Cause(r.Context())
				return
			case <-time.After(time.Millisecond):
			}
		}
	})
	r.Get("/panic", func(http.ResponseWriter, *http.Request) { panic("recovered") })
	return r
}

// A chi router, with middleware and server-sent events, on the event loop.
func TestChi(t *testing.T) {
	left := make(chan error, 1)
	addr := serveLoop(t, router(left))
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/hello/w%C3%B6rld?q=1", "", 200, "hello wörld 1"},
		{"GET", "/hello/x/", "", 200, "hello x "},
		{"POST", "/echo", strings.Repeat("0123456789", 100_000), 200, strings.Repeat("0123456789", 100_000)},
		{"GET", "/echo", "", 405, ""},
		{"GET", "/nowhere", "", 404, "404 page not found\n"},
		{"GET", "/panic", "", 500, "Internal Server Error\n"},
	} {
		req, _ := http.NewRequest(c.method, "http://"+addr+c.path, strings.NewReader(c.body))
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != c.status || string(body) != c.want {
			t.Errorf("%s %s: %d, %.40q, %v", c.method, c.path, res.StatusCode, body, err)
		}
	}
	res, err := http.Get("http://" + addr + "/events")
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(res.Body)
	for i := range 5 {
		if !lines.Scan() || lines.Text() != fmt.Sprint("data: ", i) || !lines.Scan() {
			t.Fatalf("got %q, %v", lines.Text(), lines.Err())
		}
	}
	res.Body.Close()
	select {
	case err := <-left:
		if !errors.Is(err, asgi.ErrDisconnected) && !errors.Is(err, context.Canceled) {
			t.Errorf("the handler learns of %v", err)
		}
	case <-time.After(waitLimit):
		t.Error("the handler never hears that the client has left")
	}
}

// handlers do what net/http handlers do; each must look the same to a client
// under net/http and on the event loop.
var handlers = map[string]http.HandlerFunc{
	"nothing":  func(http.ResponseWriter, *http.Request) {},
	"sniffed":  func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "<html><p>hi") },
	"status":   func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(418); io.WriteString(w, "tea") },
	"error":    func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", http.StatusForbidden) },
	"redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
	"late header": func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-A", "1")
		w.WriteHeader(200)
		w.WriteHeader(500)
		w.Header().Set("X-B", "too late")
	},
	"204": func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(204)
		if _, err := w.Write([]byte("x")); err != http.ErrBodyNotAllowed {
			panic(err)
		}
	},
	"304": func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Etag", `"x"`); w.WriteHeader(304) },
	"large": func(w http.ResponseWriter, r *http.Request) {
		for range 1000 {
			io.WriteString(w, strings.Repeat("line\n", 100))
		}
	},
	"one large": func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, 1<<20)) },
	"sized": func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "4")
		io.WriteString(w, "ab")
		w.(http.Flusher).Flush()
		io.WriteString(w, "cd")
		if _, err := io.WriteString(w, "ef"); err != http.ErrContentLength {
			panic(err)
		}
	},
	"trailers": func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Declared")
		io.WriteString(w, "body")
		w.(http.Flusher).Flush()
		w.Header().Set("X-Declared", "1")
		w.Header().Set(http.TrailerPrefix+"X-Sudden", "2")
	},
	"read all": func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		fmt.Fprint(w, len(body), err, r.ContentLength, r.TransferEncoding, r.Host != "", r.Proto, r.Method, r.RequestURI, r.URL, r.RemoteAddr != "")
	},
	"duplex": func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		w.(http.Flusher).Flush()
		body, err := io.ReadAll(r.Body)
		fmt.Fprint(w, len(body), err)
	},
	"file": func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "x.txt", time.Unix(1e9, 0), strings.NewReader(strings.Repeat("0123456789", 10_000)))
	},
	"aborted": func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "half")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	},
	"connection": func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Connection", "close") },
}

func TestLikeNetHTTP(t *testing.T) {
	mux := http.NewServeMux()
	for name, h := range handlers {
		mux.HandleFunc("/"+strings.ReplaceAll(name, " ", "-"), h)
	}
	plain := httptest.NewUnstartedServer(mux)
	plain.Config.ErrorLog = log.New(io.Discard, "", 0)
	plain.Start()
	defer plain.Close()
	addr := serveLoop(t, mux)
	for name := range handlers {
		for _, method := range []string{"GET", "HEAD", "POST"} {
			for _, ranges := range []string{"", "bytes=10-19"} {
				path := "/" + strings.ReplaceAll(name, " ", "-") + "?a=%20b"
				want, got := describe(t, plain.URL+path, method, ranges), describe(t, "http://"+addr+path, method, ranges)
				if got != want {
					t.Errorf("%s %s %s:\n got %.400s\nwant %.400s", method, name, ranges, got, want)
				}
			}
		}
	}
}

func describe(t testing.TB, url, method, ranges string) string {
	t.Helper()
	var body io.Reader
	if method == "POST" {
		body = struct{ io.Reader }{strings.NewReader(strings.Repeat("x", 100_000))} // chunked
	}
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Te", "trailers")
	if ranges != "" {
		req.Header.Set("Range", ranges)
	}
	req.Close = true // a body that is not read may cost the connection
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return "no response: " + err.Error()
	}
	defer res.Body.Close()
	content, err := io.ReadAll(res.Body)
	maps.DeleteFunc(res.Header, func(key string, _ []string) bool {
		return key == "Date" || key == "Server" || key == "Trailer" && method == "HEAD" // a HEAD has no trailers
	})
	return fmt.Sprint(res.StatusCode, res.Header, res.Trailer, res.ContentLength >= 0 && err == nil, len(content), " ", err, " ", string(content))
}

// What cannot be done is refused clearly.
func TestUnsupported(t *testing.T) {
	addr := serveLoop(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		_, _, hijack := rc.Hijack()
		_, hijacker := w.(http.Hijacker)
		for _, err := range []error{hijack, rc.SetReadDeadline(time.Now()), rc.SetWriteDeadline(time.Now())} {
			if !errors.Is(err, http.ErrNotSupported) || hijacker {
				t.Errorf("got %v, %v", err, hijacker)
			}
		}
	}))
	res, err := http.Get("http://" + addr)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
}

// Early hints come first, and a WebSocket's handshake is answered like a GET.
func TestEarlyHintsAndDenial(t *testing.T) {
	addr := serveLoop(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Link", "</a>; rel=preload")
		w.Header().Add("Link", "</b>; rel=preload")
		w.WriteHeader(103)
		http.Error(w, r.Method+" "+r.URL.Path, http.StatusUnauthorized)
	}))
	_, r := dial(t, addr, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n")
	hints, _ := http.ReadResponse(r, nil)
	if hints == nil || hints.StatusCode != 103 || len(hints.Header["Link"]) != 2 {
		t.Errorf("got %v", hints)
	}
	if res, body := response(t, r, "GET"); res.StatusCode != 401 || body != "GET /x\n" {
		t.Errorf("got %d %q", res.StatusCode, body)
	}
	_, res, err := gorilla.DefaultDialer.Dial("ws://"+addr+"/ws", nil)
	if err == nil {
		t.Fatal("the handshake succeeds")
	}
	if body, _ := io.ReadAll(res.Body); res.StatusCode != 401 || string(body) != "GET /ws\n" {
		t.Errorf("got %d %q", res.StatusCode, body)
	}
}

// A handler that panics costs its response; the log has it, but not
// http.ErrAbortHandler's.
func TestPanic(t *testing.T) {
	app := func(v any) asgi.Handler {
		return asgi.Goroutine(nethttp.Application(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(v) })), nil)
	}
	for name, c := range map[string]struct {
		value  any
		status string
		logged bool
	}{
		"panic": {"broken", "HTTP/1.1 500 ", true},
		"abort": {http.ErrAbortHandler, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			addr := serve(t, nethttp.Config{Handler: app(c.value), Logger: slog.New(slog.NewTextHandler(&log, nil))})
			_, r := dial(t, addr, get)
			if line, _ := r.ReadString('\n'); !strings.HasPrefix(line, c.status) || c.status == "" && line != "" {
				t.Errorf("got %q", line)
			}
			if logged := strings.Contains(log.String(), "application failed"); logged != c.logged {
				t.Errorf("logged: %s", &log)
			}
		})
	}
}

// What an application does with a handler, without an engine.
func TestApplicationAlone(t *testing.T) {
	run := func(te string, h http.HandlerFunc) (sent []asgi.SendEvent, err error) {
		scope := asgitest.HTTPScope("GET", "/")
		scope.Headers = append(scope.Headers, asgi.Header{Name: "te", Value: te})
		scope.Extensions = map[string]any{asgi.ExtTrailers: nil}
		receive := func(context.Context) (asgi.ReceiveEvent, error) { return &asgi.HTTPRequest{}, nil }
		err = nethttp.Application(h)(context.Background(), scope, receive, func(_ context.Context, ev asgi.SendEvent) error {
			sent = append(sent, asgi.CloneSend(ev))
			return nil
		})
		return sent, err
	}
	trailing := func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "body")
		w.Header().Set(http.TrailerPrefix+"X-Sum", "1")
	}
	for te, want := range map[string]int{"gzip": 2, "gzip;q=1, trailers": 3} {
		sent, err := run(te, trailing)
		if err != nil || len(sent) != want || sent[0].(*asgi.HTTPResponseStart).Trailers != (want == 3) {
			t.Errorf("TE %s: %d events, %v", te, len(sent), err)
		}
	}
	sent, err := run("", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	if len(sent) != 0 || !errors.Is(err, http.ErrAbortHandler) || !errors.Is(err, asgi.ErrDisconnected) {
		t.Errorf("an abort sends %d events and returns %v", len(sent), err)
	}
	failure := errors.New("gone")
	err = nethttp.Application(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := w.Write(make([]byte, 1<<16)); err != failure {
			t.Errorf("Write returns %v", err)
		}
	}))(context.Background(), asgitest.HTTPScope("GET", "/"), nil, func(context.Context, asgi.SendEvent) error { return failure })
	if err != failure {
		t.Errorf("the application returns %v", err)
	}
	if err := nethttp.Application(nil)(context.Background(), &asgi.Scope{Type: asgi.ScopeLifespan}, nil, nil); err != asgi.ErrUnsupportedScope {
		t.Errorf("lifespan: %v", err)
	}
}

// A start that comes when the hints are long on their way is the application's
// own, and none that net/http makes up.
func TestEarlyHintsAlone(t *testing.T) {
	exchanges := make(chan asgi.Exchange, 1)
	addr := serve(t, nethttp.Config{Handler: newEvents(func(x asgi.Exchange, ev asgi.ReceiveEvent) {
		if _, ok := ev.(*asgi.HTTPRequest); ok {
			exchanges <- x
		}
	})})
	_, r := dial(t, addr, get)
	x := <-exchanges
	hint := &asgi.HTTPEarlyHint{Links: []string{"</a.css>; rel=preload"}}
	for _, step := range []struct {
		send []asgi.SendEvent
		want int
	}{
		{[]asgi.SendEvent{hint}, 103},
		{[]asgi.SendEvent{hint}, 103},
		{[]asgi.SendEvent{&asgi.HTTPResponseStart{Status: 404}, &asgi.HTTPResponseBody{}}, 404},
	} {
		x.Post(func() { send(t, x, step.send...) })
		if res, err := http.ReadResponse(r, nil); err != nil || res.StatusCode != step.want {
			t.Fatalf("got %v, %v, want %d", res, err, step.want)
		}
	}
}
