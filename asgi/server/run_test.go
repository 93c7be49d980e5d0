package server

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/eventloop"
	"github.com/gale-server/gale/internal/longtest"
)

// running is a server under way on real sockets.
type running struct {
	t    testing.TB
	srv  *Server
	addr string
	stop context.CancelFunc
	done chan error
}

// run starts a server that leaves nothing behind.
func run(t testing.TB, cfg Config) *running {
	t.Helper()
	wantNoLeaks(t)
	return runBeside(t, cfg)
}

// runBeside is run for subtests that run side by side, whose test looks for leaks.
func runBeside(t testing.TB, cfg Config) *running {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	srv, err := New(cfg)
	must(t, err)
	addr, err := srv.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{t: t, srv: srv, addr: addr.String(), stop: cancel, done: make(chan error, 1)}
	go func() { r.done <- srv.Run(ctx) }() // ends with stop
	t.Cleanup(func() {
		cancel()
		if r.done != nil {
			r.end()
		}
	})
	return r
}

// end waits for Run, and stops it if nothing else has.
func (r *running) end() error {
	r.t.Helper()
	r.stop()
	return r.wait()
}

func (r *running) wait() error {
	r.t.Helper()
	select {
	case err := <-r.done:
		r.done = nil
		return err
	case <-time.After(longtest.Patience):
		r.t.Fatal("Run does not return")
		return nil
	}
}

// dial opens a connection that is closed with the test.
func (r *running) dial() *net.TCPConn {
	r.t.Helper()
	c, err := net.Dial("tcp", r.addr)
	must(r.t, err)
	r.t.Cleanup(func() { c.Close() })
	must(r.t, c.SetDeadline(time.Now().Add(longtest.Patience)))
	return c.(*net.TCPConn)
}

// ask sends s and returns what comes until it ends with end.
func ask(t testing.TB, c net.Conn, s, end string) string {
	t.Helper()
	_, err := io.WriteString(c, s)
	must(t, err)
	var out []byte
	for b := make([]byte, 4096); !strings.HasSuffix(string(out), end); {
		n, err := c.Read(b)
		out = append(out, b[:n]...)
		if err != nil {
			t.Fatalf("%v after %q", err, out)
		}
	}
	return string(out)
}

func TestRunMisuse(t *testing.T) {
	wantNoLeaks(t)
	if _, err := New(Config{}); err == nil {
		t.Error("no handler")
	}
	for _, c := range []Config{{RootPath: "a"}, {RootPath: "/a/"}, {AllowedOrigins: []string{"example.org"}}, {Loop: eventloop.Config{Loops: -1}}} {
		c.Handler = answers(t)
		if _, err := New(c); err == nil {
			t.Errorf("%+v was accepted", c)
		}
	}
	srv, err := New(Config{Handler: answers(t)})
	must(t, err)
	addr, err := srv.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	if _, err := srv.Listen("tcp", addr.String()); err == nil {
		t.Error("one address, two listeners")
	}
	must(t, srv.Close())
	must(t, srv.Close())
	if err := srv.Run(context.Background()); err == nil {
		t.Error("Run after Close")
	}
	if _, err := srv.Listen("tcp", "127.0.0.1:0"); !errors.Is(err, net.ErrClosed) {
		t.Error("Listen after Close:", err)
	}

	srv, err = New(Config{Handler: answers(t)})
	must(t, err)
	if err := srv.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "Run without Listen") {
		t.Error("Run without Listen:", err)
	}

	r := run(t, Config{Handler: answers(t)})
	c := r.dial()
	ask(t, c, get, "ok")
	if err := r.srv.Run(context.Background()); err == nil {
		t.Error("Run twice")
	}
	if _, err := r.srv.Listen("tcp", "127.0.0.1:0"); !errors.Is(err, net.ErrClosed) {
		t.Error("Listen after Run:", err)
	}
	must(t, r.srv.Close()) // nothing to release
	ask(t, c, get, "ok")
	c.Close()
	must(t, r.end())
	if _, err := net.Dial("tcp", r.addr); err == nil {
		t.Error("the listener is open after Run")
	}
}

