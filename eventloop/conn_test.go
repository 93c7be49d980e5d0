package eventloop_test

import (
	"log/slog"
	"strings"
	"testing"

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
