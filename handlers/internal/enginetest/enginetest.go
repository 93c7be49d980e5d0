// Package enginetest serves handlers over TCP in tests, on each engine.
//
// Not for use outside tests.
package enginetest

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/asgi/nethttp"
	"github.com/gale-server/gale/asgi/server"
)

// waitLimit bounds a request: who waits longer waits for nothing.
const waitLimit = time.Minute

// Options are what tests want of a server beside its handler.
//
// Safe for concurrent use while nobody changes it.
type Options struct {
	// Drain bounds the end of a run. Default 5 s.
	Drain time.Duration

	// HalfClose is what the end of the peer's stream means to the event loop; the
	// engine of net/http always takes it for a departure.
	HalfClose server.HalfClose
}

// Server serves a handler on an address of this machine until the test is over, or
// Stop is called.
//
// Safe for concurrent use.
type Server struct {
	Addr   string // host:port
	Client *http.Client

	end func() error
}

// Stop ends the run, and returns its error, each time it is called.
func (s *Server) Stop() error { return s.end() }

// Engine is what serves; both engines are.
type Engine interface {
	Listen(network, address string) (net.Addr, error)
	Run(ctx context.Context) error
}

// engines make each engine.
var engines = map[string]func(asgi.Handler, Options) (Engine, error){
	"loop": func(h asgi.Handler, o Options) (Engine, error) {
		return server.New(server.Config{Handler: h, Logger: Quiet, DrainTimeout: o.Drain, HalfClose: o.HalfClose})
	},
	"nethttp": func(h asgi.Handler, o Options) (Engine, error) {
		return nethttp.NewServer(nethttp.Config{Handler: h, Logger: Quiet, DrainTimeout: o.Drain})
	},
}

// Quiet logs nothing.
var Quiet = slog.New(slog.DiscardHandler)

// Each runs a test on each engine, as a subtest of its name, which must leave no
// goroutine and no descriptor behind. handler makes what is served, with what is to
// be cleaned up after the server.
func Each(t *testing.T, o Options, handler func(t *testing.T) asgi.Handler, test func(t *testing.T, s *Server)) {
	if o.Drain == 0 {
		o.Drain = 5 * time.Second
	}
	for name, start := range engines {
		t.Run(name, func(t *testing.T) {
			asgitest.CheckLeaks(t)
			engine, err := start(handler(t), o)
			if err != nil {
				t.Fatal(err)
			}
			test(t, Serve(t, engine))
		})
	}
}

// Serve runs an engine until the test is over, or it is stopped.
func Serve(t testing.TB, engine Engine) *Server {
	t.Helper()
	addr, err := engine.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- engine.Run(ctx) }() // ends with ctx
	s := &Server{
		Addr:   addr.String(),
		Client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}, Timeout: waitLimit},
		end: sync.OnceValue(func() error {
			cancel()
			return <-ended
		}),
	}
	t.Cleanup(func() {
		s.Client.CloseIdleConnections()
		_ = s.Stop() // what a test leaves open is no matter here
	})
	return s
}
