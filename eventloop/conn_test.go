package eventloop_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/eventloop"
	"github.com/gale-server/gale/eventloop/looptest"
)

// bench is a fake conn, its protocol and the transcript of it.
type bench struct {
	*looptest.Conn
	t   *testing.T
	p   *proto
	log *transcript
}

func newBench(t *testing.T, config eventloop.Config) *bench {
	t.Helper()
	b := &bench{t: t, log: newTranscript()}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	b.Conn = looptest.NewLoop(t, config).Open(func(c eventloop.Conn) eventloop.Protocol {
		b.p = &proto{Conn: c, log: b.log}
		return b.p
	})
	return b
}

// calls compares the transcript.
func (b *bench) calls(want string) {
	b.t.Helper()
	if got := b.log.String(); got != want {
		b.t.Fatalf("calls: %s\n want: %s", got, want)
	}
}

// write writes n bytes in one turn and runs it.
func (b *bench) write(n int) {
	b.t.Helper()
	b.Write([]byte(strings.Repeat("w", n)))
	b.Run()
}

// buffered compares what waits.
func (b *bench) buffered(want int) {
	b.t.Helper()
	if got := b.Buffered(); got != want {
		b.t.Fatalf("%d bytes wait, want %d", got, want)
	}
}

const (
	kib = 1 << 10
	mib = 1 << 20
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
	b := newBench(t, eventloop.Config{})
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

func TestLinger(t *testing.T) {
	config := eventloop.Config{LingerTimeout: 5 * time.Second, LingerBytes: 1000}
	cases := []struct {
		name string
		do   func(b *bench)
		open bool
	}{
		{"until the peer closes", func(b *bench) { b.Feed("x"); b.HalfClose() }, false},
		{"until a reset", func(b *bench) { b.Reset() }, false},
		{"less than the bounds", func(b *bench) { b.Feed(strings.Repeat("x", 1000)); b.Advance(4900 * time.Millisecond) }, true},
		{"at most so many bytes", func(b *bench) { b.Feed(strings.Repeat("x", 1000)); b.Feed("x") }, false},
		{"at most so long", func(b *bench) { b.Advance(5100 * time.Millisecond) }, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, config)
			b.Write([]byte("bye"))
			b.Close()
			if got := b.Output(); got != "bye" || !b.WriteClosed() {
				t.Fatalf("sent %q, end of stream %v", got, b.WriteClosed())
			}
			b.calls("")
			c.do(b)
			if c.open {
				b.calls("")
			} else {
				b.calls("closed")
				if b.Aborted() {
					t.Error("the peer saw a reset")
				}
			}
		})
	}
	t.Run("not at all", func(t *testing.T) {
		b := newBench(t, eventloop.Config{LingerTimeout: -1})
		b.Close()
		b.Run()
		b.calls("closed")
	})
	t.Run("not after the peer's end of stream", func(t *testing.T) {
		b := newBench(t, config)
		b.HalfClose()
		b.Close()
		b.Run()
		b.calls("eof; closed")
	})
	t.Run("input that came before", func(t *testing.T) {
		b := newBench(t, config)
		b.PauseRead()
		b.Feed(strings.Repeat("x", 500))
		b.Close()
		b.Run()
		if b.Unread() != 0 {
			t.Error("input was left in the kernel")
		}
		b.HalfClose()
		b.calls("closed")
	})
}

func TestCloseAfterCloseWrite(t *testing.T) {
	b := newBench(t, eventloop.Config{})
	b.CloseWrite()
	b.Run()
	if !b.WriteClosed() {
		t.Fatal("no end of stream")
	}
	b.Close()
	b.Run()
	b.calls("")
	b.HalfClose()
	b.calls("closed")
}

func TestCloseWaitsForTheOutbox(t *testing.T) {
	b := newBench(t, eventloop.Config{})
	b.Stall()
	b.write(1000)
	b.Close()
	b.Run()
	if b.WriteClosed() {
		t.Fatal("closed before the flush")
	}
	b.HalfClose()
	b.Accept(999)
	b.calls("")
	b.Accept(1)
	b.calls("closed")
	if got := len(b.Output()); got != 1000 || b.Aborted() {
		t.Fatalf("%d bytes arrived, reset: %v", got, b.Aborted())
	}
}

func TestResetWhileFlushing(t *testing.T) {
	b := newBench(t, eventloop.Config{})
	b.Stall()
	b.write(1000)
	b.Close()
	b.Reset()
	b.calls("closed: connection reset by peer")
}

func TestDataBeforeReset(t *testing.T) {
	b := newBench(t, eventloop.Config{ReadBytesPerTurn: 64 * kib})
	b.PauseRead()
	b.Run()
	got := 0
	b.p.onData = func(p string) { got += len(p) }
	b.Feed(strings.Repeat("x", 300*kib))
	b.ResumeRead()
	b.Reset()
	if got != 300*kib {
		t.Errorf("%d bytes delivered", got)
	}
	if over, err := b.Closed(); !over || err != eventloop.ErrReset {
		t.Errorf("closed %v: %v", over, err)
	}
}

