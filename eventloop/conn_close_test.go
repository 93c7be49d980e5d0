package eventloop_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/eventloop"
	"github.com/gale-server/gale/eventloop/looptest"
)

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
