package load

import (
	"math"
	"testing"
	"time"
)

// A bucket is no wider than 1/64 of what is in it, and the buckets are in order.
func TestBuckets(t *testing.T) {
	last := -1
	for ns := uint64(0); ns < math.MaxInt64/2; ns += 1 + ns/100 {
		i := bucket(ns)
		if i < last || i >= buckets {
			t.Fatalf("%d ns is in bucket %d, after %d", ns, i, last)
		}
		last = i
		if top := uint64(upper(i)); top < ns || top-ns > ns/sub {
			t.Fatalf("%d ns is in bucket %d, which ends at %d", ns, i, top)
		}
	}
	if i := bucket(math.MaxInt64); i != buckets-1 || upper(i) != math.MaxInt64 {
		t.Errorf("the longest duration is in bucket %d of %d, which ends at %d", i, buckets, upper(i))
	}
}

func TestQuantile(t *testing.T) {
	var h Histogram
	if got := h.Quantile(0.99); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
	for i := range 100 {
		h.Record(time.Duration(i+1) * time.Millisecond)
	}
	for q, want := range map[float64]time.Duration{0.01: 1, 0.5: 50, 0.99: 99, 1: 100} {
		want *= time.Millisecond
		if got := h.Quantile(q); got < want || got > want+want/sub {
			t.Errorf("quantile %v is %v, want about %v", q, got, want)
		}
	}
	var other Histogram
	other.Record(time.Second)
	other.Add(&h)
	if got := other.Quantile(1); got < time.Second || other.Quantile(0.5) > 52*time.Millisecond {
		t.Errorf("with another's: at most %v, half within %v", got, other.Quantile(0.5))
	}
	h.Reset()
	h.Record(-1)
	if got := h.Quantile(1); got != 0 {
		t.Errorf("of a negative duration: %v", got)
	}
}
