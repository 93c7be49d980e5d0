package asgitest

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
)

// session is one run of a case: a server, the scripts it serves, and clients.
//
// Safe for concurrent use, except by the methods that fail the test at once,
// which belong to the case's goroutine.
type session struct {
	tb     testing.TB
	form   scriptForm
	engine Engine
	ctx    context.Context // done when the case is over
	cancel context.CancelFunc

	server  *Server
	stopped bool
	wires   []*wire

	mu      sync.Mutex
	scripts map[string]script
	points  map[string]chan struct{}
	events  []string // what was noted, in order
	open    int      // scripts under way
	idle    chan struct{}
}

func newSession(tb testing.TB, f scriptForm, e Engine) *session {
	s := &session{
		tb:      tb,
		form:    f,
		engine:  e,
		scripts: map[string]script{},
		points:  map[string]chan struct{}{},
		idle:    make(chan struct{}, 1),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// serve starts the engine with the given scripts.
func (s *session) serve(scripts ...script) { s.serveWith(Setup{}, scripts...) }

func (s *session) serveWith(setup Setup, scripts ...script) {
	s.tb.Helper()
	if err := s.start(setup, scripts...); err != nil {
		s.tb.Fatalf("the engine does not start: %v", err)
	}
}

func (s *session) start(setup Setup, scripts ...script) error {
	for _, script := range scripts {
		s.scripts[script.on] = script
	}
	server, err := s.engine.Start(s.tb, s.form.make(scripted{s}), setup)
	if err == nil {
		s.server = server
	}
	return err
}

// leave closes every client's connection.
func (s *session) leave() {
	for _, w := range s.wires {
		w.conn.Close()
	}
}

// stop ends the server, which has no clients any more, and returns what it
// reports.
func (s *session) stop() error {
	s.leave()
	s.stopped = true
	if s.server == nil {
		return nil
	}
	return s.server.Stop()
}

// finish ends the case: clients leave, the server stops, and every application
// must have come to its end.
func (s *session) finish() {
	s.tb.Helper()
	s.leave()
	if !s.tb.Failed() {
		s.waitIdle()
	}
	s.cancel() // releases applications that wait for a signal
	if !s.stopped {
		if err := s.stop(); err != nil {
			s.tb.Errorf("the engine stops with: %v", err)
		}
	}
}

// waitIdle waits until the scripts of all exchanges have ended; a lifespan goes
// on.
func (s *session) waitIdle() {
	s.tb.Helper()
	limit := time.NewTimer(waitLimit)
	defer limit.Stop()
	for {
		s.mu.Lock()
		open := s.open
		s.mu.Unlock()
		if open == 0 {
			return
		}
		select {
		case <-s.idle:
		case <-limit.C:
			s.tb.Errorf("%d applications have not ended after %v", open, waitLimit)
			return
		}
	}
}

func (s *session) began(scope *asgi.Scope) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if scope.Type != asgi.ScopeLifespan {
		s.open++
	}
}

func (s *session) ended(scope *asgi.Scope, on string) {
	s.signal(endOf(on))
	s.mu.Lock()
	defer s.mu.Unlock()
	if scope.Type != asgi.ScopeLifespan {
		s.open--
	}
	select {
	case s.idle <- struct{}{}:
	default:
	}
}

// endOf is the signal that the script on a path has ended.
func endOf(on string) string { return "end of " + on }

// point is the channel behind a signal.
func (s *session) point(name string) chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.points[name]
	if c == nil {
		c = make(chan struct{})
		s.points[name] = c
	}
	return c
}

// signal lets whoever waits for name go on, now and later.
func (s *session) signal(name string) {
	c := s.point(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-c:
	default:
		close(c)
	}
}

// wait blocks the client until an application gives a signal.
func (s *session) wait(name string) {
	s.tb.Helper()
	limit := time.NewTimer(waitLimit)
	defer limit.Stop()
	select {
	case <-s.point(name):
	case <-limit.C:
		s.tb.Fatalf("no signal %q from the application after %v", name, waitLimit)
	}
}

// note appends to the record of what happened.
func (s *session) note(event string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, event)
}

// noted fails the test unless exactly these were noted, in this order.
func (s *session) noted(want ...string) {
	s.tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.events, want) {
		s.tb.Errorf("this happened: %q, want %q", s.events, want)
	}
}

// failf reports what a script found; any goroutine may call it.
func (s *session) failf(format string, args ...any) {
	select {
	case <-s.ctx.Done(): // the case is over
	default:
		s.tb.Errorf("application: "+format, args...)
	}
}

// dial connects a client, which has 10 seconds for all it does.
func (s *session) dial() *wire {
	s.tb.Helper()
	conn, err := net.DialTimeout("tcp", s.server.Addr, waitLimit)
	if err != nil {
		s.tb.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(waitLimit))
	w := newWire(s.tb, conn)
	s.wires = append(s.wires, w)
	return w
}

// refused reports whether the server serves nobody: it does not answer a
// request.
func (s *session) refused() error {
	conn, err := net.DialTimeout("tcp", s.server.Addr, waitLimit)
	if err != nil {
		return nil
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(waitLimit))
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: test\r\n\r\n")
	if p, err := io.ReadAll(conn); len(p) > 0 {
		return fmt.Errorf("the server answers %q", p)
	} else if e, timeout := err.(net.Error); timeout && e.Timeout() {
		return fmt.Errorf("the server neither answers nor closes")
	}
	return nil
}
