package eventloop_test

import (
	"bytes"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/eventloop"
	"github.com/gale-server/gale/eventloop/looptest"
)

// pattern is n bytes that tell their place.
func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i>>8) ^ byte(i)
	}
	return p
}

// TestLargeWritesKeepTheirPromise writes a large payload in every way to a peer that
// takes little at a time, with small writes around it, and changes its memory as
// soon as that is allowed.
func TestLargeWritesKeepTheirPromise(t *testing.T) {
	const size = 300 * kib
	for name, write := range map[string]func(b *bench, p []byte){
		"copied":    func(b *bench, p []byte) { b.Write(p); clear(p) },
		"immutable": func(b *bench, p []byte) { b.WriteImmutable(p) },
		"lent": func(b *bench, p []byte) {
			b.WriteLent(p)
			if b.Buffered() > 0 && !b.Congested() {
				t.Error("lent, and not congested")
			}
			b.p.onDrain = func() { clear(p) }
		},
		"lent and reclaimed": func(b *bench, p []byte) { b.WriteLent(p); b.Reclaim(); clear(p) },
		"of a buffer": func(b *bench, p []byte) {
			memory := append(b.Loop().Take(len(p)), p...)
			buf := b.Loop().Share(memory)
			b.WriteBuffer(memory, buf)
			buf.Release()
			for range 3 { // whoever takes memory now does not get what waits
				clear(b.Loop().Take(len(p))[:len(p)])
			}
		},
	} {
		for _, space := range []int{0, 1, 5000, 100 * kib, size + 3, -1} {
			b := newBench(t, eventloop.Config{})
			if space >= 0 {
				b.Accept(space)
			}
			want := append(append([]byte("head"), pattern(size)...), "tail"...)
			b.Write([]byte("head"))
			write(b, pattern(size))
			b.Write([]byte("tail"))
			b.Run()
			var got strings.Builder
			for got.WriteString(b.Output()); got.Len() < len(want); got.WriteString(b.Output()) {
				b.Accept(30_001)
			}
			if got.String() != string(want) {
				t.Errorf("%s, room for %d: the peer got something else", name, space)
			}
			if b.Congested() {
				t.Errorf("%s, room for %d: congested in the end", name, space)
			}
		}
	}
}

// TestLentIsCongested has a sender wait for as long as what it lent is referred to,
// even below the low watermark.
func TestLentIsCongested(t *testing.T) {
	b := newBench(t, eventloop.Config{})
	b.Accept(0)
	b.WriteLent(pattern(20 * kib))
	b.Run()
	for range 2 {
		if !b.Congested() {
			t.Fatalf("%d bytes of what was lent wait, and the conn is not congested", b.Buffered())
		}
		b.calls("")
		b.Accept(10*kib - 1)
	}
	b.Accept(2)
	b.calls("drained")
	if b.Congested() {
		t.Error("congested, and nothing waits")
	}
}

// TestDrainedOfBefore lends again between the end of a congestion and the call that
// tells of it: the call waits for the end of the second.
func TestDrainedOfBefore(t *testing.T) {
	b := newBench(t, eventloop.Config{})
	b.Accept(0)
	b.WriteLent(pattern(20 * kib))
	b.Run()
	drained := 0
	b.p.onDrain = func() {
		if drained++; b.Congested() || b.Buffered() > 0 {
			t.Errorf("drained, and %d bytes that were lent wait", b.Buffered())
		}
	}
	b.AfterFunc(0, func() {
		b.Reclaim()
		b.Post(func() { b.WriteLent(pattern(100 * kib)) })
	})
	b.Advance(20 * time.Millisecond)
	b.Accept(-1)
	if drained != 1 {
		t.Errorf("drained %d times", drained)
	}
}

// TestLargePayloadIsNotCopied watches the memory that large writes take of the loop
// while the peer takes nothing.
func TestLargePayloadIsNotCopied(t *testing.T) {
	p := pattern(16 * mib)
	for name, tc := range map[string]struct {
		write func(b *bench)
	}{
		"immutable": {func(b *bench) { b.WriteImmutable(p) }},
		"lent":      {func(b *bench) { b.WriteLent(p) }},
	} {
		b := newBench(t, eventloop.Config{})
		b.Accept(0)
		if got := allocated(func() { tc.write(b) }); got > 8*kib { // the queue and its pieces
			t.Errorf("%s: %d bytes allocated for a payload of %d", name, got, len(p))
		}
		if b.Buffered() != len(p) {
			t.Errorf("%s: %d bytes wait", name, b.Buffered())
		}
	}
}

