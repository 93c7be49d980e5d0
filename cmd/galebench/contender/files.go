package contender

import (
	"net"
	"net/http"
	"os"

	"github.com/valyala/fasthttp"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/static"
)

// startGaleFiles serves a folder, and echoes the messages of WebSockets on the same
// loops.
func startGaleFiles(cfg Config) (net.Addr, error) {
	files, err := static.New(static.Config{Dir: cfg.Files})
	if err != nil {
		return nil, err
	}
	return startGale(cfg, asgi.HandlerFunc(func(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		if scope.Type == asgi.ScopeHTTP {
			return files.Open(scope, x)
		}
		return handle(scope, x)
	}))
}

func startNetHTTPFiles(cfg Config) (net.Addr, error) {
	root, err := os.OpenRoot(cfg.Files)
	if err != nil {
		return nil, err
	}
	return serveHTTP(http.FileServerFS(root.FS()))
}

func startFastHTTPFiles(cfg Config) (net.Addr, error) {
	ln, err := listen()
	if err != nil {
		return nil, err
	}
	files := fasthttp.FS{Root: cfg.Files}
	srv := &fasthttp.Server{Name: ServerName, Handler: files.NewRequestHandler()}
	go func() { panic(srv.Serve(ln)) }() // ends with the process
	return ln.Addr(), nil
}
