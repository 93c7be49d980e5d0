package eventloop_test

import (
	"testing"
	"time"

	"github.com/gale-server/gale/eventloop"
	"github.com/gale-server/gale/eventloop/looptest"
)

func TestWriteTimeout(t *testing.T) {
	b := newBench(t, eventloop.Config{WriteTimeout: 10 * time.Second})
	b.Stall()
	b.write(100)
	b.Advance(9 * time.Second)
	b.Accept(1) // progress
	b.Advance(9 * time.Second)
	b.write(1) // not progress
	b.calls("")
	b.Advance(1500 * time.Millisecond)
	b.calls("closed: peer does not read")
	if !b.Aborted() {
		t.Error("the peer may take the truncated stream for a whole one")
	}
}

// TestWriteTimeoutBesideDeadline has both instants of a conn pending, in both
// orders.
func TestWriteTimeoutBesideDeadline(t *testing.T) {
	b := newBench(t, eventloop.Config{WriteTimeout: 10 * time.Second})
	b.SetDeadline(looptest.Start.Add(5 * time.Second))
	b.Stall()
	b.write(1)
	b.Advance(6 * time.Second)
	b.calls("deadline")
	b.Advance(5 * time.Second)
	b.calls("deadline; closed: peer does not read")

	b = newBench(t, eventloop.Config{WriteTimeout: 10 * time.Second})
	b.SetDeadline(looptest.Start.Add(time.Hour))
	b.Stall()
	b.write(1)
	b.Advance(11 * time.Second)
	b.calls("closed: peer does not read")
}

func TestWriteTimeoutEndsWithTheOutbox(t *testing.T) {
	b := newBench(t, eventloop.Config{WriteTimeout: 10 * time.Second})
	b.Stall()
	b.write(100)
	b.Accept(-1)
	b.Advance(time.Hour)
	b.Stall()
	b.Advance(time.Hour)
	b.calls("")
	b.write(1)
	b.Advance(9 * time.Second)
	b.calls("")
	b.Advance(2 * time.Second)
	b.calls("closed: peer does not read")
}

func TestCloseTimeout(t *testing.T) {
	b := newBench(t, eventloop.Config{WriteTimeout: 10 * time.Second, CloseTimeout: 30 * time.Second})
	b.SetDeadline(looptest.Start.Add(time.Second))
	b.Stall()
	b.write(100)
	b.Close()
	for range 5 { // a trickle of progress
		b.Advance(5500 * time.Millisecond)
		b.Accept(1)
	}
	b.calls("")
	b.Advance(3 * time.Second)
	b.calls("closed: peer does not read")
}

func TestTimers(t *testing.T) {
	b := newBench(t, eventloop.Config{})
	var fired []time.Duration
	note := func() { fired = append(fired, b.Now().Sub(looptest.Start)) }
	timer := b.AfterFunc(time.Second, note)
	b.Host.EventLoop().AfterFunc(2*time.Second, note)
	b.Advance(3 * time.Second)
	if len(fired) != 2 || fired[0] < time.Second || fired[0] > time.Second+9*time.Millisecond || fired[1] < 2*time.Second {
		t.Fatalf("fired at %v", fired)
	}
	if timer.Stop() || timer.Reset(time.Second) {
		t.Error("a fired timer says it was running")
	}
	if !timer.Reset(2*time.Second) || !timer.Reset(500*time.Millisecond) {
		t.Error("a running timer says it was not")
	}
	b.Advance(time.Second)
	if len(fired) != 3 || fired[2] < 3500*time.Millisecond || fired[2] > 3509*time.Millisecond {
		t.Fatalf("fired at %v", fired)
	}
	timer.Reset(time.Second)
	if !timer.Stop() {
		t.Error("a running timer says it was not")
	}
	b.AfterFunc(time.Second, note)
	b.Abort()
	timer.Reset(time.Second)
	b.Advance(time.Hour)
	if timer.Reset(time.Second); timer.Stop() {
		t.Error("a timer runs after the end of its conn")
	}
	b.Advance(time.Hour)
	if len(fired) != 3 {
		t.Fatalf("fired at %v", fired)
	}
}

func TestDeadline(t *testing.T) {
	b := newBench(t, eventloop.Config{})
	var fired []time.Duration
	b.p.onDeadline = func() { fired = append(fired, b.Now().Sub(looptest.Start)) }
	at := func(d time.Duration) { b.SetDeadline(looptest.Start.Add(d)) }
	at(10 * time.Second)
	at(20 * time.Second)
	b.Advance(15 * time.Second)
	at(17 * time.Second)
	b.Advance(5 * time.Second)
	if len(fired) != 1 || fired[0] < 17*time.Second || fired[0] > 17*time.Second+9*time.Millisecond {
		t.Fatalf("fired at %v", fired)
	}
	at(-time.Hour)
	b.Advance(10 * time.Millisecond)
	if len(fired) != 2 {
		t.Fatal("a deadline in the past did not fire")
	}
	b.SetDeadline(looptest.Start.AddDate(290, 0, 0))
	b.Advance(time.Hour)
	at(0)
	b.SetDeadline(time.Time{})
	b.Advance(time.Hour)
	if len(fired) != 2 {
		t.Fatalf("fired at %v", fired)
	}
}

// TestManyTimers has more timers due at once than one turn takes.
func TestManyTimers(t *testing.T) {
	b := newBench(t, eventloop.Config{})
	fired := 0
	for range 5000 {
		b.AfterFunc(time.Second, func() { fired++ })
	}
	b.Advance(time.Second + 10*time.Millisecond)
	if fired != 5000 {
		t.Fatalf("%d fired", fired)
	}
}
