package nethttp_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/nethttp"
)

// An application beside other handlers of a net/http server.
func ExampleHandler() {
	hello := func(ctx context.Context, scope *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
		if err := send(ctx, &asgi.HTTPResponseStart{Status: 200}); err != nil {
			return err
		}
		return send(ctx, &asgi.HTTPResponseBody{Body: []byte("hello from " + scope.Path)})
	}
	h, err := nethttp.NewHandler(nethttp.Config{Handler: asgi.Coroutine(hello)})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/app/", h)
	srv := httptest.NewServer(mux)
	defer srv.Close()

	res, err := http.Get(srv.URL + "/app/x")
	if err != nil {
		panic(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	fmt.Printf("%s\n", body)
	// Output: hello from /app/x
}

// A net/http router as an application: what it is given here, an engine gives
// it on the event loop.
func ExampleApplication() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hello/{name}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello %s", r.PathValue("name"))
	})
	app := asgi.Goroutine(nethttp.Application(mux), nil)

	h, err := nethttp.NewHandler(nethttp.Config{Handler: app})
	if err != nil {
		panic(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/hello/gopher", nil))
	fmt.Println(w.Code, w.Header().Get("Content-Type"), w.Body)
	// Output: 200 text/plain; charset=utf-8 hello gopher
}
