package eventloop

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestOutboxModel compares with a plain buffer.
func TestOutboxModel(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var (
		b     buffers
		o     outbox
		model []byte
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
	for range 5000 {
		n := 1 + r.IntN(sizes[r.IntN(len(sizes))])
		switch r.IntN(4) {
		case 0:
			p := bytesOf(n)
			o.add(&b, p)
			model = append(model, p...)
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
		case 2, 3:
			n = min(n, o.len())
			o.sent(n)
			model = model[n:]
			if o.len() == 0 {
				o.release(&b)
			}
		}
		if !bytes.Equal(o.pending(), model) {
			t.Fatal("the outbox holds something else than was put in")
		}
		if len(model) > 2<<20 {
			o.sent(len(model))
			model = nil
		}
		if b.kept > freeBytes {
			t.Fatalf("%d bytes kept", b.kept)
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
	if !o.extend(p) || string(o.pending()) != "0123456789" {
		t.Fatal("extend refused its own room")
	}
	o.large = 5
	o.sent(o.len())
	if o.large != 0 {
		t.Fatal("the empty outbox remembers a large write")
	}
}

func TestBuffers(t *testing.T) {
	for n, class := range map[int]int{0: 0, 1: 0, 1024: 0, 1025: 1, 4096: 1, 4097: 2, 16384: 2, 16385: 3, 65536: 3, 65537: 4, 262144: 4, 262145: 5} {
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
	b.give(make([]byte, 0, 1<<20))
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
