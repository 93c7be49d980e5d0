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
	clients clientList
	run     func()
	now     []*local // being handed out
	work    handout
}

// handout is what is being given to the subscribers of one local.
type handout struct {
	local   *local
	batch   []*Message
	changes []PresenceChange
	behind  bool
}

// subscribersPerTask is how many are served before the loop may see to others:
// some ten microseconds.
const subscribersPerTask = 64

func newFeed(h *Hub, loop asgi.Loop) *feed {
	f := &feed{hub: h, loop: loop}
	f.run = f.step
	return f
}

// message has messages handed out. The caller holds the lock of the topics.
func (f *feed) message(l *local, batch []*Message) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.messages+len(batch) > f.hub.config.MaxBacklog {
		if !l.behind {
			f.hub.stats.backlogs.Add(1)
		}
		f.messages -= len(l.batch)
		l.batch, l.behind = nil, true
	} else if !l.behind {
		l.batch = append(l.batch, batch...)
		f.messages += len(batch)
	}
	f.mark(l)
}

// presence has a change handed out. Of too many the oldest are dropped: who wants
// to be sure asks for the members.
func (f *feed) presence(l *local, change PresenceChange) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(l.changes) >= f.hub.config.MaxBacklog {
		l.changes = l.changes[1:]
	}
	l.changes = append(l.changes, change)
	f.mark(l)
}

// lost has subscribers read what they may have missed.
func (f *feed) lost(l *local) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.messages -= len(l.batch)
	l.batch, l.behind = nil, true
	f.mark(l)
}

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
// the loop.
func (f *feed) step() {
	served := 0
	for served < subscribersPerTask {
		w := &f.work
		if w.local == nil && !f.take() {
			return
		}
		for w.local.next < len(w.local.subs) && served < subscribersPerTask {
			s := w.local.subs[w.local.next]
			w.local.next++
			served++
			s.handOut(w)
		}
		if w.local.next >= len(w.local.subs) {
			w.local.next = 0
			*w = handout{}
		}
	}
	f.loop.Post(f.run)
}

// take begins with the next local for which something waits; false if there is
// none.
func (f *feed) take() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.now) == 0 {
		if len(f.dirty) == 0 {
			f.posted = false
			return false
		}
		f.now, f.dirty = f.dirty, f.now[:0]
	}
	l := f.now[0]
	f.now[0] = nil
	if f.now = f.now[1:]; len(f.now) == 0 {
		f.now = nil
	}
	f.work = handout{local: l, batch: l.batch, changes: l.changes, behind: l.behind}
	f.messages -= len(l.batch)
	l.batch, l.changes, l.behind, l.listed = nil, nil, false, false
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
	move(last, hole)
	l.subs[last] = nil
	l.subs = l.subs[:last]
}

// clientList is a ring of clients. Loop-owned.
type clientList struct{ first *Client }

func (f *feed) enter(c *Client) {
	if head := f.clients.first; head != nil {
		c.before, c.after = head.before, head
		c.before.after, c.after.before = c, c
	} else {
		c.before, c.after = c, c
		f.clients.first = c
	}
}

func (f *feed) leave(c *Client) {
	if c.after == c {
		f.clients.first = nil
		return
	}
	c.before.after, c.after.before = c.after, c.before
	if f.clients.first == c {
		f.clients.first = c.after
	}
}

func (f *feed) closeClients(reason *Error) {
	for f.clients.first != nil {
		f.clients.first.expel(reason)
	}
}
