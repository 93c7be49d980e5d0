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

// full is when the bucket is full again.
func (b *bucket) full(rate float64, burst int) time.Time {
	return b.at.Add(time.Duration((float64(burst) - b.tokens) / rate * float64(time.Second)))
}

// rates are the buckets of channels. One that is full is as good as none, and
// dropped when there are many.
//
// Safe for concurrent use.
type rates struct {
	mu      sync.Mutex
	buckets map[string]*channelBucket
	enough  int // there are no more than these before full ones are looked for
}

type channelBucket struct {
	bucket
	fullAt time.Time
}

// fewRates is how many buckets are kept, whether they are full or not.
const fewRates = 10_000

func (r *rates) take(channel string, now time.Time, rate float64, burst int) (wait time.Duration, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.buckets[channel]
	if b == nil {
		if len(r.buckets) >= max(r.enough, fewRates) {
			r.drop(now)
		}
		if r.buckets == nil {
			r.buckets = make(map[string]*channelBucket)
		}
		b = &channelBucket{}
		r.buckets[channel] = b
	}
	wait, ok = b.take(now, rate, burst)
	b.fullAt = b.full(rate, burst)
	return wait, ok
}

// drop drops full buckets. It is done again when there are twice as many as were
// left, so that it costs little for each.
func (r *rates) drop(now time.Time) {
	left := make(map[string]*channelBucket)
	for channel, b := range r.buckets {
		if b.fullAt.After(now) {
			left[channel] = b
		}
	}
	r.buckets, r.enough = left, 2*len(left)
}
