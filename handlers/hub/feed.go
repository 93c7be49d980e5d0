package hub

import (
	"sync"

	"github.com/gale-server/gale/asgi"
)

// feed brings to one loop what its clients subscribe to: however many they are,
// and however much there is, one post.
//
// Safe for concurrent use, unless a method says otherwise.
type feed struct {
	hub  *Hub
	loop asgi.Loop
	size int // clients, counted under the lock of the hub

	mu       sync.Mutex
	dirty    []*local // something waits for their subscribers
	messages int      // that wait
	posted   bool     // run is on its way

	// Loop-owned.
	first     *Client // of a ring
	run       func()
	now       []*local // taken from dirty, or set aside; being handed out from at on
	at        int
	work      handout
	spare     []*Message    // for the next batch of a local
	serving   *Subscription // by step
	stepping  bool
	delivered uint64 // by step, and not counted yet
}

// handout is what is being given to the subscribers of one local. Its local is nil
// if there is none.
type handout struct {
	local   *local
	batch   []*Message
	early   int // of batch, at its end, will be handed out to everybody once more
	changes []PresenceChange
	bytes   int64 // that changes take of the budget
	behind  bool
}

// subscribersPerTask is how many are served before the loop may see to others:
// some ten microseconds. Tests change it.
var subscribersPerTask = 64

// maxSpare is the capacity above which a batch is not used again.
const maxSpare = 64

func newFeed(h *Hub, loop asgi.Loop) *feed {
	f := &feed{hub: h, loop: loop}
	f.run = f.step
	return f
}

// message has messages handed out. The caller holds the lock of the topics.
func (f *feed) message(l *local, batch []*Message) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case l.behind: // its subscribers will read
	case f.messages+len(batch) > f.hub.config.MaxBacklog || !f.hub.budget.wait(batch):
		f.hub.stats.backlogs.Add(1)
		f.drop(l)
	default:
		l.batch = append(l.batch, batch...)
		f.messages += len(batch)
	}
	f.mark(l)
}

// presence has a change handed out. Of too many the oldest are dropped, and what there
// is no room for: who wants to be sure asks for the members.
func (f *feed) presence(l *local, change PresenceChange) {
	f.mu.Lock()
	defer f.mu.Unlock()
	bytes := change.cost()
	if !f.hub.budget.waiting.take(bytes) {
		return
	}
	if len(l.changes) >= f.hub.config.MaxBacklog {
		l.bytes -= l.changes[0].cost()
		f.hub.budget.waiting.give(l.changes[0].cost())
		l.changes = l.changes[1:]
	}
	l.changes = append(l.changes, change)
	l.bytes += bytes
	f.mark(l)
}

// lost has subscribers read what they may have missed.
func (f *feed) lost(l *local) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.drop(l)
	f.mark(l)
}

// drop drops the messages that wait for a local. The caller holds the lock.
func (f *feed) drop(l *local) {
	f.messages -= len(l.batch)
	f.hub.budget.handedOut(l.batch)
	l.batch, l.behind = nil, true
}

// mark has something handed out to a local. The caller holds the lock.
func (f *feed) mark(l *local) {
	if !l.listed {
		l.listed = true
		f.dirty = append(f.dirty, l)
	}
	if !f.posted {
		f.posted = f.loop.Post(f.run)
	}
}

// step serves some subscribers, and posts itself while there are more. It runs on
// the loop. A panic costs the client that was served, and nobody else.
func (f *feed) step() {
	more := true
	defer func() {
		f.stepping = false
		f.hub.stats.delivered.Add(f.delivered)
		f.delivered = 0
		if f.serving != nil {
			c := f.serving.client
			f.serving = nil
			c.fail(recover())
		}
		if more {
			f.loop.Post(f.run)
		}
	}()
	f.stepping = true
	f.giveWay()
	f.extend()
	more = f.serve()
}

// serve serves some subscribers, and reports whether there may be more.
func (f *feed) serve() (more bool) {
	w := &f.work
	for range subscribersPerTask {
		if w.local == nil && !f.take() {
			return false
		}
		l := w.local
		if l.next%fetched == 0 {
			fetch(l.subs[l.next:min(l.next+fetched, len(l.subs))])
		}
		if l.next < len(l.subs) {
			f.serving = l.subs[l.next]
			l.next++
			f.serving.handOut(w)
			f.serving = nil
		}
		if l.next >= len(l.subs) {
			l.next = 0
			f.finish()
		}
	}
	return true
}

// fetched is how many subscribers are looked at before they are served.
const fetched = 16

