package eventloop_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/eventloop"
	"github.com/gale-server/gale/eventloop/looptest"
)

// temporary makes a file with this content.
func temporary(t testing.TB, content []byte) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// pump sends the part of file from offset on, in calls of at most piece bytes, and
// then calls done.
func pump(t testing.TB, c eventloop.Conn, file *os.File, offset, n, piece int, done func()) (onDrain func()) {
	return func() {
		for n > 0 && !c.Congested() && !c.Ended() {
			ask := min(n, piece)
			sent, err := c.SendFile(file, int64(offset), ask)
			if err != nil {
				t.Fatal(err)
			}
			if sent < ask && !c.Congested() && !c.Ended() {
				t.Fatalf("%d bytes of %d were taken, and the conn is not congested", sent, ask)
			}
			offset, n = offset+sent, n-sent
		}
		if n == 0 {
			n = -1
			done()
		}
	}
}

// TestSendFile has the kernel take every possible part of the head and the file:
// nothing of the file waits in the outbox, and all comes in its order.
func TestSendFile(t *testing.T) {
	const size = 300 * kib
	content := pattern(size + 20)
	file := temporary(t, content)
	want := "head" + string(content[10:10+size]) + "tail"
	for _, piece := range []int{size, 50_000} {
		for _, space := range []int{-1, 0, 1, 3, 4, 5, 5000, 100 * kib, size + 3, size + 4, size + 5} {
			b := newBench(t, eventloop.Config{})
			b.Accept(space)
			b.p.onDrain = pump(t, b, file, 10, size, piece, func() { b.Write([]byte("tail")) })
			b.Write([]byte("head"))
			b.p.onDrain()
			if n := b.Buffered(); n > len("headtail") {
				t.Errorf("room for %d: %d bytes wait", space, n)
			}
			var got strings.Builder
			for got.WriteString(b.Output()); got.Len() < len(want); got.WriteString(b.Output()) {
				b.Accept(30_001)
			}
			if got.String() != want {
				t.Errorf("pieces of %d, room for %d: the peer got something else", piece, space)
			}
			if b.Congested() || b.FileBytes() != size {
				t.Errorf("congested in the end: %v; %d bytes of the file", b.Congested(), b.FileBytes())
			}
		}
	}
}

// TestSendFileCalls counts system calls: one for what waits, one for the file, and
// one more that finds the kernel full.
func TestSendFileCalls(t *testing.T) {
	file := temporary(t, pattern(64*kib))
	for _, tc := range []struct{ space, writes int }{{-1, 2}, {10 * kib, 3}} {
		b := newBench(t, eventloop.Config{})
		b.Accept(tc.space)
		b.Write([]byte("head"))
		_, err := b.SendFile(file, 0, 64*kib)
		if b.Run(); err != nil || b.Writes() != tc.writes {
			t.Errorf("room for %d: %d calls, want %d: %v", tc.space, b.Writes(), tc.writes, err)
		}
	}
}

// TestSendFileDrained tells once that there is room, not before, and without asking
// the kernel again and again.
func TestSendFileDrained(t *testing.T) {
	file := temporary(t, pattern(64*kib))
	b := newBench(t, eventloop.Config{})
	b.Stall()
	if n, err := b.SendFile(file, 0, 64*kib); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	for range 3 {
		b.Run()
		b.Advance(time.Second)
	}
	b.calls("")
	if !b.Congested() || b.Writes() != 1 {
		t.Errorf("congested: %v; %d calls", b.Congested(), b.Writes())
	}
	b.Accept(10)
	b.calls("drained")
	if b.Congested() {
		t.Error("still congested")
	}
	b.Advance(time.Hour) // whoever does not go on is not waited for
	b.calls("drained")
}