// TestPauseWithin pauses in the middle of what can be read.
func TestPauseWithin(t *testing.T) {
	b := newBench(t, eventloop.Config{})
	got := 0
	b.p.onData = func(p string) { got += len(p); b.PauseRead() }
	b.Feed(strings.Repeat("x", 200*kib))
	if got != 64*kib || !b.ReadPaused() {
		t.Fatalf("%d bytes delivered", got)
	}
	b.HalfClose()
	if got != 64*kib || strings.Contains(b.log.String(), "eof") {
		t.Fatal("delivered while paused")
	}
	for range 10 {
		b.ResumeRead()
		b.Run()
	}
	if got != 200*kib || !strings.HasSuffix(b.log.String(), "; eof") {
		t.Errorf("%d bytes delivered", got)
	}
}

// TestReadBound has one conn flood; another gets its turns in between.
func TestReadBound(t *testing.T) {
	l := looptest.NewLoop(t, eventloop.Config{ReadBytesPerTurn: 64 * kib})
	var order []string
	open := func(name string) *looptest.Conn {
		return l.Open(func(c eventloop.Conn) eventloop.Protocol {
			return &proto{Conn: c, log: newTranscript(), onData: func(string) { order = append(order, name) }}
		})
	}
	a, b := open("a"), open("b")
	a.PauseRead()
	b.PauseRead()
	a.Feed(strings.Repeat("x", 256*kib))
	b.Feed(strings.Repeat("x", 256*kib))
	a.ResumeRead()
	b.ResumeRead()
	l.Run()
	if got := strings.Join(order, ""); got != "abababab" {
		t.Errorf("turns: %s", got)
	}
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
	timer.Reset(time.Second)
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

func TestClosedConnIsInert(t *testing.T) {
	b := newBench(t, eventloop.Config{})
	b.Abort()
	b.Run()
	b.calls("closed: aborted locally")
	b.Write([]byte("x"))
	b.Write(make([]byte, 100*kib))
	b.Commit(append(b.Reserve(10), 'x'))
	b.PauseRead()
	b.ResumeRead()
	b.Schedule()
	b.SetDeadline(looptest.Start.Add(time.Second))
	b.AfterFunc(time.Second, func() { t.Error("a timer fired after the end") })
	b.Post(func() { t.Error("a posted function ran after the end") })
	b.CloseWrite()
	b.Close()
	b.Abort()
	b.Advance(time.Hour)
	b.calls("closed: aborted locally")
	if b.Buffered() != 0 || b.Output() != "" || b.LocalAddr().String() == "" || b.RemoteAddr().String() == "" {
		t.Error("a closed conn shows life")
	}
}

// TestWritesFromClosed has the last call of one conn write to another.
func TestWritesFromClosed(t *testing.T) {
	l := looptest.NewLoop(t, eventloop.Config{})
	other := l.Open(func(c eventloop.Conn) eventloop.Protocol { return &proto{Conn: c, log: newTranscript()} })
	leaver := l.Open(func(c eventloop.Conn) eventloop.Protocol {
		return &leaving{proto{Conn: c, log: newTranscript()}, other}
	})
	leaver.Reset()
	if got := other.Output(); got != "left" {
		t.Errorf("the other conn sent %q", got)
	}
	if l.Conns() != 1 {
		t.Errorf("%d conns", l.Conns())
	}
}

type leaving struct {
	proto
	other eventloop.Conn
}

func (l *leaving) Closed(error) { l.other.Write([]byte("left")) }

func TestOpenRefuses(t *testing.T) {
	l := looptest.NewLoop(t, eventloop.Config{Logger: slog.New(slog.DiscardHandler)})
	for name, open := range map[string]func(eventloop.Conn) eventloop.Protocol{
		"nil":   func(eventloop.Conn) eventloop.Protocol { return nil },
		"panic": func(eventloop.Conn) eventloop.Protocol { panic("open") },
	} {
		if c := l.Open(open); !c.Aborted() || l.Conns() != 0 {
			t.Errorf("%s: aborted %v, %d conns", name, c.Aborted(), l.Conns())
		}
	}
}

func TestOpenMaySpeakFirst(t *testing.T) {
	l := looptest.NewLoop(t, eventloop.Config{})
	c := l.Open(func(c eventloop.Conn) eventloop.Protocol {
		c.Write([]byte("220 ready"))
		return &proto{Conn: c, log: newTranscript()}
	})
	if got := c.Output(); got != "220 ready" {
		t.Errorf("sent %q", got)
	}
}