// fetch looks at what a delivery to each of the subscribers needs. One conn among
// thousands is not in the cache: this way the processor waits for several of them at
// a time, and not for one after the other.
func fetch(subs []*Subscription) {
	for _, s := range subs {
		s.client.exchange.Congested()
	}
}

// giveWay has the rest of a large local wait until all others that something waits
// for have had a turn.
func (f *feed) giveWay() {
	l := f.work.local
	if l == nil || len(l.subs) <= subscribersPerTask {
		return
	}
	f.mu.Lock()
	f.gather()
	f.mu.Unlock()
	if f.at < len(f.now) {
		l.aside, f.work = f.work, handout{}
		f.now = append(f.now, l)
	}
}

// gather moves dirty to now, but for locals that are being handed something out
// already: what has come since follows that. The caller holds the lock.
func (f *feed) gather() {
	if f.at > len(f.now)/2 {
		rest := copy(f.now, f.now[f.at:])
		clear(f.now[rest:])
		f.now, f.at = f.now[:rest], 0
	}
	underway := f.dirty[:0]
	for _, l := range f.dirty {
		if l.aside.local == nil && l != f.work.local {
			f.now = append(f.now, l)
		} else {
			underway = append(underway, l)
		}
	}
	clear(f.dirty[len(underway):])
	f.dirty = underway
}

// extend adds to what is being handed out what has come since, so that who is not
// served yet gets it in the same write, which costs far more than a message. It is
// handed out to everybody afterwards: who has it leaves it then, by its place, of
// which a subscription to a pattern has none.
func (f *feed) extend() {
	w := &f.work
	if w.local == nil || w.local.topic.wide || w.behind {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if waiting := w.local.batch; len(waiting) > w.early {
		w.batch = append(w.batch, waiting[w.early:]...)
		w.early = len(waiting)
	}
}

// finish ends the handing out to a local.
func (f *feed) finish() {
	w := &f.work
	f.hub.budget.handedOut(w.batch[:len(w.batch)-w.early])
	f.hub.budget.waiting.give(w.bytes)
	if batch := w.batch; cap(batch) > 0 && cap(batch) <= maxSpare {
		clear(batch)
		f.spare = batch[:0]
	}
	f.work = handout{}
}

// take begins, or goes on, with the next local for which something waits; false if
// there is none.
func (f *feed) take() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.at == len(f.now) {
		f.gather() // all: nothing is set aside
	}
	if f.at == len(f.now) {
		f.posted = false
		return false
	}
	l := f.now[f.at]
	f.now[f.at] = nil
	f.at++
	if l.aside.local != nil {
		f.work, l.aside = l.aside, handout{}
		return true
	}
	f.work = handout{local: l, batch: l.batch, changes: l.changes, bytes: l.bytes, behind: l.behind}
	f.messages -= len(l.batch)
	l.batch, l.changes, l.bytes, l.behind, l.listed = f.spare, nil, 0, false, false
	f.spare = nil
	return true
}

// attach and detach change the subscribers of a local, on the loop, also while
// something is being handed out to them.
func (l *local) attach(s *Subscription) {
	s.index = len(l.subs)
	l.subs = append(l.subs, s)
}

func (l *local) detach(s *Subscription) {
	move := func(from, to int) {
		l.subs[to] = l.subs[from]
		l.subs[to].index = to
	}
	hole, last := s.index, len(l.subs)-1
	if hole < l.next { // the last must not get before those who had theirs
		l.next--
		move(l.next, hole)
		hole = l.next
	}
	if hole != last { // or it would get the place of whom was moved from there
		move(last, hole)
	}
	l.subs[last] = nil
	l.subs = l.subs[:last]
}

// enter and leave change the ring of the clients. They are called on the loop.
func (f *feed) enter(c *Client) {
	if f.first == nil {
		c.before, c.after = c, c
		f.first = c
		return
	}
	c.before, c.after = f.first.before, f.first
	c.before.after, c.after.before = c, c
}

func (f *feed) leave(c *Client) {
	switch {
	case c.after == c:
		f.first = nil
	case f.first == c:
		f.first = c.after
	}
	c.before.after, c.after.before = c.after, c.before
	c.before, c.after = nil, nil
}

// closeClients ends all clients, some at a time. It runs on the loop.
func (f *feed) closeClients(reason *Error) {
	for range subscribersPerTask {
		if f.first == nil {
			return
		}
		f.first.expel(reason)
	}
	f.loop.Post(func() { f.closeClients(reason) })
}
