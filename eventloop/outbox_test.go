package eventloop

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestOutboxModel compares with a plain buffer. What is referred to is scribbled
// over once the outbox may not refer to it any more.
func TestOutboxModel(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var (
		b     buffers
		o     outbox
		model []byte
		lent  [][]byte
		next  byte
	)
	sizes := []int{1, 10, 500, 1024, 5000, 70_000, 300_000}
	bytesOf := func(n int) []byte {
		p := make([]byte, n)
		for i := range p {
			next++
			p[i] = next
		}
		return p
	}
	scribble := func() {
		for _, p := range lent {
			clear(p)
		}
		lent = nil
	}
	for range 5000 {
		n := 1 + r.IntN(sizes[r.IntN(len(sizes))])
		switch r.IntN(9) {
		case 0:
			p := bytesOf(n)
			o.add(&b, p)
			model = append(model, p...)
			clear(p)
		case 1:
			p := o.room(&b, n)
			if cap(p) < n || len(p) != 0 {
				t.Fatalf("room(%d) has %d", n, cap(p))
			}
			p = append(p, bytesOf(n)...)
			if !o.extend(p) {
				t.Fatal("extend refused what lies in the outbox")
			}
			model = append(model, p...)
		case 2:
			p := bytesOf(n)
			o.addLarge(&b, p)
			model = append(model, p...)
			clear(p)
		case 3:
			p := bytesOf(n)
			o.addPiece(&b, piece{p: p, lent: true})
			model = append(model, p...)
			lent = append(lent, p)
		case 4:
			buf := b.share(append(b.take(n), bytesOf(n)...))
			o.addPiece(&b, piece{p: buf.p[n/2:], buf: buf})
			model = append(model, buf.p[n/2:]...)
			buf.Release()
		case 5:
			o.reclaim(&b)
			scribble()
		default:
			n = min(n, o.len())
			o.sent(&b, n)
			model = model[n:]
			if o.len() == 0 {
				o.release(&b)
			}
			if !o.lends() {
				scribble()
			}
		}
		if rest, ok := cutPieces(model, append(o.queued(), o.tail())); !ok || len(rest) > 0 || o.len() != len(model) {
			t.Fatal("the outbox holds something else than was put in")
		}
		limit := 1 + r.IntN(200_000)
		rest, ok := cutPieces(model, o.offer(nil, limit))
		if offered := len(model) - len(rest); !ok || offered > limit || len(model) > 0 && offered == 0 {
			t.Fatalf("%d bytes are offered of %d, at most %d", offered, len(model), limit)
		}
		if len(model) > 2<<20 {
			o.sent(&b, len(model))
			model = nil
		}
		if b.kept > freeBytes {
			t.Fatalf("%d bytes kept", b.kept)
		}
	}
}

// queued is what lies before the tail.
func (o *outbox) queued() (pieces [][]byte) {
	if o.queue != nil {
		for _, p := range o.queue.pieces[o.queue.first:] {
			pieces = append(pieces, p.p)
		}
	}
	return pieces
}

// cutPieces cuts the pieces off the beginning of p; ok is false if it begins otherwise.
func cutPieces(p []byte, pieces [][]byte) (rest []byte, ok bool) {
	for _, piece := range pieces {
		if p, ok = bytes.CutPrefix(p, piece); !ok {
			return p, false
		}
	}
	return p, true
}

// TestOutboxReturnsMemory sends and queues for long: the list of pieces does not
// grow, and all memory is back in the end.
func TestOutboxReturnsMemory(t *testing.T) {
	var b buffers
	var o outbox
	shared := b.share(append(b.take(4<<10), make([]byte, 4<<10)...))
	for range 10_000 {
		o.add(&b, []byte("head"))
		o.addPiece(&b, piece{p: shared.p, buf: shared})
		o.addLarge(&b, make([]byte, 20<<10))
		if o.len() > 1<<20 {
			o.sent(&b, 900<<10)
		}
	}
	if n := cap(o.queue.pieces); n > 1024 {
		t.Errorf("the list of pieces has grown to %d", n)
	}
	o.release(&b)
	if shared.refs != 1 {
		t.Errorf("%d references are left", shared.refs)
	}
	shared.Release()
	if shared.p != nil || b.kept == 0 || o.queue != nil || o.buf != nil {
		t.Error("memory did not go back")
	}
}

// TestOutboxForgets keeps nothing of what was sent reachable.
func TestOutboxForgets(t *testing.T) {
	var b buffers
	var o outbox
	p := make([]byte, 1<<10)
	for range 3 {
		o.addPiece(&b, piece{p: p})
	}
	o.sent(&b, 2<<10)
	o.addPiece(&b, piece{p: p})
	o.sent(&b, 2<<10)
	for _, left := range b.queues[0].pieces[:cap(b.queues[0].pieces)] {
		if left.p != nil {
			t.Fatal("a queue that is given back refers to a payload")
		}
	}
}

func TestOutboxExtend(t *testing.T) {
	var b buffers
	var o outbox
	if o.extend([]byte("x")) {
		t.Fatal("extend took foreign bytes into no buffer")
	}
	p := append(o.room(&b, 10), "0123456789"...)
	if o.extend([]byte("foreign")) {
		t.Fatal("extend took foreign bytes")
	}
	if o.extend(append(p[:0:0], p...)) {
		t.Fatal("extend took a copy")
	}
	if o.extend(p[1:]) {
		t.Fatal("extend took the middle of the room")
	}
	if !o.extend(p) || string(o.tail()) != "0123456789" {
		t.Fatal("extend refused its own room")
	}
	o.closeBuffer(&b)
	o.queue.large = 5
	o.sent(&b, o.len())
	if o.large() != 0 {
		t.Fatal("the empty outbox remembers a large write")
	}
}

func TestBufferHolds(t *testing.T) {
	var b buffers
	buf := b.share(b.take(1000)[:10])
	p := buf.p[:cap(buf.p)]
	for name, tc := range map[string]struct {
		p    []byte
		want bool
	}{
		"all": {p, true}, "its end": {p[len(p)-1:], true}, "behind it": {p[len(p):], false},
		"nothing": {nil, false}, "another": {make([]byte, 5), false},
	} {
		if got := buf.Holds(tc.p); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestBuffers(t *testing.T) {
	for n, class := range map[int]int{0: 0, 1: 0, 1024: 0, 1025: 1, 2048: 1, 2049: 2, 65536: 6, 65537: 7, 4 << 20: 12, 4<<20 + 1: 13} {
		if got := classOf(n); got != class {
			t.Errorf("classOf(%d) = %d, want %d", n, got, class)
		}
	}
	var b buffers
	p := b.take(100)
	b.give(p)
	if q := b.take(1000); &p[:1][0] != &q[:1][0] || b.kept != 0 {
		t.Error("the buffer given back last was not lent again")
	}
	b.give(make([]byte, 0, 1500))
	b.give(make([]byte, 0, 8<<20))
	b.give(nil)
	if b.kept != 0 {
		t.Error("a buffer of no class was kept")
	}
	for range freeBytes/(256<<10) + 5 {
		b.give(make([]byte, 256<<10))
	}
	if b.kept != freeBytes {
		t.Errorf("%d bytes kept, want %d", b.kept, freeBytes)
	}
}
