package websocket

import (
	"bytes"
	"math/bits"
	"testing"
)

// lender counts what it has lent. What it lends is full of what nobody sent, and so
// is what it got back.
type lender struct {
	t       testing.TB
	lent    map[*byte]int
	classes bool // its buffers have sizes that are powers of two
}

func (l *lender) Take(n int) []byte {
	if l.classes {
		n = 1 << bits.Len(uint(n-1))
	}
	p := bytes.Repeat([]byte{0xaa}, n)
	l.lent[&p[0]]++
	return p[:0:n]
}

func (l *lender) Give(p []byte) {
	first := &p[:1][0]
	if l.lent[first] == 0 {
		l.t.Error("memory was given back that was not lent")
	}
	delete(l.lent, first)
	p = p[:cap(p)]
	for i := range p {
		p[i] = 0xaa
	}
}

// TestBuffersAreGivenBack has messages come in pieces, be handed over, fail and be
// dropped: what the machine does not hand over goes back, once.
func TestBuffersAreGivenBack(t *testing.T) {
	payload := []byte(repeat("0123456789", 200_000))
	frame := text(string(payload)).AppendTo(nil, [4]byte{1, 2, 3, 4})
	for _, size := range []int{100, 5000, 40_000, len(frame) - 1} {
		l := &lender{t: t, lent: map[*byte]int{}}
		m := New(&Config{Buffers: l})
		for at := 0; at < len(frame); {
			p := m.Rest()
			if p = p[:copy(p, frame[at:min(at+size, len(frame))])]; len(p) == 0 {
				p = append(p, frame[at:min(at+size, len(frame))]...)
			}
			at += len(p)
			event, err := next(m, p)
			if err != nil {
				t.Fatal(err)
			}
			if at < len(frame) {
				continue
			}
			if event.Kind != Message || !event.Owned || !bytes.Equal(event.Data, payload) {
				t.Fatalf("pieces of %d: %v, owned %v, %d bytes", size, event.Kind, event.Owned, len(event.Data))
			}
			l.Give(event.Data)
		}
		if len(l.lent) > 0 {
			t.Errorf("pieces of %d: %d buffers are still lent after the message", size, len(l.lent))
		}
		for name, end := range map[string]func(m *Machine){
			"failure": func(m *Machine) { _, _ = next(m, []byte{0xff, 0xff, 0xff, 0xff}) },
			"close":   func(m *Machine) { m.Release() },
		} {
			m := New(&Config{Buffers: l})
			_, _ = next(m, append([]byte(nil), frame[:len(frame)/2]...))
			if len(l.lent) != 1 {
				t.Fatalf("%d buffers are lent in the middle of a message", len(l.lent))
			}
			if end(m); len(l.lent) > 0 {
				t.Errorf("%d buffers are still lent after a %s", len(l.lent), name)
			}
			clear(l.lent)
		}
	}
}

// TestRest offers no place where none is of use, and never more than is missing.
func TestRest(t *testing.T) {
	frame := binaryOf(repeat("x", 100_000)).AppendTo(nil, [4]byte{1, 2, 3, 4})
	m := New(nil)
	if m.Rest() != nil {
		t.Error("a place before any message")
	}
	for at := 0; at < len(frame); at += 1000 {
		if _, err := next(m, append([]byte(nil), frame[at:min(at+1000, len(frame))]...)); err != nil {
			t.Fatal(err)
		}
		missing := len(frame) - at - 1000
		switch n := len(m.Rest()); {
		case (missing < minRest || at+1000 < minRest) && n > 0:
			t.Errorf("a place for %d bytes, %d are missing", n, missing)
		case missing >= minRest && at > minRest && (n < minRest || n > missing):
			t.Errorf("a place for %d bytes, %d are missing", n, missing)
		}
	}
}