// TestSendFileAndWrite has writes follow while a file waits for room, few and many.
func TestSendFileAndWrite(t *testing.T) {
	file := temporary(t, pattern(64*kib))
	for _, size := range []int{10, 300 * kib} {
		b := newBench(t, eventloop.Config{})
		b.Stall()
		if n, err := b.SendFile(file, 0, 64*kib); n != 0 || err != nil {
			t.Fatal(n, err)
		}
		b.Write(make([]byte, size))
		b.Run()
		b.Accept(size)
		b.calls("drained")
		if b.Accept(-1); b.Congested() || len(b.Output()) != size {
			t.Errorf("%d bytes written: congested: %v", size, b.Congested())
		}
	}
}

// TestSendFileTimeout gives up a peer that takes nothing for the time it has, and
// counts what goes by files.
func TestSendFileTimeout(t *testing.T) {
	file := temporary(t, pattern(64*kib))
	b := newBench(t, eventloop.Config{})
	b.Accept(kib)
	b.p.onDrain = pump(t, b, file, 0, 64*kib, 64*kib, func() {})
	b.p.onDrain()
	for range 3 {
		b.Advance(29 * time.Second)
		b.Accept(kib)
	}
	if over, err := b.Closed(); over {
		t.Fatalf("a slow peer was dropped: %v", err)
	}
	b.Advance(31 * time.Second)
	if _, err := b.Closed(); !errors.Is(err, eventloop.ErrWriteTimeout) || !b.Aborted() {
		t.Errorf("ended with %v", err)
	}
}

// TestSendFileShares has two conns send four shares each: they take turns.
func TestSendFileShares(t *testing.T) {
	file := temporary(t, pattern(256*kib))
	l := looptest.NewLoop(t, eventloop.Config{WriteBytesPerTurn: 64 * kib})
	var order []string
	var begin []func()
	for _, name := range []string{"a", "b"} {
		l.Open(func(c eventloop.Conn) eventloop.Protocol {
			at := 0
			p := &proto{Conn: c, log: newTranscript()}
			p.onDrain = func() {
				n, err := c.SendFile(file, int64(at), 256*kib-at)
				if err != nil {
					t.Fatal(err)
				}
				at += n
				order = append(order, fmt.Sprint(name, n/kib))
			}
			begin = append(begin, p.onDrain)
			return p
		})
	}
	l.EventLoop().Post(func() { begin[0](); begin[1]() })
	l.Run()
	if got := strings.Join(order, " "); got != "a64 b64 a64 b64 a64 b64 a64 b64" {
		t.Errorf("turns: %s", got)
	}
}

// TestSendFileEnds asks for more than there is, and for something when it is too late.
func TestSendFileEnds(t *testing.T) {
	file := temporary(t, pattern(kib))
	b := newBench(t, eventloop.Config{})
	n, err := b.SendFile(file, 24, 2*kib)
	if n != 1000 || !errors.Is(err, io.ErrUnexpectedEOF) || b.Congested() || b.Ended() {
		t.Errorf("%d bytes, %v; congested: %v, ended: %v", n, err, b.Congested(), b.Ended())
	}
	closed := temporary(t, nil)
	closed.Close()
	if n, err = b.SendFile(closed, 0, 1); n != 0 || err == nil || b.Ended() {
		t.Errorf("a closed file: %d bytes, %v", n, err)
	}
	if n, err = b.SendFile(file, 0, 0); n != 0 || err != nil {
		t.Errorf("nothing: %d bytes, %v", n, err)
	}
	b.Close()
	if n, err = b.SendFile(file, 0, kib); n != 0 || err != nil {
		t.Errorf("after Close: %d bytes, %v", n, err)
	}
}

// TestSendFileToTheDeparted ends the conn, and blames it.
func TestSendFileToTheDeparted(t *testing.T) {
	file := temporary(t, pattern(kib))
	b := newBench(t, eventloop.Config{})
	b.p.onDrain = func() { _, _ = b.SendFile(file, 0, kib) }
	b.Stall()
	b.p.onDrain()
	b.ResetUnseen()
	b.Accept(-1)
	if over, err := b.Closed(); !over || !errors.Is(err, eventloop.ErrReset) {
		t.Errorf("ended: %v, with %v", over, err)
	}
}
