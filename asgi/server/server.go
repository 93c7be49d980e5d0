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
	"github.com/gale-server/gale/asgi/internal/engine"
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
	files   fileReaders
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
	s := &Server{cfg: cfg, log: cfg.Logger, files: fileReaders{most: cfg.FileReaders}}
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
	for i := range s.group.Loops() {
		s.workers = append(s.workers, newWorker(s, s.group.Loop(i)))
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
	return s.listen(eventloop.ListenConfig{Network: network, Address: address})
}

// ListenOn is Listen with a listener that exists already, such as an inherited
// one. The server takes it over and closes it, also when it returns an error.
func (s *Server) ListenOn(l net.Listener) (net.Addr, error) {
	addr, err := s.listen(eventloop.ListenConfig{Listener: l})
	if err != nil {
		_ = l.Close()
	}
	return addr, err
}

func (s *Server) listen(c eventloop.ListenConfig) (net.Addr, error) {
	if s.running.Load() {
		return nil, fmt.Errorf("server: Listen after Run, or after Close: %w", net.ErrClosed)
	}
	c.Open = nil
	addr, err := s.group.AddListener(c)
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	return addr, nil
}

// Run starts the application's lifespan, serves until ctx is done, drains, and
// ends the lifespan. It returns nil after an orderly end, and an error if the
// application failed to start or to shut down, or exchanges had to be dropped:
// ones that had not come to their end, or whose client did not take it. A
// Server runs once, not without a listener, and not after Close.
//
// A handler that blocks a loop beyond the drain does not hold up the end: after
// two more seconds Run returns with an eventloop.HeldError, which names it, and
// leaves the loop behind. What ran on that loop, and the lifespan if it is on it,
// is not told of the end.
//
// A ctx that is done before the application has started is an orderly end, too:
// its startup is cut short, by cancelling its context, and as it never started
// it is not told to shut down.
//
// Draining follows a fixed order: the listeners close; idle connections close;
// every open exchange gets a gale.drain event; responses under way end with
// "Connection: close"; WebSockets are closed with 1012, spread over the first
// half of Config.DrainTimeout; what is left at its end is dropped; when every
// exchange has ended, the application gets lifespan.shutdown.
//
// A request whose head was taken is answered whole, as far as the application
// does so in time. One that was not, because it was on its way or waited behind
// another when the connection closed, gets not a byte, so that its client may
// send it again (https://www.rfc-editor.org/rfc/rfc9112#section-9.3.1). Clients
// that do nothing, or do not answer a close, hold up the end until
// Config.DrainTimeout and are no loss.
func (s *Server) Run(ctx context.Context) (err error) {
	if s.running.Swap(true) {
		return errors.New("server: Run called twice, or after Close")
	}
	defer func() {
		if held := s.stop(); heldBy(err) == nil {
			err = errors.Join(err, held)
		}
	}()
	if len(s.group.Addrs()) == 0 {
		return errors.New("server: Run without Listen")
	}
	life := engine.NewLifespan(s.group.Loop(0), engine.LifespanConfig{
		Handler: s.cfg.Handler,
		Timeout: s.cfg.LifespanTimeout,
		Strict:  s.cfg.Strict,
		Failed:  func(err error) { s.logFailure("lifespan", asgi.Address{}, "", err) },
	})
	state, err := life.Startup(ctx)
	if err != nil {
		if engine.ToldToStop(ctx, err) {
			return nil
		}
		return fmt.Errorf("server: %w", err)
	}
	s.state = state
	s.group.Start()
	<-ctx.Done()
	err = s.drain()
	if held := heldBy(err); held != nil && held.Loop == 0 {
		return err
	}
	if failed := life.Shutdown(context.Background()); failed != nil {
		err = errors.Join(err, fmt.Errorf("server: %w", failed))
	}
	return err
}

// stop stops the loops, after applications that wait on them. What it drops is no news: after the drain there are at
// most conns left that were refused for Config.Loop.MaxConns. An error names who holds a loop, which goes on.
func (s *Server) stop() error {
	for i, w := range s.workers {
		s.group.Loop(i).PostOwed(w.late.stop)
	}
	expired, cancel := context.WithCancel(context.Background())
	cancel()
	if held := heldBy(s.group.Shutdown(expired)); held != nil {
		return fmt.Errorf("server: %w", held)
	}
	return nil
}

// heldBy returns the first eventloop.HeldError in err, or nil.
func heldBy(err error) *eventloop.HeldError {
	var held *eventloop.HeldError
	errors.As(err, &held)
	return held
}

// Close releases a server that was never run.
func (s *Server) Close() error {
	if s.running.Swap(true) {
		return nil
	}
	return s.stop()
}

// drain closes the listeners and waits until every conn has ended; when the time
// is up it drops the rest, and waits until every application knows.
func (s *Server) drain() error {
	s.group.StopAccepting()
	d := &asgi.Drain{}
	var timeout <-chan time.Time // never, without a timeout
	if t := s.cfg.DrainTimeout; t > 0 {
		d.Deadline = time.Now().Add(t)
		timer := time.NewTimer(t)
		defer timer.Stop()
		timeout = timer.C
	}
	for i, w := range s.workers {
		s.group.Loop(i).PostOwed(func() { w.startDrain(d) })
	}
	if s.emptied(timeout) {
		return nil
	}
	dropped, err := s.drop()
	if dropped > 0 {
		err = errors.Join(fmt.Errorf("server: drain: %d exchanges dropped", dropped), err)
	}
	return err
}

// drop drops what is left, and waits until every application knows, but for those
// of a loop that is held.
func (s *Server) drop() (dropped int, err error) {
	counts := make([]int, len(s.workers))
	done := make([]chan struct{}, len(s.workers))
	for i, w := range s.workers {
		done[i] = make(chan struct{})
		s.group.Loop(i).PostOwed(func() {
			counts[i] = w.drop()
			close(done[i])
		})
	}
	for i, w := range s.workers {
		held := s.group.Loop(i).Await(done[i])
		if held == nil {
			dropped += counts[i]
			held = s.group.Loop(i).Await(w.empty)
		}
		if held != nil {
			err = errors.Join(err, fmt.Errorf("server: drain: %w", held))
		}
	}
	return dropped, err
}

// emptied waits until no worker has a conn left; it is false if timeout came
// first.
func (s *Server) emptied(timeout <-chan time.Time) bool {
	for _, w := range s.workers {
		select {
		case <-w.empty:
		case <-timeout:
			return false
		}
	}
	return true
}
