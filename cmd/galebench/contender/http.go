package contender

import (
	"net"
	"net/http"

	"github.com/valyala/fasthttp"
)

var (
	contentTypeValue = []string{ContentType}
	serverValue      = []string{ServerName}
	bodyBytes        = []byte(Body)
)

func startNetHTTP(Config) (net.Addr, error) {
	rooms := newHTTPRooms()
	return serveHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/pub":
			rooms.publish(w, r)
			return
		case "/sse":
			rooms.subscribe(w, r)
			return
		}
		h := w.Header()
		h["Content-Type"] = contentTypeValue
		h["Server"] = serverValue
		_, _ = w.Write(bodyBytes)
	}))
}

func startFastHTTP(Config) (net.Addr, error) {
	ln, err := listen()
	if err != nil {
		return nil, err
	}
	srv := &fasthttp.Server{
		Name: ServerName,
		Handler: func(ctx *fasthttp.RequestCtx) {
			ctx.SetContentType(ContentType)
			ctx.SetBody(bodyBytes)
		},
	}
	go func() { panic(srv.Serve(ln)) }() // ends with the process
	return ln.Addr(), nil
}
