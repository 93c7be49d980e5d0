package nethttp

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gale-server/gale/asgi/internal/engine"
)

// Server serves one application on any number of listeners, with the shape of
// asgi/server:
//
//	srv, err := nethttp.NewServer(nethttp.Config{Handler: h})
//	addr, err := srv.Listen("tcp", "127.0.0.1:8080")
//	err = srv.Run(ctx)
//
// Safe for concurrent use.
type Server struct {
	handler *Handler
	http    *http.Server
	running atomic.Bool
	idle    idleConns
	room    *room
	serving sync.WaitGroup // the listeners' goroutines

	mu        sync.Mutex
	listeners []net.Listener
}

// NewServer checks cfg and makes a server. It opens no socket; one that is
// never run is closed with Close.
func NewServer(cfg Config) (*Server, error) {
	derived := cfg.MaxConns == 0
	h, err := NewHandler(cfg)
	if err != nil {
		return nil, err
	}
	cfg = h.cfg
	s := &Server{handler: h, room: newRoom(cfg, derived)}
	s.http = &http.Server{
		Handler:           h,
		ReadHeaderTimeout: cfg.HeadTimeout,
		IdleTimeout:       cfg.KeepAliveTimeout,
		MaxHeaderBytes:    cfg.MaxHeadBytes,
		// "OPTIONS *" is the application's to answer.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     log.New(debugLog{cfg.Logger}, "", 0),
	}
	s.http.ConnState = s.idle.note
	s.http.ConnContext = withConn
	h.owner = s.http
	if cfg.TLS != nil {
		s.http.TLSConfig = cfg.TLS.Clone()
	}
	return s, nil
}

// debugLog takes what net/http has to say, which is about peers.
type debugLog struct{ log *slog.Logger }

func (d debugLog) Write(p []byte) (int, error) {
	d.log.Debug("net/http: " + string(p[:max(len(p)-1, 0)]))
	return len(p), nil
}

// Listen opens a listener: network is "tcp", "tcp4", "tcp6" or "unix". Its
// connections wait until Run has started the application. It returns the
// address, with the port that was chosen for port 0. The file of a Unix socket
// that a killed process left is replaced.
func (s *Server) Listen(network, address string) (net.Addr, error) {
	if s.running.Load() {
		return nil, fmt.Errorf("nethttp: Listen after Run, or after Close: %w", net.ErrClosed)
	}
	l, err := listen(network, address)
	if err != nil {
		return nil, fmt.Errorf("nethttp: %w", err)
	}
	return s.ListenOn(l)
}

// ListenOn is Listen with a listener that exists already, such as an inherited
// one. The server takes it over and closes it, also when it returns an error.
func (s *Server) ListenOn(l net.Listener) (net.Addr, error) {
	if s.running.Load() {
		_ = l.Close()
		return nil, fmt.Errorf("nethttp: Listen after Run, or after Close: %w", net.ErrClosed)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.room.cap.Fit(s.room.taken()) {
		_ = l.Close()
		return nil, fmt.Errorf("nethttp: listen: %w", errNoRoom)
	}
	s.listeners = append(s.listeners, roomListener{l, s.room})
	return l.Addr(), nil
}

// Run starts the application's lifespan, serves until ctx is done, drains, and
// ends the lifespan. It returns nil after an orderly end, and an error if the
// application failed to start or to shut down, or exchanges had to be
// dropped: ones that had not come to their end. A Server runs once.
//
// A ctx that is done before the application has started is an orderly end, too:
// its startup is cut short, by cancelling its context, and as it never started
// it is not told to shut down.
//
// Draining follows the order of asgi/server: the listeners close; every open
// exchange gets a gale.drain event; responses under way end with "Connection:
// close"; WebSockets are closed with 1012, spread over the first half of
// Config.DrainTimeout; what is left at its end is dropped; then the application
// gets lifespan.shutdown. A request that the application sees is answered whole,
// as far as it does so in time; one that it does not see gets not a byte. As
// net/http closes a connection without regard to what the client may just have
// sent, such a client may see a reset instead of an end.
func (s *Server) Run(ctx context.Context) error {
	if s.running.Swap(true) {
		return errors.New("nethttp: Run called twice, or after Close")
	}
	if len(s.listeners) == 0 {
		return errors.New("nethttp: Run without Listen")
	}
	defer s.room.hangups.close()
	if err := s.handler.Startup(ctx); err != nil {
		s.closeListeners()
		if engine.ToldToStop(ctx, err) {
			return nil
		}
		return err
	}
	s.room.cap.Fit(s.room.taken())
	failed := make(chan error, len(s.listeners))
	for _, l := range s.listeners {
		s.serving.Go(func() { failed <- s.serve(l) }) // ends with the drain
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
		err = fmt.Errorf("nethttp: %w", err)
	}
	return errors.Join(err, s.drain(), s.handler.Shutdown(context.Background()))
}

func (s *Server) serve(l net.Listener) error {
	if s.http.TLSConfig != nil {
		return s.http.ServeTLS(l, "", "")
	}
	return s.http.Serve(l)
}

// drain stops accepting and waits until every exchange has ended, or the time
// is up.
func (s *Server) drain() error {
	ctx, cancel := s.handler.drainTime(context.Background())
	defer cancel()
	s.closeListeners()
	s.serving.Wait() // every connection that was accepted is known
	closed := make(chan error, 1)
	go func() { // ends with ctx, and is waited for
		s.idle.end(ctx)
		closed <- s.http.Shutdown(ctx)
	}()
	_ = s.handler.Drain(ctx) // what is left is counted below
	err := <-closed
	dropped := s.handler.drop()
	if err != nil {
		_ = s.http.Close()
	}
	s.awaitEnd()
	if dropped == 0 {
		return nil // connections without a request are nobody's loss
	}
	err = fmt.Errorf("nethttp: drain: %d exchanges dropped", dropped)
	if held := s.handler.held(); held != "" {
		err = fmt.Errorf("%w, one of them is held by %s", err, held)
	}
	return err
}

// awaitEnd waits until the exchanges that were cut off know it.
func (s *Server) awaitEnd() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = s.handler.await(ctx, active, closing, lingering)
}

func (s *Server) closeListeners() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.listeners {
		_ = l.Close()
	}
}

// Close releases a server that was never run.
func (s *Server) Close() error {
	if !s.running.Swap(true) {
		s.closeListeners()
	}
	return nil
}
