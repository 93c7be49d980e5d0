package websocket

import (
	"fmt"
	"testing"
)

// seen is one event, with its data copied.
type seen struct {
	kind    EventKind
	message MessageKind
	code    int
	data    string
}

func (s seen) String() string {
	if len(s.data) > 64 {
		return fmt.Sprintf("%v %v %d, %d bytes", s.kind, s.message, s.code, len(s.data))
	}
	return fmt.Sprintf("%v %v %d %q", s.kind, s.message, s.code, s.data)
}

// transcript is all that a peer's stream made of a machine.
type transcript struct {
	events   []seen
	failure  *Error
	failedAt int // bytes the machine had taken or looked at when it failed
}

func (a *transcript) differs(b *transcript) string {
	if a.failure != b.failure {
		return fmt.Sprintf("failure %v, want %v", a.failure, b.failure)
	}
	if len(a.events) != len(b.events) {
		return fmt.Sprintf("events %v, want %v", a.events, b.events)
	}
	for i := range a.events {
		if a.events[i] != b.events[i] {
			return fmt.Sprintf("event %d is %v, want %v", i, a.events[i], b.events[i])
		}
	}
	return ""
}

// next is Machine.Next for tests, which have time.
func next(m *Machine, p []byte) (event Event, err error) {
	err = m.Next(p, &event)
	return event, err
}

// feed gives in to m in pieces that piece(rest) chooses, and holds every call to
// the promises of Next: the bytes taken, the bound, nothing retained.
func feed(t testing.TB, m *Machine, in []byte, piece func(rest int) int) *transcript {
	t.Helper()
	return feedBy(t, m, in, piece, func(p []byte) []byte { return append([]byte(nil), p...) })
}

// feedPlaced is feed by somebody who reads into the machine's own place.
func feedPlaced(t testing.TB, m *Machine, in []byte, piece func(rest int) int) *transcript {
	t.Helper()
	return feedBy(t, m, in, piece, func(p []byte) []byte {
		if place := m.Rest(); len(place) > 0 {
			return place[:copy(place, p)]
		}
		return append([]byte(nil), p...)
	})
}

func feedBy(t testing.TB, m *Machine, in []byte, piece func(rest int) int, read func(p []byte) []byte) *transcript {
	t.Helper()
	got := new(transcript)
	for at := 0; at < len(in); {
		place := m.Rest()
		p := read(in[at : at+max(1, min(piece(len(in)-at), len(in)-at))])
		at += len(p)
		for whole := p; len(whole) > 0; {
			event, err := next(m, whole)
			if err != nil {
				got.failure, got.failedAt = err.(*Error), at
				checkFailed(t, m)
				return got
			}
			checkEvent(t, event, whole)
			if event.Kind != NeedData && event.Kind != Closed {
				got.events = append(got.events, seen{event.Kind, event.Message, event.Code, string(event.Data)})
			}
			whole = whole[event.N:]
			checkBound(t, m, event)
		}
		// A machine that kept a part of p would now see it change.
		for i := range p {
			if len(place) == 0 || &p[0] != &place[0] {
				p[i] = 0xaa
			}
		}
	}
	return got
}

func checkEvent(t testing.TB, event Event, p []byte) {
	t.Helper()
	if event.N > len(p) || event.N < 1 {
		t.Fatalf("%v took %d of %d bytes", event.Kind, event.N, len(p))
	}
	if (event.Kind == NeedData || event.Kind == Closed) && event.N != len(p) {
		t.Fatalf("%v left %d bytes", event.Kind, len(p)-event.N)
	}
}

// checkBound holds the machine to the law of the same name.
func checkBound(t testing.TB, m *Machine, event Event) {
	t.Helper()
	limit := m.config.messageLimit()
	if size := int64(cap(m.gathered)); size > limit || size > max(minGather, wholeFactor*int64(len(m.gathered))) {
		t.Fatalf("%d bytes buffered for %d that arrived, limit %d", size, len(m.gathered), limit)
	}
	if event.Kind == Message && (m.gathered != nil || m.rare != nil || m.message != 0 || m.text.missing != 0) {
		t.Fatal("a finished message left something behind")
	}
	if event.Kind != NeedData && m.control != nil {
		t.Fatal("a finished control frame left something behind")
	}
	if m.CloseReceived() != (event.Kind == Close || event.Kind == Closed) {
		t.Fatalf("CloseReceived is %v after %v", m.CloseReceived(), event.Kind)
	}
	if event.Kind == Close && (m.gathered != nil || m.rare != nil) {
		t.Fatal("a close left the unfinished message behind")
	}
}

// checkFailed: an error is final, and a failed machine holds nothing.
func checkFailed(t testing.TB, m *Machine) {
	t.Helper()
	if m.gathered != nil || m.rare.old != nil || m.control != nil {
		t.Fatal("a failed machine holds a buffer")
	}
	if m.CloseReceived() {
		t.Fatal("a failed machine says that the peer closed")
	}
	for range 2 {
		if _, err := next(m, []byte{0x81, 0x80, 0, 0, 0, 0}); err != m.rare.failure {
			t.Fatalf("the error is not final: %v", err)
		}
	}
}

func whole(rest int) int { return rest }

func chops(size int) func(int) int { return func(int) int { return size } }

// cutAt makes two pieces.
func cutAt(at int) func(int) int {
	size := at
	return func(rest int) int {
		n := size
		size = rest
		return n
	}
}

// everySplit is the longest stream that is cut at every byte: the cost is
// quadratic.
const everySplit = 1200

// checkSplits runs in whole, byte by byte, cut in two at every place and in odd
// pieces, and wants the same each time. It returns the transcript.
func checkSplits(t testing.TB, cfg *Config, in []byte) *transcript {
	t.Helper()
	want := feed(t, New(cfg), in, whole)
	check := func(name string, piece func(int) int) *transcript {
		got := feed(t, New(cfg), in, piece)
		if diff := got.differs(want); diff != "" {
			t.Fatalf("%s: %s", name, diff)
		}
		return got
	}
	if len(in) <= 1<<17 {
		failedAt := check("byte by byte", chops(1)).failedAt
		// No cut may show the error earlier or later than its byte.
		if want.failure != nil && failedAt < len(in) {
			if feed(t, New(cfg), in[:failedAt-1], whole).failure != nil {
				t.Fatalf("failed before byte %d", failedAt)
			}
			if feed(t, New(cfg), in[:failedAt], whole).failure != want.failure {
				t.Fatalf("did not fail at byte %d", failedAt)
			}
		}
		want.failedAt = failedAt
	}
	if len(in) <= everySplit {
		for at := 1; at < len(in); at++ {
			check(fmt.Sprintf("cut at %d", at), cutAt(at))
		}
	}
	for _, size := range []int{3, 7, 997, 65536} {
		if len(in) > size && len(in)/size < 1<<16 {
			check(fmt.Sprintf("pieces of %d", size), chops(size))
			got := feedPlaced(t, New(cfg), in, chops(size))
			if diff := got.differs(want); diff != "" {
				t.Fatalf("in place, pieces of %d: %s", size, diff)
			}
		}
	}
	return want
}
