package logsink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// gate is a writer that can be held up, and can fail.
type gate struct {
	mu      sync.Mutex
	text    bytes.Buffer
	fails   error
	entered chan struct{} // one for each write that has begun
	open    chan struct{} // a write takes one, unless it is closed
}

func newGate() *gate { return &gate{entered: make(chan struct{}, 1000), open: make(chan struct{})} }

func (g *gate) Write(p []byte) (int, error) {
	g.entered <- struct{}{}
	<-g.open
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.fails != nil {
		return 0, g.fails
	}
	return g.text.Write(p)
}

func (g *gate) fail(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fails = err
}

func (g *gate) String() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.text.String()
}

func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(time.Minute):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

func flush(t *testing.T, s *Sink) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.Flush(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestLinesKeepTheirOrder(t *testing.T) {
	g := newGate()
	close(g.open)
	s := New(g, Config{})
	var want strings.Builder
	for i := range 500 {
		fmt.Fprintf(&want, "line %d\n", i)
		if n, err := fmt.Fprintf(s, "line %d\n", i); n == 0 || err != nil {
			t.Fatal(n, err)
		}
	}
	flush(t, s)
	if g.String() != want.String() {
		t.Errorf("wrote %q", g)
	}
	flush(t, s) // of nothing
}

// TestFull holds the writer up: lines beyond the bound are dropped, with all that
// follow, and their number stands where they are missing.
func TestFull(t *testing.T) {
	g := newGate()
	s := New(g, Config{BufferBytes: leastBufferBytes})
	line := strings.Repeat("x", 999) + "\n"
	s.Write([]byte("first\n"))
	receive(t, g.entered)
	for range leastBufferBytes / 1000 {
		s.Write([]byte(line))
	}
	for range 7 {
		s.Write([]byte(line))
	}
	s.Write([]byte("small\n"))
	if n := len(s.waiting); n > leastBufferBytes {
		t.Errorf("%d bytes wait", n)
	}
	expired, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Flush(expired); !errors.Is(err, context.Canceled) {
		t.Errorf("flush: %v", err)
	}
	close(g.open)
	flush(t, s)
	s.Write([]byte("last\n"))
	flush(t, s)
	want := "first\n" + strings.Repeat(line, leastBufferBytes/1000) + "logsink: 8 lines dropped\nlast\n"
	if g.String() != want {
		t.Errorf("wrote %q", g)
	}
}

// TestLongLine is longer than the whole buffer.
func TestLongLine(t *testing.T) {
	g := newGate()
	close(g.open)
	s := New(g, Config{BufferBytes: 1})
	s.Write(make([]byte, leastBufferBytes+1))
	flush(t, s)
	if got := g.String(); got != "logsink: 1 lines dropped\n" {
		t.Errorf("wrote %q", got)
	}
}

// TestFailure loses its reader, who comes back.
func TestFailure(t *testing.T) {
	g := newGate()
	close(g.open)
	var told []string
	s := New(g, Config{
		Failed:  func(err error) { told = append(told, err.Error()) },
		Dropped: func(lines uint64) { told = append(told, fmt.Sprint(lines, " dropped")) },
	})
	g.fail(errors.New("broken pipe"))
	for range 3 {
		s.Write([]byte("lost\n"))
		flush(t, s)
	}
	g.fail(nil)
	s.Write([]byte("seen\n"))
	flush(t, s)
	if got := strings.Join(told, ", "); got != "broken pipe, 3 dropped" || g.String() != "seen\n" {
		t.Errorf("told %q, wrote %q", got, g)
	}
}

func TestManyWriters(t *testing.T) {
	g := newGate()
	close(g.open)
	s := New(g, Config{})
	var writers sync.WaitGroup
	for range 8 {
		writers.Go(func() {
			for range 100 {
				s.Write([]byte("0123456789\n"))
			}
		})
	}
	writers.Wait()
	flush(t, s)
	if want := strings.Repeat("0123456789\n", 800); g.String() != want {
		t.Errorf("wrote %d bytes, want %d", len(g.String()), len(want))
	}
}
