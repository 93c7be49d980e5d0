package hub

import "sync/atomic"

// recent are the logs of a shard that can make room for others, by when they were
// last used: a ring, whose root is not one of them. Its owner's lock guards it.
type recent struct {
	root   log
	oldest atomic.Uint64 // use of the first; 0 if there is none. Read without the lock
}

// touch puts a log last.
func (r *recent) touch(l *log, use uint64) {
	r.remove(l)
	if r.root.after == nil {
		r.root.before, r.root.after = &r.root, &r.root
	}
	l.use = use
	l.before, l.after = r.root.before, &r.root
	l.before.after, l.after.before = l, l
	r.oldest.Store(r.root.after.use)
}

// remove takes a log out, if it is in.
func (r *recent) remove(l *log) {
	if l.after == nil {
		return
	}
	l.before.after, l.after.before = l.after, l.before
	l.before, l.after = nil, nil
	r.oldest.Store(r.root.after.use) // that of the root is 0
}

// first returns the log that was unused the longest, or nil.
func (r *recent) first() *log {
	if r.root.after == nil || r.root.after == &r.root {
		return nil
	}
	return r.root.after
}

// use notes that a channel is used. The caller holds the shard's lock.
func (m *Memory) use(s *memoryShard, l *log) { s.recent.touch(l, m.uses.Add(1)) }

// evict makes room: of the channel that was unused the longest the oldest message
// goes, or the channel itself if it has none. It reports whether there was one. No
// lock is held.
func (m *Memory) evict() bool {
	for {
		var s *memoryShard
		var least uint64
		for i := range m.shards {
			if use := m.shards[i].recent.oldest.Load(); use > 0 && (s == nil || use < least) {
				s, least = &m.shards[i], use
			}
		}
		if s == nil {
			return false
		}
		if m.evictFrom(s) {
			return true
		}
	}
}

// evictFrom makes room in a shard. Channels that are in use and have no history are
// passed over, until they are used again.
func (m *Memory) evictFrom(s *memoryShard) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.recent.first()
	switch {
	case l == nil:
		return false
	case len(l.messages) > 0:
		m.dropOldest(l)
		m.budget.evicted.Add(1)
	case l.watched || len(l.members) > 0:
		s.recent.remove(l)
		return false
	default:
		m.drop(s, l)
		return true
	}
	if len(l.messages) == 0 {
		l.leave()
		m.settle(s, l, m.config.Now())
	}
	return true
}
