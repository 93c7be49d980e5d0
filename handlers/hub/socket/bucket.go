package socket

import "time"

// bucket is a token bucket: it holds up to burst tokens, and one comes back each
// interval. The zero bucket is full.
//
// Not safe for concurrent use.
type bucket struct{ full time.Time } // when it is full again

// take takes a token, or reports how long to wait for one.
func (b *bucket) take(now time.Time, interval time.Duration, burst int) (wait time.Duration, ok bool) {
	full := b.full
	if full.Before(now) {
		full = now
	}
	full = full.Add(interval)
	if over := full.Sub(now) - time.Duration(burst)*interval; over > 0 {
		return over, false
	}
	b.full = full
	return 0, true
}
