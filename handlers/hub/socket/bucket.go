package socket

import "time"

// bucket is a token bucket: it holds up to burst tokens, and one comes back each
// interval. The zero bucket is full.
//
// Not safe for concurrent use.
type bucket struct{ full int64 } // when it is full again, in nanoseconds since 1970

// take takes a token, or reports how long to wait for one.
func (b *bucket) take(now time.Time, interval time.Duration, burst int) (wait time.Duration, ok bool) {
	at := now.UnixNano()
	full := max(b.full, at) + int64(interval)
	if over := time.Duration(full-at) - time.Duration(burst)*interval; over > 0 {
		return over, false
	}
	b.full = full
	return 0, true
}
