package rate

import (
	"testing"
	"time"
)

var start = time.Unix(1_700_000_000, 0)

func TestBucket(t *testing.T) {
	limit := PerSecond(2, 3)
	var b Bucket
	now := start
	for _, c := range []struct {
		pass, wait time.Duration
	}{
		{0, 0}, {0, 0}, {0, 0}, {0, 500 * time.Millisecond},
		{400 * time.Millisecond, 100 * time.Millisecond},
		{100 * time.Millisecond, 0}, {0, 500 * time.Millisecond},
		{time.Hour, 0}, {0, 0}, {0, 0}, {0, 500 * time.Millisecond},
	} {
		now = now.Add(c.pass)
		if wait, ok := b.Take(now, limit); wait != c.wait || ok != (c.wait == 0) {
			t.Errorf("after %v: %v, %v", now.Sub(start), wait, ok)
		}
	}
	if b.Full(now) || !b.Full(now.Add(1500*time.Millisecond)) {
		t.Error("full at the wrong time")
	}
}

// A rate may be so low, or so high, that an interval would overflow or be nothing.
func TestExtremes(t *testing.T) {
	for _, rate := range []float64{1e-300, 1e300} {
		var b Bucket
		if _, ok := b.Take(start, PerSecond(rate, 1)); !ok {
			t.Errorf("%v: no first token", rate)
		}
		if _, ok := b.Take(start, PerSecond(rate, 1)); ok {
			t.Errorf("%v: a second token at once", rate)
		}
	}
}

// A table forgets what is full again, and above its bound what is unused the
// longest; what is used stays.
func TestTable(t *testing.T) {
	limit := PerSecond(1, 1)
	table := NewTable[int](100)
	for key := range 1000 {
		if _, ok := table.Take(key, start, limit); !ok {
			t.Fatalf("key %d has no token", key)
		}
		if _, ok := table.Take(0, start, limit); ok && key > 0 {
			t.Fatalf("key 0, which is used, has another token after %d keys", key)
		}
	}
	if n := table.Len(); n != 100 {
		t.Errorf("%d buckets", n)
	}
	if _, ok := table.Take(999, start, limit); ok {
		t.Error("key 999 is forgotten")
	}
	later := start.Add(time.Second)
	for key := range 100 {
		table.Take(1000+key, later, limit)
	}
	if n := table.Len(); n > 101 {
		t.Errorf("%d buckets", n)
	}
	for key := range 10 {
		table.Take(2000+key, later.Add(time.Hour), limit)
	}
	if n := table.Len(); n > 100 {
		t.Errorf("%d buckets", n)
	}
}

func TestMerge(t *testing.T) {
	limit := PerSecond(1, 2)
	table := NewTable[string](10)
	var a, b Bucket
	a.Take(start, limit)
	b.Take(start, limit)
	b.Take(start, limit)
	table.Merge("x", b, start)
	table.Merge("x", a, start) // has more
	got := table.Get("x")
	if _, ok := got.Take(start, limit); ok {
		t.Error("a token too many")
	}
	table.Merge("y", b, start.Add(time.Hour))
	if n := table.Len(); n != 1 {
		t.Errorf("%d buckets: a full one is kept", n)
	}
}

func TestAtMost(t *testing.T) {
	limit := PerSecond(1, 5)
	for taken, left := range []int{5, 4, 3, 3, 3, 3} {
		var b Bucket
		for range taken {
			b.Take(start, limit)
		}
		b = b.AtMost(2, start, limit)
		n := 0
		for _, ok := b.Take(start, limit); ok; _, ok = b.Take(start, limit) {
			n++
		}
		if n != left {
			t.Errorf("%d taken, 2 at most: %d are left, want %d", taken, n, left)
		}
	}
}
