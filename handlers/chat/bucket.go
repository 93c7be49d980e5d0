package chat

import "time"

// bucket is a token bucket: it holds up to burst tokens, and one comes back each
// interval. The zero bucket is full.
//
// Not safe for concurrent use.
type bucket struct {
	spent time.Duration // the time until it is full again, as of last
	last  time.Time
}

// take takes a token, or reports how long to wait for one.
func (b *bucket) take(now time.Time, interval time.Duration, burst int) (wait time.Duration, ok bool) {
	if passed := now.Sub(b.last); passed > 0 {
		b.spent = max(b.spent-passed, 0)
		b.last = now
	}
	after := b.spent + interval
	if over := after - time.Duration(burst)*interval; over > 0 {
		return over, false
	}
	b.spent = after
	return 0, true
}
