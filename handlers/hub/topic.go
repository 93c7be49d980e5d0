package hub

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// topics are the channels, or the patterns, that somebody in this process
// subscribes to.
//
// Safe for concurrent use.
type topics struct {
	count atomic.Int32 // of named, to be read without the lock
	mu    sync.Mutex
	named map[string]*topic
	most  int // of named, since it was made

	budget *Budget
}

// topic is one of them. It is there as long as there are subscribers, or the
// broker is asked something about it.
type topic struct {
	name        string
	wide        bool // a pattern
	subscribers int
	locals      []*local // of the loops that have some
	watched     bool     // by the broker
	asking      bool     // the broker is asked, one thing at a time
	waiting     []func(error)
}

// local is a topic on one loop.
type local struct {
	topic *topic
	feed  *feed
	users int // subscribers, counted under the lock of the topics

	// Loop-owned.
	subs  []*Subscription
	next  int     // subs before it have had what is being handed out
	aside handout // the rest of it, while others have their turn

	// Guarded by the lock of the feed.
	batch   []*Message
	changes []PresenceChange
	bytes   int64 // that changes take of the budget
	behind  bool  // messages were dropped: whoever wants them must read; batch is empty
	listed  bool  // among those of the feed that something waits for
}

// tell calls fn for each loop with subscribers of a name.
func (t *topics) tell(name string, fn func(*local)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.named[name].tell(fn)
}

// tellPatterns calls fn for each loop with subscribers of a pattern that a name
// fits.
func (t *topics) tellPatterns(name string, fn func(*local)) {
	if t.count.Load() == 0 {
		return
	}
	var room [maxChannelBytes + 1]byte
	pattern := append(room[:0], name...)
	pattern = append(pattern, '*')
	t.mu.Lock()
	defer t.mu.Unlock()
	for n := len(name); n >= 0; n-- {
		pattern[n] = '*'
		t.named[string(pattern[:n+1])].tell(fn)
	}
}

func (to *topic) tell(fn func(*local)) {
	if to != nil {
		for _, l := range to.locals {
			fn(l)
		}
	}
}

// addCost is what add takes of the budget, if it makes a topic and a local.
func addCost(name string) int64 { return topicCost + block(len(name)) + localCost }

// add counts a subscriber on a feed, unless there are most already; zero is no
// bound. The caller has taken room for a topic and a local, of which add gives back
// what was not needed. It reports whether the broker watches the topic, which it does from then
// on as long as there are subscribers.
func (t *topics) add(name string, f *feed, most int) (l *local, watched bool, err error) {
	spare := addCost(name)
	defer func() { t.budget.Give(spare) }()
	t.mu.Lock()
	defer t.mu.Unlock()
	to := t.named[name]
	if to == nil {
		spare -= topicCost + block(len(name))
		_, wide := prefixOf(name)
		name = strings.Clone(name) // of a request, which would stay as long as the topic
		to = &topic{name: name, wide: wide}
		if t.named == nil {
			t.named = make(map[string]*topic)
		}
		t.named[name] = to
		t.most = max(t.most, len(t.named))
		t.count.Add(1)
	}
	if most > 0 && to.subscribers >= most {
		return nil, false, &Error{Code: TooMany, Text: "the channel has as many subscribers as it may"}
	}
	to.subscribers++
	i := slices.IndexFunc(to.locals, func(l *local) bool { return l.feed == f })
	if i < 0 {
		i = len(to.locals)
		spare -= localCost
		to.locals = append(to.locals, &local{topic: to, feed: f})
	}
	to.locals[i].users++
	return to.locals[i], to.watched, nil
}

// remove takes a subscriber back.
func (t *topics) remove(l *local) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l.topic.subscribers--
	if l.users--; l.users == 0 {
		i := slices.Index(l.topic.locals, l)
		l.topic.locals = slices.Delete(l.topic.locals, i, i+1)
		t.budget.Give(localCost)
	}
}

// watch calls done as soon as the broker watches the topic, to which the caller
// has added a subscriber.
func (t *topics) watch(b Broker, to *topic, done func(error)) {
	t.mu.Lock()
	if to.watched {
		t.mu.Unlock()
		done(nil)
		return
	}
	to.waiting = append(to.waiting, done)
	t.mu.Unlock()
	t.settle(b, to)
}

// settle has the broker watch a topic that has subscribers, and no other.
func (t *topics) settle(b Broker, to *topic) {
	for {
		t.mu.Lock()
		wanted := to.subscribers > 0
		if to.asking || wanted == to.watched { // whoever asks goes on
			t.dropUnused(to)
			t.mu.Unlock()
			return
		}
		to.asking, to.watched = true, false
		t.mu.Unlock()
		if wanted {
			b.Watch(to.name, func(err error) { t.watching(b, to, err) })
			return
		}
		b.Unwatch(to.name)
		t.mu.Lock()
		to.asking = false
		t.mu.Unlock()
	}
}

// watching follows a Watch. One that failed is not repeated but for who subscribes
// from now on.
func (t *topics) watching(b Broker, to *topic, err error) {
	t.mu.Lock()
	to.asking, to.watched = false, err == nil
	waiting := to.waiting
	to.waiting = nil
	t.dropUnused(to)
	t.mu.Unlock()
	for _, done := range waiting {
		done(err)
	}
	if err == nil {
		t.settle(b, to)
	}
}

// dropUnused drops a topic that nothing keeps. The caller holds the lock.
func (t *topics) dropUnused(to *topic) {
	if to.subscribers > 0 || to.watched || to.asking || t.named[to.name] != to {
		return
	}
	delete(t.named, to.name)
	t.budget.Give(topicCost + block(len(to.name)))
	t.named, t.most = shrink(t.named, t.most)
	t.count.Add(-1)
}

// shrink copies a map that once had most elements, if it has become much smaller:
// maps do not give memory back.
func shrink[V any](m map[string]V, most int) (map[string]V, int) {
	if most < 128 || len(m) > most/4 {
		return m, most
	}
	smaller := make(map[string]V, len(m))
	for k, v := range m {
		smaller[k] = v
	}
	return smaller, len(m)
}
