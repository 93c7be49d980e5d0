package load

import (
	"math/bits"
	"time"
)

// Histogram counts durations in buckets no wider than 1/64 of what they hold.
//
// Not safe for concurrent use.
type Histogram struct {
	counts [buckets]uint32
	total  uint64
}

const (
	subBits = 6
	sub     = 1 << subBits             // buckets per power of two
	buckets = (63 - subBits + 1) * sub // for every positive int64
)

// bucket returns the index for a duration of ns nanoseconds: below sub they
// have one bucket each; above, the highest subBits+1 bits tell.
func bucket(ns uint64) int {
	if ns < sub {
		return int(ns)
	}
	shift := bits.Len64(ns) - subBits - 1
	return shift*sub + int(ns>>shift)
}

// upper returns the largest duration of a bucket.
func upper(i int) time.Duration {
	if i < 2*sub {
		return time.Duration(i)
	}
	shift := i/sub - 1
	return time.Duration((uint64(i-shift*sub)+1)<<shift - 1)
}

// Record counts d; less than zero counts as zero.
func (h *Histogram) Record(d time.Duration) {
	h.counts[bucket(uint64(max(d, 0)))]++
	h.total++
}

// Add counts what other has counted, too.
func (h *Histogram) Add(other *Histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.total += other.total
}

// Reset forgets everything.
func (h *Histogram) Reset() { *h = Histogram{} }

// Quantile returns a duration that a fraction q of all, 0 < q <= 1, does not
// exceed; 0 if nothing was recorded.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank := uint64(q * float64(h.total))
	var seen uint64
	for i, n := range h.counts {
		if seen += uint64(n); n > 0 && seen >= rank {
			return upper(i)
		}
	}
	return 0
}
