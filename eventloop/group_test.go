package eventloop

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestShutdownClosesInGoodOrder(t *testing.T) {
	closed := make(chan error, 10)
	s := serve(t, Config{Open: func(c Conn) Protocol {
		return &hooks{
			data:   func([]byte) { c.Write(make([]byte, 4<<20)) },
			closed: func(err error) { closed <- err },
		}
	}})
	c := s.dial()
	write(t, c, "x")
	readN(t, c, 1)
	down := make(chan error, 1)
	go func() { down <- s.Shutdown(context.Background()) }()
	if n := len(readAll(t, c)); n != 4<<20-1 {
		t.Errorf("%d bytes arrived", n)
	}
	_ = c.Close()
	wantErr(t, receive(t, down), nil)
	wantErr(t, receive(t, closed), nil)
}

func TestShutdownDeadline(t *testing.T) {
	closed := make(chan error, 10)
	opened := make(chan bool, 10)
	s := serve(t, Config{Open: func(c Conn) Protocol {
		opened <- true
		return &hooks{closed: func(err error) { closed <- err }}
	}})
	s.dial() // never closes
	receive(t, opened)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	wantErr(t, s.Shutdown(ctx), context.Canceled)
	wantErr(t, receive(t, closed), ErrShutdown)
	s.stopped.Do(func() {}) // a second Shutdown returns the same
	wantErr(t, s.Shutdown(context.Background()), context.Canceled)
	s.stopping = nil // for the clean-up
}

// TestShutdownAtTheDoor shuts down while conns wait to be opened: they are served as
// all others, as long as there is time, and none is forgotten.
func TestShutdownAtTheDoor(t *testing.T) {
	const many = 20
	for _, patient := range []bool{true, false} {
		closed := make(chan error, many)
		s := serve(t, Config{Loops: 1, Open: func(c Conn) Protocol {
			for began := time.Now(); time.Since(began) < 2*timePerTurn; { // one is opened per turn
			}
			return &hooks{closed: func(err error) { closed <- err }}
		}})
		loop, blocked, release := s.loops[0], make(chan bool), make(chan bool)
		goOn := sync.OnceFunc(func() { close(release) })
		t.Cleanup(goOn)
		loop.Post(func() { close(blocked); <-release })
		receive(t, blocked)
		clients := make([]net.Conn, many)
		for i := range clients {
			clients[i] = s.dial()
		}
		eventually(t, func() bool { return s.Stats().Accepted == many }, func() string { return "not all are accepted" })
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		if !patient {
			cancel()
		}
		down := make(chan error, 1)
		go func() { down <- s.Shutdown(ctx) }()
		tasks := map[bool]int{true: many + 1, false: many + 2}[patient] // to drain, and then to stop
		eventually(t, func() bool {
			loop.mailbox.mu.Lock()
			defer loop.mailbox.mu.Unlock()
			return len(loop.mailbox.in) == tasks
		}, func() string { return "the loop is not told" })
		goOn()
		for _, c := range clients {
			_, _ = io.Copy(io.Discard, c) // to the end, or a reset
			_ = c.Close()
		}
		if err := receive(t, down); patient && err != nil || !patient && !errors.Is(err, context.Canceled) {
			t.Errorf("patient %v: Shutdown: %v", patient, err)
		}
		for range many {
			if err := receive(t, closed); patient && err != nil {
				t.Errorf("closed for %v", err)
			}
		}
		if n := s.Conns(); n != 0 {
			t.Errorf("%d conns are left", n)
		}
		s.stopping = nil // for the clean-up
	}
}

