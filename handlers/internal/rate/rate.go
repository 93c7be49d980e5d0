// Package rate holds token buckets: how often something may happen in the long
// run, and at once. A bucket is full at first, and a full one is as good as none,
// so that a [Table] of them forgets the full ones.
package rate

import (
	"container/list"
	"sync"
	"time"
)

// Limit is a rate: one token comes back each Interval, and a bucket holds up to
// Burst of them.
//
// Safe for concurrent use: immutable.
type Limit struct {
	Interval time.Duration
	Burst    int
}

// PerSecond returns the limit of so many tokens per second, which are more than 0.
func PerSecond(rate float64, burst int) Limit {
	interval := float64(time.Second) / rate
	return Limit{time.Duration(min(max(interval, 1), 1<<52)), burst}
}

// Bucket is one bucket; the zero Bucket is full.
//
// Not safe for concurrent use.
type Bucket struct{ full int64 } // when it is full again, in nanoseconds since 1970

// Take takes a token, or returns how long to wait for one.
func (b *Bucket) Take(now time.Time, limit Limit) (wait time.Duration, ok bool) {
	at := now.UnixNano()
	full := max(b.full, at) + int64(limit.Interval)
	if over := time.Duration(full-at) - time.Duration(limit.Burst)*limit.Interval; over > 0 {
		return over, false
	}
	b.full = full
	return 0, true
}

// Merge has b hold no more tokens than other does.
func (b *Bucket) Merge(other Bucket) { b.full = max(b.full, other.full) }

// AtMost returns a bucket of which no more tokens than n are taken.
func (b Bucket) AtMost(n int, now time.Time, limit Limit) Bucket {
	return Bucket{min(b.full, now.UnixNano()+int64(n)*int64(limit.Interval))}
}

// Full reports whether all tokens are there.
func (b Bucket) Full(now time.Time) bool { return b.full <= now.UnixNano() }

// Table is a bounded number of buckets, each of a key. Above the bound the one that
// was unused the longest is forgotten, and so is full: whoever wanted that for its
// own would need as many other keys as the bound allows.
//
// Safe for concurrent use.
type Table[K comparable] struct {
	most int

	mu      sync.Mutex
	buckets map[K]*list.Element
	order   list.List // of *entry[K], the one used last in front
}

type entry[K comparable] struct {
	key    K
	bucket Bucket
}

// NewTable returns a table of at most so many buckets.
func NewTable[K comparable](most int) *Table[K] {
	return &Table[K]{most: most, buckets: make(map[K]*list.Element)}
}

// Take takes a token of the key's bucket, or returns how long to wait for one.
func (t *Table[K]) Take(key K, now time.Time, limit Limit) (wait time.Duration, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.open(key, now).Take(now, limit)
}

// Get returns a copy of the key's bucket.
func (t *Table[K]) Get(key K) (b Bucket) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.buckets[key]; e != nil {
		b = e.Value.(*entry[K]).bucket
	}
	return b
}

// Merge has the key's bucket hold no more than b does.
func (t *Table[K]) Merge(key K, b Bucket, now time.Time) {
	if b.Full(now) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open(key, now).Merge(b)
}

// Len returns how many buckets are known.
func (t *Table[K]) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.buckets)
}

// open returns the key's bucket. The caller holds the lock.
func (t *Table[K]) open(key K, now time.Time) *Bucket {
	e := t.buckets[key]
	if e == nil {
		t.forget(now)
		e = t.order.PushFront(&entry[K]{key: key})
		t.buckets[key] = e
	}
	t.order.MoveToFront(e)
	return &e.Value.(*entry[K]).bucket
}

// forget makes room for one more, and drops up to two full buckets: so there are
// never many more of them than of others. The caller holds the lock.
func (t *Table[K]) forget(now time.Time) {
	for range 2 {
		last := t.order.Back()
		if last == nil {
			return
		}
		oldest := last.Value.(*entry[K])
		if len(t.buckets) < t.most && !oldest.bucket.Full(now) {
			return
		}
		t.order.Remove(last)
		delete(t.buckets, oldest.key)
	}
}
