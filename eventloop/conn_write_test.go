package eventloop_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/eventloop"
	"github.com/gale-server/gale/eventloop/looptest"
)

func TestTurnLeavesInOneWrite(t *testing.T) {
	b := newBench(t, eventloop.Config{})
	b.p.onData = func(string) {
		for i := range 100 {
			b.Write([]byte(fmt.Sprint(i)))
		}
	}
	b.Feed("x")
	if b.Writes() != 1 {
		t.Errorf("%d writes for one turn", b.Writes())
	}
}

// TestFanOutIsCorked publishes several times to several conns from the event
// of one: each gets one write.
func TestFanOutIsCorked(t *testing.T) {
	l := looptest.NewLoop(t, eventloop.Config{})
	silent := func(c eventloop.Conn) eventloop.Protocol { return &proto{Conn: c, log: newTranscript()} }
	var subscribers []*looptest.Conn
	for range 5 {
		subscribers = append(subscribers, l.Open(silent))
	}
	publish := func(text string) {
		for _, s := range subscribers {
			s.Write([]byte(text))
		}
	}
	publisher := l.Open(func(c eventloop.Conn) eventloop.Protocol {
		return &proto{Conn: c, log: newTranscript(), onData: func(p string) {
			for _, word := range strings.Fields(p) {
				publish(word)
			}
		}}
	})
	publisher.Feed("a b c d")
	for range 3 {
		l.EventLoop().Post(func() { publish("e") })
	}
	l.Run()
	for i, s := range subscribers {
		if got := s.Output(); got != "abcdeee" || s.Writes() != 2 {
			t.Errorf("subscriber %d got %q in %d writes", i, got, s.Writes())
		}
	}
}

func TestCorkIsBounded(t *testing.T) {
	b := newBench(t, eventloop.Config{WriteBytesPerTurn: -1})
	b.p.onData = func(string) {
		for range 5 * mib / kib {
			b.Write(make([]byte, kib))
			if b.Buffered() > 64*kib {
				t.Fatalf("%d bytes wait although the kernel takes them", b.Buffered())
			}
		}
	}
	b.Feed("x")
	if got := len(b.Output()); got != 5*mib {
		t.Errorf("%d bytes sent", got)
	}
	b.calls("data x")
}

// A share may be as much as an int holds.
func TestBoundlessShare(t *testing.T) {
	b := newBench(t, eventloop.Config{WriteBytesPerTurn: math.MaxInt, QuietBytesPerTurn: math.MaxInt})
	b.p.onData = func(string) { b.Write([]byte("small")) }
	b.Feed("x")
	if got := string(b.Output()); got != "small" {
		t.Errorf("sent %q", got)
	}
	b.calls("data x")
}

// TestWriteBound has two conns write four shares each: they take turns.
func TestWriteBound(t *testing.T) {
	for _, piece := range []int{kib, 16 * kib, 64 * kib, 256 * kib} {
		l := looptest.NewLoop(t, eventloop.Config{WriteBytesPerTurn: 64 * kib})
		silent := func(c eventloop.Conn) eventloop.Protocol { return &proto{Conn: c, log: newTranscript()} }
		a, b := l.Open(silent), l.Open(silent)
		var waits []string
		var look func()
		look = func() {
			if now := fmt.Sprint(a.Buffered()/kib, b.Buffered()/kib); len(waits) == 0 || waits[len(waits)-1] != now {
				waits = append(waits, now)
			}
			if a.Buffered()+b.Buffered() > 0 {
				l.EventLoop().Post(look)
			}
		}
		l.EventLoop().Post(func() {
			for range 256 * kib / piece {
				a.Write(make([]byte, piece))
				b.Write(make([]byte, piece))
			}
			look()
		})
		l.Run()
		if got := strings.Join(waits, ", "); got != "192 192, 128 128, 64 64, 0 0" {
			t.Errorf("writes of %d KiB: KiB waiting: %s", piece/kib, got)
		}
		if got := len(a.Output()) + len(b.Output()); got != 512*kib {
			t.Errorf("writes of %d KiB: %d bytes sent", piece/kib, got)
		}
	}
}

// TestWriteBoundCongests has a sender heed Congested and Drained, as it should: hardly
// anything waits, for the kernel takes everything.
func TestWriteBoundCongests(t *testing.T) {
	b := newBench(t, eventloop.Config{WriteBytesPerTurn: 64 * kib})
	left, most, calls := mib, 0, 0
	pump := func() {
		for calls++; left > 0 && !b.Congested(); left -= 32 * kib {
			b.Write(make([]byte, 32*kib))
		}
		most = max(most, b.Buffered())
	}
	b.p.onData = func(string) { pump() }
	b.p.onDrain = pump
	b.Feed("x")
	if got := len(b.Output()); got != mib || most != 32*kib {
		t.Errorf("%d bytes sent, at most %d waited", got, most)
	}
	if calls < mib/(64*kib) {
		t.Errorf("only %d turns", calls)
	}
	if b.Congested() {
		t.Error("congested, though nothing waits")
	}
}

