package server

import (
	"container/list"
	"sync"
)

// fileReaders are the goroutines that fetch files from disks, for all loops: as many
// as there is something to fetch, and at most Config.FileReaders. What finds none free
// waits in a queue. Each ends when nothing waits.
//
// Safe for concurrent use.
type fileReaders struct {
	most   int // negative: any number
	mu     sync.Mutex
	busy   int
	queue  list.List // of *fileSender; its place is guarded by mu
	memory sync.Pool // of *[fetchBytes]byte
}

// fetchBytes is what a reader reads at a time.
const fetchBytes = 64 << 10

// read has a reader fetch for s, now or in its turn.
func (r *fileReaders) read(s *fileSender) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.most >= 0 && r.busy >= r.most {
		s.place = r.queue.PushBack(s)
		return
	}
	r.busy++
	go r.run(s) // ends when nothing waits; what it has read is posted to a loop
}

func (r *fileReaders) run(s *fileSender) {
	p, _ := r.memory.Get().(*[fetchBytes]byte)
	if p == nil {
		p = new([fetchBytes]byte)
	}
	defer r.memory.Put(p)
	for ; s != nil; s = r.next() {
		s.fetch(p[:])
	}
}

// next takes the first one out of the queue; nil, and the reader ends, if there is
// none.
func (r *fileReaders) next() *fileSender {
	r.mu.Lock()
	defer r.mu.Unlock()
	first := r.queue.Front()
	if first == nil {
		r.busy--
		return nil
	}
	return r.take(first)
}

// forget takes s out of the queue; false if it is not in it.
func (r *fileReaders) forget(s *fileSender) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return s.place != nil && r.take(s.place) != nil
}

func (r *fileReaders) take(place *list.Element) *fileSender {
	s := r.queue.Remove(place).(*fileSender)
	s.place = nil
	return s
}