// TestReadInto has reads go to a place: once each, and never more than fits.
func TestReadInto(t *testing.T) {
	b := newBench(t, eventloop.Config{})
	place := make([]byte, 10)
	var in []bool
	b.p.onData = func(p string) { in = append(in, bytes.HasPrefix(place, []byte(p))) }
	b.ReadInto(place)
	b.Feed("0123456789abc")
	b.calls("data 0123456789abc")
	if len(in) != 2 || !in[0] || in[1] {
		t.Errorf("in their place: %v", in)
	}
	b.ReadInto(place[:5])
	b.Feed("xy")
	b.Feed("z")
	if string(place[:5]) != "xy234" {
		t.Errorf("a second read went to the place: %q", place)
	}
	b.ReadInto(place)
	b.ReadInto(nil)
	b.Feed("w")
	if string(place[:5]) != "xy234" {
		t.Errorf("a read went to a place that was taken back: %q", place)
	}
}

// TestReadIntoAndPause keeps the place through a pause and through what brings no
// bytes.
func TestReadIntoAndPause(t *testing.T) {
	b := newBench(t, eventloop.Config{})
	place := make([]byte, 100)
	b.ReadInto(place)
	b.PauseRead()
	b.Feed("abc")
	b.calls("")
	b.ResumeRead()
	b.Run()
	b.calls("data abc")
	if string(place[:3]) != "abc" {
		t.Errorf("in the place: %q", place[:3])
	}
}

// TestReadIntoEnds leaves no place behind when the conn ends.
func TestReadIntoEnds(t *testing.T) {
	for name, end := range map[string]func(b *bench){
		"abort": func(b *bench) { b.Abort() },
		"close": func(b *bench) { b.Close(); b.Run(); b.Feed("late"); b.HalfClose() },
		"reset": func(b *bench) { b.Reset() },
	} {
		b := newBench(t, eventloop.Config{})
		place := make([]byte, 100)
		b.ReadInto(place)
		end(b)
		b.Run()
		if over, _ := b.Closed(); !over {
			t.Errorf("%s: the conn has not ended", name)
		}
		if b.Loop().Places() != 0 {
			t.Errorf("%s: a place is left behind", name)
		}
	}
}

// allocated is how many bytes fn allocates.
func allocated(fn func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestQuietLoopWritesMore has a conn write a large payload on a loop that serves
// nothing else, and on one on which another conn has just got something small.
func TestQuietLoopWritesMore(t *testing.T) {
	for _, tc := range []struct {
		small bool
		first int
	}{{false, 2 * mib}, {true, 128 * kib}} {
		l := looptest.NewLoop(t, eventloop.Config{})
		silent := func(c eventloop.Conn) eventloop.Protocol { return &proto{Conn: c, log: newTranscript()} }
		bulk, other := l.Open(silent), l.Open(silent)
		l.Run()
		l.Advance(time.Second)
		if tc.small {
			other.Write([]byte("x"))
			l.Run()
		}
		first := 0
		l.EventLoop().Post(func() {
			bulk.Write(make([]byte, 8*mib))
			first = 8*mib - bulk.Buffered()
		})
		l.Run()
		if total := len(bulk.Output()); first != tc.first || total != 8*mib {
			t.Errorf("something small: %v: %d bytes in the first turn, %d in all", tc.small, first, total)
		}
	}
}

// TestShareShrinks has something small come in the middle of a large share: the rest
// of it waits, and nothing is lost.
func TestShareShrinks(t *testing.T) {
	l := looptest.NewLoop(t, eventloop.Config{})
	silent := func(c eventloop.Conn) eventloop.Protocol { return &proto{Conn: c, log: newTranscript()} }
	bulk, other := l.Open(silent), l.Open(silent)
	l.Run()
	l.Advance(time.Second)
	l.EventLoop().Post(func() { bulk.Write(make([]byte, mib)) })
	l.EventLoop().Post(func() { other.Write([]byte("x")) })
	l.EventLoop().Post(func() { bulk.Write(make([]byte, 4*mib)) })
	l.Run()
	if total := len(bulk.Output()); total != 5*mib {
		t.Errorf("%d bytes in all", total)
	}
}

// TestSmallRestGoesAlong has a share leave nothing behind that is hardly worth a turn.
func TestSmallRestGoesAlong(t *testing.T) {
	for _, tc := range []struct{ size, first int }{{72 * kib, 72 * kib}, {73 * kib, 64 * kib}} {
		b := newBench(t, eventloop.Config{WriteBytesPerTurn: 64 * kib})
		first := 0
		b.p.onData = func(string) {
			b.Write(make([]byte, tc.size))
			first = tc.size - b.Buffered()
		}
		b.Feed("x")
		if total := len(b.Output()); first != tc.first || total != tc.size {
			t.Errorf("%d bytes: %d in the first turn, %d in all", tc.size, first, total)
		}
	}
}