func TestConfig(t *testing.T) {
	for name, c := range map[string]Config{
		"loops":      {Loops: -1},
		"high":       {HighWatermark: -1},
		"low":        {LowWatermark: -1},
		"order":      {HighWatermark: 10, LowWatermark: 20},
		"above":      {OutboxBytes: 10, HighWatermark: 20},
		"high above": {HighWatermark: 2 << 20},
	} {
		if _, err := New(c); err == nil || !strings.HasPrefix(err.Error(), "eventloop: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	c, err := Config{}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	if c.Loops < 1 || c.MaxConns < 1 || c.OutboxBytes != 1<<20 || c.HighWatermark != 256<<10 || c.LowWatermark != 64<<10 ||
		c.ReadBytesPerTurn != 256<<10 || c.WriteBytesPerTurn != 128<<10 || c.QuietBytesPerTurn != 2<<20 || c.WriteTimeout != 30*time.Second || c.CloseTimeout != time.Minute ||
		c.LingerTimeout != 5*time.Second || c.LingerBytes != 1<<20 || c.MailboxTasks != 1<<20 || c.BlockedAfter != 100*time.Millisecond {
		t.Errorf("defaults: %+v", c)
	}
	c, err = Config{OutboxBytes: -1, MaxConns: -1, WriteTimeout: -1, LingerTimeout: -1, BlockedAfter: -1}.withDefaults()
	if err != nil || c.HighWatermark != 256<<10 || c.MaxConns < 1<<30 || c.WriteTimeout < 1e5*time.Hour || c.LingerTimeout != 0 || c.BlockedAfter != 0 {
		t.Errorf("no limits: %+v, %v", c, err)
	}
}

// TestOwnership calls a conn from another goroutine than its loop's.
func TestOwnership(t *testing.T) {
	conns := make(chan Conn, 1)
	s := serve(t, Config{Open: func(c Conn) Protocol {
		conns <- c
		return echo(c)
	}})
	s.dial()
	c := receive(t, conns)
	for name, fn := range map[string]func(){
		"Write": func() { c.Write([]byte("x")) }, "Reserve": func() { c.Reserve(1) }, "Commit": func() { c.Commit(nil) },
		"PauseRead": c.PauseRead, "ResumeRead": c.ResumeRead, "Schedule": c.Schedule,
		"SetDeadline": func() { c.SetDeadline(time.Time{}) }, "AfterFunc": func() { c.AfterFunc(0, func() {}) },
		"CloseWrite": c.CloseWrite, "Close": c.Close, "Abort": c.Abort,
		"Loop.AfterFunc": func() { c.Loop().AfterFunc(0, func() {}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s from a foreign goroutine went unnoticed", name)
				}
			}()
			fn()
		}()
	}
	if c.Loop().Owned() {
		t.Error("the test's goroutine owns the loop")
	}
	owned := make(chan bool)
	c.Post(func() { owned <- c.Loop().Owned() })
	if !receive(t, owned) {
		t.Error("the loop's goroutine does not own it")
	}
}

// TestCoroutineOwns has a coroutine use the conn while the loop waits for it.
func TestCoroutineOwns(t *testing.T) {
	s := serve(t, Config{Open: func(c Conn) Protocol {
		return &hooks{data: func(p []byte) {
			run := coroutine(func() {
				c.Loop().Adopt()
				c.Write(p)
			})
			run()
			c.Loop().Adopt()
			c.Write(p)
			run()
		}}
	}})
	c := s.dial()
	write(t, c, "x")
	readN(t, c, 2)
}

// blockedAfter is more than a turn takes of a loop that waits for a processor.
const blockedAfter = 500 * time.Millisecond

func TestWatchdog(t *testing.T) {
	said, text := make(saying, 10), new(logBuffer)
	logger := slog.New(slog.NewTextHandler(io.MultiWriter(text, said), nil))
	s := serve(t, Config{Loops: 1, BlockedAfter: blockedAfter, Logger: logger, Open: func(c Conn) Protocol {
		return &hooks{data: func(p []byte) {
			if string(p) == "block" {
				handlerThatBlocks(said)
			}
			c.Write(p)
		}}
	}})
	c := s.dial()
	write(t, c, "quick")
	readN(t, c, 5)
	for range 2 {
		write(t, c, "block")
		readN(t, c, 5)
	}
	log := text.String()
	if n := strings.Count(log, "event loop is blocked"); n != 2 {
		t.Errorf("%d reports of two incidents: %s", n, log)
	}
	if !strings.Contains(log, "handlerThatBlocks") || !strings.Contains(log, "loop=0") {
		t.Errorf("the handler is not named: %s", log)
	}
	if st := s.Stats(); st.Blocked != 2 || st.MaxLag < blockedAfter || st.MaxLag > patience {
		t.Errorf("stats: %+v", st)
	}
}

// handlerThatBlocks holds its loop until the watchdog has said so.
//
//go:noinline
func handlerThatBlocks(said saying) {
	select {
	case <-said:
	case <-time.After(patience):
	}
}

// TestWatchdogCoroutine blocks in a coroutine that the loop has switched to.
func TestWatchdogCoroutine(t *testing.T) {
	said, text := make(saying, 10), new(logBuffer)
	logger := slog.New(slog.NewTextHandler(io.MultiWriter(text, said), nil))
	s := serve(t, Config{Loops: 1, BlockedAfter: blockedAfter, Logger: logger, Open: func(c Conn) Protocol {
		parked := coroutine(func() {})
		parked()
		run := coroutine(func() { handlerThatBlocks(said) })
		return &hooks{data: func(p []byte) {
			run()
			c.Write(p)
		}, closed: func(error) { parked(); run() }}
	}})
	c := s.dial()
	write(t, c, "block")
	readN(t, c, 5)
	if log := text.String(); !strings.Contains(log, "handlerThatBlocks") {
		t.Errorf("the handler is not named: %s", log)
	}
}

func TestErrorsAreDistinct(t *testing.T) {
	cause := errors.New("cause")
	if err := error(&PanicError{Value: cause}); !errors.Is(err, cause) {
		t.Error("the cause of a panic is lost")
	}
	if err := ioError(net.ErrClosed); !errors.Is(err, ErrReset) {
		t.Errorf("%v is no reset", err)
	}
}
