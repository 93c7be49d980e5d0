// The way of the web on one port: a folder of files, programs that are started for
// each request (CGI), a router of net/http, and a WebSocket on the event loop.
//
//	go run ./examples/09-static-and-cgi
//	curl -i http://127.0.0.1:8080/
//	curl http://127.0.0.1:8080/cgi-bin/environment.sh/extra/path?q=1
//	curl http://127.0.0.1:8080/api/greet/world
//
// Files and programs alone need no code: see "gale run --help".
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/nethttp"
	"github.com/gale-server/gale/asgi/server"
	"github.com/gale-server/gale/executor"
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/cgi"
	"github.com/gale-server/gale/handlers/static"
)

// router is a synchronous application, as net/http has them: it may block.
func router() http.Handler {
	r := chi.NewRouter()
	r.Get("/api/greet/{name}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "Hello, %s!\n", chi.URLParam(r, "name"))
	})
	return r
}

// echo is an asynchronous application: it runs on the loop.
func echo(ctx context.Context, _ *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
	for {
		ev, err := receive(ctx)
		if err != nil {
			return err
		}
		switch ev := ev.(type) {
		case *asgi.WebSocketConnect:
			err = send(ctx, &asgi.WebSocketAccept{})
		case *asgi.WebSocketReceive:
			err = send(ctx, &asgi.WebSocketSend{Kind: ev.Kind, Data: ev.Data})
		case *asgi.WebSocketDisconnect:
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// run serves what is in folder on addr until ctx is done, and says where as soon as
// it is known.
func run(ctx context.Context, folder, addr string, ready func(net.Addr)) (err error) {
	// Disks and programs are waited for here, never on a loop. Eight programs run at
	// the same time; what waits for its turn is bounded, too.
	e, err := executor.New(executor.Config{Classes: []executor.ClassConfig{{Name: "cgi", Workers: 8}}})
	if err != nil {
		return err
	}
	defer func() {
		ending, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		err = errors.Join(err, e.Close(ending))
	}()
	files, err := static.New(static.Config{Dir: filepath.Join(folder, "site"), Blocking: e.Class(executor.Blocking)})
	if err != nil {
		return err
	}
	defer files.Close()
	programs, err := cgi.New(cgi.Config{Dir: filepath.Join(folder, "cgi-bin"), Class: e.Class("cgi"), Blocking: e.Class(executor.Blocking)})
	if err != nil {
		return err
	}
	defer programs.Close()

	mux := new(handlers.Mux)
	mux.HTTP("/*", files)
	mux.HTTP("/cgi-bin/*", programs)
	mux.HTTP("/api/*", asgi.Goroutine(nethttp.Application(router()), e.Class(executor.Blocking).Go))
	mux.WebSocket("/echo", asgi.Coroutine(echo))

	srv, err := server.New(server.Config{Handler: mux, HalfClose: server.HalfCloseDisconnects})
	if err != nil {
		return err
	}
	bound, err := srv.Listen("tcp", addr)
	if err != nil {
		return err
	}
	ready(bound)
	return srv.Run(ctx)
}

func main() {
	folder := flag.String("folder", "examples/09-static-and-cgi", "where site and cgi-bin are")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, *folder, "127.0.0.1:8080", func(addr net.Addr) { log.Printf("open http://%s", addr) })
	if err != nil {
		log.Fatal(err)
	}
}