// What is left at the end of the drain is dropped, and every application knows
// before the lifespan's is told to shut down.
func TestDrainTimeout(t *testing.T) {
	var events []string
	note := func(what string, err error) {
		if err != nil {
			what += ": " + err.Error()
		}
		events = append(events, what)
	}
	entered := make(chan struct{}, 3)
	app := func(ctx context.Context, s *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
		if s.Type == asgi.ScopeLifespan {
			receive(ctx)
			send(ctx, &asgi.LifespanStartupComplete{})
			receive(ctx)
			note("shutdown", nil)
			return send(ctx, &asgi.LifespanShutdownComplete{})
		}
		entered <- struct{}{}
		switch s.Path {
		case "/sleep":
			note("sleep", asgi.Sleep(ctx, time.Hour))
		case "/await":
			_, err := asgi.Await(ctx, func(func(int, error)) {})
			note("await", err)
		case "/receive":
			for {
				ev, err := receive(ctx)
				if _, gone := ev.(*asgi.HTTPDisconnect); gone || err != nil {
					note("receive", err)
					return nil
				}
			}
		}
		return nil
	}
	r := run(t, Config{Handler: asgi.Coroutine(app), DrainTimeout: 50 * time.Millisecond, Loop: eventloop.Config{Loops: 1}})
	for _, path := range []string{"/sleep", "/await", "/receive"} {
		_, err := io.WriteString(r.dial(), strings.Replace(get, "/p", path, 1))
		must(t, err)
		<-entered
	}
	if err := r.end(); err == nil || err.Error() != "server: drain: 3 exchanges dropped" {
		t.Fatal(err)
	}
	if len(events) != 4 || events[3] != "shutdown" {
		t.Fatal(events)
	}
}

// A client that has its answer and does not close is nothing lost.
func TestDrainOfAnsweredConns(t *testing.T) {
	r := run(t, Config{Handler: answers(t), DrainTimeout: 50 * time.Millisecond})
	ask(t, r.dial(), get, "ok") // never closed by us
	must(t, r.end())
}

// A negative timeout waits as long as it takes.
func TestDrainWithoutTimeout(t *testing.T) {
	exchanges, drains := make(chan asgi.Exchange, 1), make(chan *asgi.Drain, 1)
	h := &record{on: func(x asgi.Exchange, ev asgi.ReceiveEvent) {
		switch e := ev.(type) {
		case *asgi.HTTPRequest:
			exchanges <- x
		case *asgi.Drain:
			drains <- e
		}
	}}
	r := run(t, Config{Handler: h, DrainTimeout: -1})
	c := r.dial()
	_, err := io.WriteString(c, get)
	must(t, err)
	var x asgi.Exchange
	select {
	case x = <-exchanges:
	case err := <-r.done:
		t.Fatal(err)
	}
	r.stop()
	if d := <-drains; !d.Deadline.IsZero() {
		t.Error("a deadline:", d.Deadline)
	}
	x.Post(func() { respond(t, x, 200, "ok") })
	ask(t, c, "", "ok")
	c.Close()
	must(t, r.wait())
}

// A conn above MaxConns that lingers after its refusal does not make an orderly
// end an error.
func TestRefusedConnsAreNoLoss(t *testing.T) {
	r := run(t, Config{Handler: answers(t), Loop: eventloop.Config{MaxConns: 1, Loops: 1}})
	c := r.dial()
	ask(t, c, get, "ok")
	wantStatus(t, ask(t, r.dial(), "", "Service Unavailable\n"), "503")
	c.Close()
	must(t, r.end())
}

// An application that sends until it is congested comes to an end although a
// write finds that the client has gone.
func TestSendUntilCongested(t *testing.T) {
	asked, gone, sends := make(chan struct{}), make(chan struct{}), make(chan int, 1)
	h := &record{on: func(x asgi.Exchange, ev asgi.ReceiveEvent) {
		if _, ok := ev.(*asgi.HTTPRequest); !ok {
			return
		}
		close(asked)
		<-gone
		must(t, x.Send(&asgi.HTTPResponseStart{Status: 200}))
		n := 0
		for ; !x.Congested() && n < 1000; n++ {
			_ = x.Send(&asgi.HTTPResponseBody{Body: make([]byte, 64<<10), MoreBody: true})
		}
		sends <- n
	}}
	r := run(t, Config{Handler: h})
	c := r.dial()
	_, err := io.WriteString(c, get)
	must(t, err)
	<-asked
	must(t, c.SetLinger(0))
	c.Close()
	close(gone)
	if n := <-sends; n > 10 {
		t.Fatalf("%d sends to nobody", n)
	}
	must(t, r.end())
}
