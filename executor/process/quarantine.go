package process

import (
	"hash/maphash"
	"sync"
	"time"
)

// maxSuspects bounds how many jobs are remembered for having cost a worker; the
// oldest is forgotten first.
const maxSuspects = 1024

// quarantine remembers which jobs, with which payloads, cost a worker.
//
// Safe for concurrent use.
type quarantine struct {
	after int           // so many workers; 0 is never
	time  time.Duration // from the last one
	seed  maphash.Seed

	mu       sync.Mutex
	suspects map[uint64]suspect
}

type suspect struct {
	crashes int
	last    time.Time
}

func newQuarantine(after int, time time.Duration) *quarantine {
	return &quarantine{after: after, time: time, seed: maphash.MakeSeed(), suspects: map[uint64]suspect{}}
}

func (q *quarantine) key(name string, payload []byte) uint64 {
	var h maphash.Hash
	h.SetSeed(q.seed)
	_ = h.WriteByte(byte(len(name)))
	_, _ = h.WriteString(name)
	_, _ = h.Write(payload)
	return h.Sum64()
}

// empty says that there is no need to look: the way of almost every job.
func (q *quarantine) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.suspects) == 0
}

// check is the error for a job that is in quarantine, or nil.
func (q *quarantine) check(now time.Time, name string, payload []byte) error {
	if q.empty() {
		return nil
	}
	key := q.key(name, payload)
	q.mu.Lock()
	defer q.mu.Unlock()
	s, ok := q.suspects[key]
	switch {
	case !ok:
		return nil
	case now.Sub(s.last) >= q.time:
		delete(q.suspects, key)
		return nil
	case s.crashes < q.after:
		return nil
	}
	return &QuarantinedError{Job: name, Crashes: s.crashes, Until: s.last.Add(q.time)}
}

// crashed notes that the job cost a worker.
func (q *quarantine) crashed(now time.Time, name string, payload []byte) {
	if q.after == 0 {
		return
	}
	key := q.key(name, payload)
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.suspects[key]
	q.suspects[key] = suspect{crashes: s.crashes + 1, last: now}
	if len(q.suspects) <= maxSuspects {
		return
	}
	oldest := key
	for k, s := range q.suspects {
		if s.last.Before(q.suspects[oldest].last) {
			oldest = k
		}
	}
	delete(q.suspects, oldest)
}

// succeeded forgets a job that did what it should.
func (q *quarantine) succeeded(name string, payload []byte) {
	if q.empty() {
		return
	}
	key := q.key(name, payload)
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.suspects, key)
}

// size is how many jobs are in quarantine.
func (q *quarantine) size(now time.Time) (n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, s := range q.suspects {
		if s.crashes >= q.after && now.Sub(s.last) < q.time {
			n++
		}
	}
	return n
}
