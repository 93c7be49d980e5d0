// Package looptest drives an [eventloop.Protocol] in memory, on a scripted
// kernel and clock: what the peer sends, how much the kernel takes, what time
// it is. Conns are those of package eventloop, with only the system calls
// replaced, so that order, watermarks, pauses, deadlines and closing behave as
// on real sockets. Nothing here sleeps, and no goroutine is started.
//
//	c := looptest.NewConn(t, func(c eventloop.Conn) eventloop.Protocol { return &echo{c} })
//	c.Feed("hello")
//	if got := c.Output(); got != "hello" { ... }
//
// Every method that changes something runs the loop until it has nothing left
// to do, so posted functions, Turns and flushes have happened when it returns.
// What a test calls on the [eventloop.Conn] itself between two such methods
// takes effect with the next one; Run is one that does nothing else.
//
// Bytes delivered to a Protocol are overwritten when Data returns, so that
// keeping them shows.
package looptest

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gale-server/gale/eventloop"
)

// Start is what a new loop's clock says.
var Start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const (
	// busyTurns is after how many turns in a row a loop is said to spin.
	busyTurns = 100_000
	// patience is how long Await waits, in real time.
	patience = time.Minute
)

// Loop is one event loop with its conns, its kernel and its clock.
//
// Not safe for concurrent use: the goroutine that calls it is the loop.
type Loop struct {
	t      testing.TB
	sim    *eventloop.Simulation
	kernel *fakeKernel
	held   bool // Run is put off
}

// NewLoop makes a loop. Config.Open is used by Open(nil).
func NewLoop(t testing.TB, config eventloop.Config) *Loop {
	t.Helper()
	k := newKernel()
	sim, err := eventloop.NewSimulation(config, k)
	if err != nil {
		t.Fatal(err)
	}
	return &Loop{t: t, sim: sim, kernel: k}
}

// Config is what the loop was made with, every default put in.
func (l *Loop) Config() eventloop.Config { return l.sim.Config() }

// Open opens a conn, with the peer at 192.0.2.1:50000 (and on from there) and
// us at 192.0.2.100:80.
func (l *Loop) Open(open func(eventloop.Conn) eventloop.Protocol) *Conn {
	l.t.Helper()
	s := l.kernel.socket()
	c := &Conn{Host: l, socket: s}
	local := eventloop.Addr{AddrPort: netip.MustParseAddrPort("192.0.2.100:80")}
	remote := netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), uint16(50000+s.fd-firstFD))
	l.sim.Open(s.fd, local, remote, func(conn eventloop.Conn) eventloop.Protocol {
		c.Conn = conn
		p := open(conn)
		if p == nil {
			return nil
		}
		return &watched{Protocol: p, conn: c}
	})
	l.Run()
	return c
}

// EventLoop is the loop as conns see it.
func (l *Loop) EventLoop() *eventloop.Loop { return l.sim.Loop() }

// Conns is the number of conns that have not ended.
func (l *Loop) Conns() int { return l.sim.Conns() }

// Now is what the clock says.
func (l *Loop) Now() time.Time { return l.kernel.now }

// Cold says whether files are out of the page cache from now on. They are in it at
// first.
func (l *Loop) Cold(cold bool) { l.kernel.cold = cold }

// Together has the poller report in one list what peers do in fn, each report when
// it is done: nothing else runs on the loop until fn has returned.
func (l *Loop) Together(fn func()) {
	l.t.Helper()
	l.held = true
	fn()
	l.held = false
	l.Run()
}

// Run runs the loop until it has nothing left to do.
func (l *Loop) Run() {
	l.t.Helper()
	if l.held {
		return
	}
	l.sim.Wake()
	for range busyTurns {
		if l.kernel.woken() {
			l.sim.Wake()
		} else if s := l.kernel.rejected(); s != nil {
			l.sim.Ready(s.fd, resetEdge)
		} else {
			return
		}
	}
	l.t.Fatalf("looptest: the loop is still busy after %d turns", busyTurns)
}

// Advance moves the clock by d and runs every timer on the way when its time
// has come.
func (l *Loop) Advance(d time.Duration) {
	l.t.Helper()
	l.Run()
	target := l.kernel.now.Add(d)
	for l.kernel.ring(target) {
		l.sim.Timer()
		l.Run()
	}
	if l.kernel.now.Before(target) { // else callbacks have taken so long
		l.kernel.now = target
	}
	l.Run()
}

// Spend moves the clock by d while a callback runs, as one does that takes its
// time. Timers on the way wait for the end of the turn.
func (l *Loop) Spend(d time.Duration) { l.kernel.now = l.kernel.now.Add(d) }

// Await runs the loop whenever something is posted to it from other
// goroutines, until cond is true. It fails the test after ten seconds.
func (l *Loop) Await(cond func() bool) {
	l.t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for l.Run(); !cond(); l.Run() {
		select {
		case <-l.kernel.wakes:
		case <-timeout.C:
			l.t.Fatalf("looptest: what was awaited did not happen in %v", patience)
		}
	}
}
