// Python and Go in one server: a Flask application for the pages, the hub in Go for the
// people who watch, and pictures made small by Pillow in processes that may crash, leak
// or never end without harm to anybody.
//
//	apt-get install python3-flask python3-pil
//	go run ./examples/12-mixed
//
// Open http://127.0.0.1:8080 in two windows and send a picture: Flask takes the upload,
// has it made small on the class "pictures" (gale.run), and publishes it to the hub
// (gale.publish), which tells every window.
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/gale-server/gale/asgi/http1"
	"github.com/gale-server/gale/asgi/server"
	"github.com/gale-server/gale/executor"
	"github.com/gale-server/gale/executor/process"
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/socket"
	"github.com/gale-server/gale/handlers/python"
	"github.com/gale-server/gale/handlers/sse"
)

// options are what a test has otherwise.
type options struct {
	folder      string // of this example
	interpreter string // of Python
}

// run serves on addr until ctx is done, and says where as soon as it serves.
func run(ctx context.Context, o options, addr string, ready func(net.Addr)) (err error) {
	ending := func(end func(context.Context) error) {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		err = errors.Join(err, end(ctx))
	}
	// Pictures are made small in processes, two at a time.
	scratch, err := os.MkdirTemp("", "pictures-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	worker, err := process.WritePythonWorker(scratch)
	if err != nil {
		return err
	}
	pillow, err := process.New(process.Config{
		Command: []string{o.interpreter, worker, filepath.Join(o.folder, "pictures.py")},
		Workers: 2,
	})
	if err != nil {
		return err
	}
	defer ending(pillow.Close)
	e, err := executor.New(executor.Config{Classes: []executor.ClassConfig{{Name: "pictures", Workers: 2}}})
	if err != nil {
		return err
	}
	defer ending(e.Close)
	h, err := hub.New(hub.Config{Channels: map[string]hub.Options{"": {}}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()

	pages, err := python.New(python.Config{
		App:      "pages:app",
		Dir:      filepath.Join(o.folder, "pages"),
		Python:   o.interpreter,
		Workers:  2,
		Hub:      h,
		Executor: e,
		Jobs: map[string]python.Job{
			"thumbnail": func(ctx context.Context, picture []byte) ([]byte, error) { return pillow.Do(ctx, "thumbnail", picture) },
		},
	})
	if err != nil {
		return err
	}
	mux := new(handlers.Mux)
	mux.HTTP("/*", pages)
	mux.Lifespan(pages) // which starts and ends the processes of Python
	readers := hub.Anyone(hub.Grants{Subscribe: []string{"pictures"}})
	ws, err := socket.New(socket.Config{Hub: h, Authenticate: readers})
	if err != nil {
		return err
	}
	events, err := sse.New(sse.Config{Hub: h, Authenticate: readers})
	if err != nil {
		return err
	}
	mux.WebSocket("/hub/ws", ws)
	mux.HTTP("/hub/sse", events)

	srv, err := server.New(server.Config{Handler: mux, HalfClose: server.HalfCloseDisconnects, HTTP: http1.Config{MaxBodyBytes: 16 << 20}})
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
	o := options{}
	flag.StringVar(&o.folder, "folder", "examples/12-mixed", "where pages and pictures.py are")
	flag.StringVar(&o.interpreter, "python", "python3", "the interpreter that has Flask and Pillow")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, o, "127.0.0.1:8080", func(addr net.Addr) { log.Printf("open http://%s", addr) })
	if err != nil {
		log.Fatal(err)
	}
}