// TestWriteBoundYields has the outbox fill up although the peer takes everything:
// that is no reason to drop the conn.
func TestWriteBoundYields(t *testing.T) {
	for _, piece := range []int{kib, 16 * kib} {
		b := newBench(t, eventloop.Config{WriteBytesPerTurn: 10 * kib, OutboxBytes: 100 * kib})
		b.p.onData = func(string) {
			for range mib / piece {
				b.Write(make([]byte, piece))
				if b.Buffered() > 100*kib+piece {
					t.Fatalf("%d bytes wait", b.Buffered())
				}
			}
			b.Close()
		}
		b.Feed("x")
		if got := len(b.Output()); got != mib || !b.WriteClosed() {
			t.Errorf("writes of %d KiB: %d bytes sent, stream ended: %v", piece/kib, got, b.WriteClosed())
		}
	}
}

func TestLargeWriteIsNotCopied(t *testing.T) {
	b := newBench(t, eventloop.Config{})
	large := strings.Repeat("L", 100*kib)
	b.p.onData = func(string) {
		b.Write([]byte("head "))
		b.Write([]byte(large))
		if b.Buffered() != 0 || b.Writes() != 1 {
			t.Errorf("%d bytes wait after %d writes", b.Buffered(), b.Writes())
		}
		b.Write([]byte(" tail"))
	}
	b.Feed("x")
	if got := b.Output(); got != "head "+large+" tail" {
		t.Errorf("%d bytes, not in order", len(got))
	}
}

// TestLargeWriteSplit has the kernel take every possible part of what waits and
// of the large piece.
func TestLargeWriteSplit(t *testing.T) {
	want := "head" + strings.Repeat("0123456789abcdef", kib) + "tail"
	for _, n := range []int{0, 1, 3, 4, 5, 1000, len(want) - 5, len(want) - 4, len(want) - 3, len(want)} {
		b := newBench(t, eventloop.Config{})
		b.Accept(n)
		b.Write([]byte(want[:4]))
		b.Write([]byte(want[4 : len(want)-4]))
		b.Write([]byte(want[len(want)-4:]))
		b.Run()
		b.buffered(len(want) - n)
		got := b.Output()
		b.Accept(-1)
		if got += b.Output(); got != want {
			t.Errorf("space for %d: %d bytes, not in order", n, len(got))
		}
	}
}

func TestWatermarks(t *testing.T) {
	b := newBench(t, eventloop.Config{OutboxBytes: 1000, HighWatermark: 400, LowWatermark: 100})
	b.Stall()
	b.write(400)
	b.Accept(400)
	b.calls("") // not above the high watermark
	b.Stall()
	b.write(401)
	b.Accept(300)
	b.calls("") // not at the low one
	b.buffered(101)
	b.Accept(1)
	b.calls("drained")
	b.Accept(-1)
	b.calls("drained") // once
	b.write(500)
	b.calls("drained; drained") // up and down within a turn
}

// TestDrainedPumps refills from Drained, as a file sender does, against a kernel
// that takes everything: the loop must not spin in one turn.
func TestDrainedPumps(t *testing.T) {
	b := newBench(t, eventloop.Config{OutboxBytes: 1000, HighWatermark: 400, LowWatermark: 100})
	turns := make(map[time.Time]int)
	rounds := 0
	b.p.onDrain = func() {
		turns[b.Now()]++
		if rounds++; rounds < 50 {
			b.Write(make([]byte, 500))
		}
	}
	b.write(500)
	if rounds != 50 || len(b.Output()) != 50*500 {
		t.Fatalf("%d rounds", rounds)
	}
}

func TestOutboxBound(t *testing.T) {
	config := eventloop.Config{OutboxBytes: 20 * kib}
	t.Run("small writes", func(t *testing.T) {
		b := newBench(t, config)
		b.Stall()
		for range 21 {
			b.write(kib)
		}
		b.calls("")
		b.buffered(21 * kib)
		b.write(1)
		b.calls("closed: outbox is full")
		if !b.Aborted() {
			t.Error("the peer may take the truncated stream for a whole one")
		}
	})
	t.Run("to the byte", func(t *testing.T) {
		b := newBench(t, config)
		b.Stall()
		for range 20 {
			b.write(kib)
		}
		b.write(1)
		b.calls("")
		b.write(1)
		b.calls("closed: outbox is full")
	})
	t.Run("what waits is offered first", func(t *testing.T) {
		b := newBench(t, config)
		for range 100 {
			b.Write(make([]byte, kib))
		}
		b.Run()
		b.calls("drained")
		if got := len(b.Output()); got != 100*kib {
			t.Errorf("%d bytes sent", got)
		}
	})
	t.Run("one large write and the end of its frame", func(t *testing.T) {
		b := newBench(t, config)
		b.Stall()
		b.write(10)
		b.write(500 * kib)
		b.write(10)
		b.calls("")
		b.buffered(500*kib + 20)
		b.write(16 * kib)
		b.calls("closed: outbox is full")
	})
	t.Run("a bound on small writes after a large one", func(t *testing.T) {
		b := newBench(t, config)
		b.Stall()
		b.write(500 * kib)
		for range 21 {
			b.write(kib)
		}
		b.calls("")
		b.write(1)
		b.calls("closed: outbox is full")
	})
	t.Run("committed", func(t *testing.T) {
		b := newBench(t, config)
		b.Stall()
		for range 3 {
			b.Commit(append(b.Reserve(11*kib), make([]byte, 11*kib)...))
		}
		b.Run()
		b.calls("closed: outbox is full")
	})
	t.Run("no bound", func(t *testing.T) {
		b := newBench(t, eventloop.Config{OutboxBytes: -1})
		b.Stall()
		for range 5 {
			b.write(mib)
		}
		b.calls("")
	})
}
