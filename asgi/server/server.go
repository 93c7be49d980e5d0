package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/http1"
	"github.com/gale-server/gale/eventloop"
)

// Server serves one application on any number of listeners.
//
//	srv, err := server.New(server.Config{Handler: h})
//	addr, err := srv.Listen("tcp", "127.0.0.1:8080")
//	err = srv.Run(ctx)
//
// Safe for concurrent use.
type Server struct {
	cfg     Config
	log     *slog.Logger
	group   *eventloop.Group
	workers []*worker
	state   map[string]any // of the lifespan; set before the first conn
	running atomic.Bool
}

// New checks cfg and makes a server. It opens no socket; one that is never run
// is closed with Close.
func New(cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, log: cfg.Logger}
	loop := cfg.Loop
	loop.Open = s.open
	loop.Logger = cfg.Logger
	if loop.Refusal == nil {
		m := http1.New(nil)
		loop.Refusal = m.AppendError(nil, 503, "", cfg.Name)
	}
	if s.group, err = eventloop.New(loop); err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	for range s.group.Loops() {
		s.workers = append(s.workers, newWorker(s))
	}
	return s, nil
}

func (s *Server) open(sock eventloop.Conn) eventloop.Protocol {
	return s.workers[sock.Loop().Index()].open(sock)
}

// Listen opens a listener: network is "tcp", "tcp4", "tcp6" or "unix". Its
// connections wait until Run has started the application. It returns the
// address, with the port that was chosen for port 0.
func (s *Server) Listen(network, address string) (net.Addr, error) {
	return s.ListenWith(eventloop.ListenConfig{Network: network, Address: address})
}

// ListenWith is Listen with all options, such as an inherited socket.
func (s *Server) ListenWith(c eventloop.ListenConfig) (net.Addr, error) {
	c.Open = nil
	addr, err := s.group.AddListener(c)
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	return addr, nil
}

// Run starts the application's lifespan, serves until ctx is done, drains, and
// ends the lifespan. It returns nil after an orderly end, and an error if the
// application failed to start or to shut down, or connections had to be
// dropped. A Server runs once.
//
// Draining follows a fixed order: the listeners close; idle connections close;
// every open exchange gets a gale.drain event; responses under way end with
// "Connection: close"; WebSockets are closed with 1012, spread over the first
// half of Config.DrainTimeout; what is left at its end is dropped; then the
// application gets lifespan.shutdown.
func (s *Server) Run(ctx context.Context) error {
	if s.running.Swap(true) {
		return errors.New("server: Run called twice")
	}
	life, err := s.startup(ctx)
	if err != nil {
		return errors.Join(err, s.group.Shutdown(expired()))
	}
	s.group.Start()
	<-ctx.Done()
	err = s.drain()
	if life != nil {
		err = errors.Join(err, life.shutdown(context.Background()))
	}
	return errors.Join(err, s.group.Shutdown(expired()))
}

// Close releases a server that was never run.
func (s *Server) Close() error {
	if s.running.Swap(true) {
		return nil
	}
	return s.group.Shutdown(expired())
}

// expired is the context of a shutdown that waits for nothing.
func expired() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// drain closes the listeners and waits until every conn has ended, or the time
// is up.
func (s *Server) drain() error {
	s.group.StopAccepting()
	d := &asgi.Drain{Deadline: time.Now().Add(max(s.cfg.DrainTimeout, 0))}
	for i, w := range s.workers {
		s.group.Loop(i).Post(func() { w.startDrain(d) })
	}
	timeout := time.NewTimer(time.Until(d.Deadline))
	defer timeout.Stop()
	for _, w := range s.workers {
		select {
		case <-w.empty:
		case <-timeout.C:
			return fmt.Errorf("server: drain: %d connections dropped", s.group.Conns())
		}
	}
	return nil
}
