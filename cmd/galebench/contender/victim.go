package contender

import (
	"context"
	"log/slog"
	"net"
	"os"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/nethttp"
	"github.com/gale-server/gale/asgi/server"
	"github.com/gale-server/gale/cmd/internal/victim"
	"github.com/gale-server/gale/eventloop"
)

// victimHandler echoes at /, and elsewhere is what attacks are made for.
func victimHandler() asgi.Handler {
	app := victim.New()
	return asgi.HandlerFunc(func(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		if scope.Path == "/" {
			return handle(scope, x)
		}
		return app.Open(scope, x)
	})
}

// quiet is a log without what attacks are meant to cause.
func quiet() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError + 1}))
}

func startVictim(cfg Config) (net.Addr, error) {
	srv, err := server.New(server.Config{Handler: victimHandler(), Logger: quiet(), Loop: eventloop.Config{Loops: cfg.Loops}})
	if err != nil {
		return nil, err
	}
	return run(srv)
}

func startVictimNetHTTP(Config) (net.Addr, error) {
	srv, err := nethttp.NewServer(nethttp.Config{Handler: victimHandler(), Logger: quiet()})
	if err != nil {
		return nil, err
	}
	return run(srv)
}

func run(srv interface {
	Listen(network, address string) (net.Addr, error)
	Run(ctx context.Context) error
}) (net.Addr, error) {
	addr, err := srv.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go func() { // ends with the process
		if err := srv.Run(context.Background()); err != nil {
			panic(err)
		}
	}()
	return addr, nil
}
