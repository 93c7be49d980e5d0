package hub

import (
	"sync"
	"time"
)

// bucket is a token bucket: full at first.
type bucket struct {
	at     time.Time
	tokens float64
}

// take takes a token, or says how long to wait for one. A negative rate is no
// bound.
func (b *bucket) take(now time.Time, rate float64, burst int) (wait time.Duration, ok bool) {
	if rate < 0 {
		return 0, true
	}
	if b.at.IsZero() {
		b.tokens = float64(burst)
	} else {
		b.tokens = min(float64(burst), b.tokens+now.Sub(b.at).Seconds()*rate)
	}
	b.at = now
	if b.tokens < 1 {
		return time.Duration((1 - b.tokens) / rate * float64(time.Second)), false
	}
	b.tokens--
	return 0, true
}

// rates are the buckets of channels. Those that have been full for a while are
// dropped.
//
// Safe for concurrent use.
type rates struct {
	mu      sync.Mutex
	buckets map[string]*bucket
}

// maxRates is how many buckets may be there before those that are full again are
// looked for.
const maxRates = 10_000

func (r *rates) take(channel string, now time.Time, rate float64, burst int) (wait time.Duration, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.buckets[channel]
	if b == nil {
		if r.buckets == nil {
			r.buckets = make(map[string]*bucket)
		}
		if len(r.buckets) >= maxRates {
			r.drop(now)
		}
		b = &bucket{}
		r.buckets[channel] = b
	}
	return b.take(now, rate, burst)
}

// drop drops what nobody has asked for in a minute.
func (r *rates) drop(now time.Time) {
	for channel, b := range r.buckets {
		if now.Sub(b.at) > time.Minute {
			delete(r.buckets, channel)
		}
	}
}
