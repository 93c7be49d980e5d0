package eventloop

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

// A callback that calls runtime.Goexit, as t.FailNow does, costs its conn. The
// loop goes on, with all that was under way at that moment.
func TestGoexit(t *testing.T) {
	for name, hook := range map[string]func(c Conn, h *hooks){
		"data":     func(c Conn, h *hooks) { h.data = func([]byte) { c.Write([]byte("last")); runtime.Goexit() } },
		"turn":     func(c Conn, h *hooks) { h.data, h.turn = func([]byte) { c.Schedule() }, runtime.Goexit },
		"eof":      func(c Conn, h *hooks) { h.eof = runtime.Goexit },
		"deadline": func(c Conn, h *hooks) { h.data, h.deadline = func([]byte) { c.SetDeadline(c.Now()) }, runtime.Goexit },
		"closed": func(c Conn, h *hooks) {
			h.data, h.closed = func([]byte) { c.Close() }, func(error) { runtime.Goexit() }
		},
		"timer": func(c Conn, h *hooks) {
			h.data = func([]byte) { c.AfterFunc(time.Millisecond, runtime.Goexit); c.AfterFunc(2*time.Millisecond, c.Close) }
		},
		"post": func(c Conn, h *hooks) {
			h.data = func([]byte) { c.Loop().Post(runtime.Goexit); c.Post(c.Close) }
		},
		"open": func(c Conn, h *hooks) { runtime.Goexit() },
	} {
		t.Run(name, func(t *testing.T) {
			const others = 8
			n := 0
			s := serve(t, Config{Loops: 1, LingerTimeout: -1, Open: func(c Conn) Protocol {
				if n++; n == others+1 {
					h := new(hooks)
					hook(c, h)
					return h
				}
				return echo(c)
			}})
			var clients []net.Conn
			for range others {
				c := s.dial()
				write(t, c, "a")
				readN(t, c, 1)
				clients = append(clients, c)
			}
			ticks := make(chan bool)
			s.loops[0].Post(func() { // a timer that runs meanwhile
				var again func()
				again = func() {
					select {
					case ticks <- true:
					default:
					}
					s.loops[0].AfterFunc(time.Millisecond, again)
				}
				again()
			})

			// All is reported at once, the one that exits among them.
			blocked, goOn := make(chan bool), make(chan bool)
			s.loops[0].Post(func() { close(blocked); <-goOn })
			receive(t, blocked)
			bad := s.dial()
			for i, c := range append(clients, bad) {
				write(t, c, "b")
				if i == others {
					_ = c.(*net.TCPConn).CloseWrite()
				}
			}
			close(goOn)
			got, err := io.ReadAll(bad)
			if name == "data" && string(got) != "last" || err != nil && name != "open" { // nobody has read what it sent
				t.Errorf("before the end: %q, %v", got, err)
			}
			for _, c := range clients {
				if got := readN(t, c, 1); got != "b" {
					t.Errorf("others: %q", got)
				}
			}
			receive(t, ticks)
			if c := s.dial(); true {
				write(t, c, "new")
				readN(t, c, 3)
			}
			if !strings.Contains(s.log.String(), "Goexit") {
				t.Errorf("log: %s", s.log)
			}
		})
	}
}

// A callback may exit while the group stops, too.
func TestGoexitAtShutdown(t *testing.T) {
	s := serve(t, Config{Loops: 1, Open: func(Conn) Protocol {
		return &hooks{data: func([]byte) {}, closed: func(error) { runtime.Goexit() }}
	}})
	for range 3 {
		s.dial()
	}
	eventually(t, func() bool { return s.Conns() == 3 }, func() string { return "not all are accepted" })
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Shutdown(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	s.stopping = nil // for the clean-up
	if n := s.Conns(); n != 0 {
		t.Errorf("%d conns are left", n)
	}
}

// A loop that a callback holds cannot be stopped; who holds it is told.
func TestHeld(t *testing.T) {
	s := serve(t, Config{Loops: 2, Open: echo})
	release := make(chan struct{})
	holding := make(chan bool)
	s.loops[1].Post(func() { close(holding); hold(release) })
	receive(t, holding)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := s.Shutdown(ctx)
	var held *HeldError
	if !errors.As(err, &held) || held.Loop != 1 || held.For < heldAfter || !strings.Contains(held.Error(), "eventloop.hold (") {
		t.Errorf("%v\n%s", err, held.Stack)
	}
	s.stopping = nil // for the clean-up
	close(release)
	receive(t, s.loops[1].stopped)
	if s.loops[0].Post(func() {}) {
		t.Error("the other loop runs")
	}
}

//go:noinline
func hold(release chan struct{}) { <-release }
