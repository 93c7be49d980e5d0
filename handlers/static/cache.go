package static

import (
	"container/list"
	"sync"
	"time"
)

// cache holds the entries that are in use, by path, within its bounds.
//
// Safe for concurrent use.
type cache struct {
	config *Config // its bounds
	frozen bool    // all there is is in it, for good

	mu      sync.Mutex
	closed  bool
	entries map[string]*entry
	found   list.List // of *entry, the one used last in front
	absent  list.List // the same of paths that do not exist
	bytes   int64     // of memory that found holds
	files   int       // that found holds open
	flights map[string]*flight
	sweeper *time.Timer // runs while there is something to forget
}

// get returns the entry of a path, with a reference, if it is young enough to be
// used, and else nil. check says that it is time to look again.
func (c *cache) get(key string, now time.Time) (e *entry, check bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e = c.entries[key]
	if e == nil {
		return nil, false
	}
	if !c.frozen {
		age := now.Sub(e.checked)
		if age >= c.config.CheckInterval {
			return nil, true
		}
		check = age >= c.config.CheckInterval/2 && c.flights[key] == nil
		e.used = now
		c.listOf(e).MoveToFront(e.place)
	}
	e.refs.Add(1)
	return e, check
}

func (c *cache) listOf(e *entry) *list.List {
	if e.kind == missing {
		return &c.absent
	}
	return &c.found
}

// put has e in the cache, in the place of what was there: the bounds hold from then
// on. The caller holds the lock, and keeps its reference.
func (c *cache) put(e *entry, checked time.Time) {
	old := c.entries[e.key]
	if old == e {
		e.checked = checked
		return
	}
	if old != nil {
		c.remove(old)
	}
	if c.closed {
		return
	}
	e.refs.Add(1)
	e.checked, e.used = checked, checked
	e.place = c.listOf(e).PushFront(e)
	c.entries[e.key] = e
	if e.kind != missing {
		c.bytes += e.bytes
		c.files += e.files
	}
	if !c.frozen {
		c.shrink()
		c.watch()
	}
}

// remove takes e out of the cache. The caller holds the lock.
func (c *cache) remove(e *entry) {
	c.listOf(e).Remove(e.place)
	e.place = nil
	delete(c.entries, e.key)
	if e.kind != missing {
		c.bytes -= e.bytes
		c.files -= e.files
	}
	e.release()
}

// drop takes e out of the cache, if it is there, so that the next request looks at
// the disk.
func (c *cache) drop(e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.place != nil {
		c.remove(e)
	}
}

// shrink drops what was unused the longest until the bounds hold. The caller holds
// the lock.
func (c *cache) shrink() {
	for c.absent.Len() > c.config.MaxMissing {
		c.remove(c.absent.Back().Value.(*entry))
	}
	for c.bytes > c.config.MaxMemoryBytes || c.files > c.config.MaxOpenFiles {
		c.remove(c.found.Back().Value.(*entry))
	}
}

// closeFiles drops every entry that has an open file, when descriptors have run out.
func (c *cache) closeFiles() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for at := c.found.Back(); at != nil; {
		e := at.Value.(*entry)
		at = at.Prev()
		if e.files > 0 {
			c.remove(e)
		}
	}
}

// watch has sweep called when the first entry may be forgotten. The caller holds the
// lock.
func (c *cache) watch() {
	if c.sweeper == nil {
		c.sweeper = time.AfterFunc(c.config.IdleTimeout, c.sweep)
	}
}

// sweep forgets what nobody has asked for in a while.
func (c *cache) sweep() {
	c.mu.Lock()
	defer c.mu.Unlock()
	since := time.Now().Add(-c.config.IdleTimeout)
	for _, l := range []*list.List{&c.found, &c.absent} {
		for at := l.Back(); at != nil && !at.Value.(*entry).used.After(since); at = l.Back() {
			c.remove(at.Value.(*entry))
		}
	}
	c.sweeper = nil
	if len(c.entries) > 0 && !c.closed {
		c.watch()
	}
}

// close empties the cache for good.
func (c *cache) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.sweeper != nil {
		c.sweeper.Stop()
	}
	for _, e := range c.entries {
		c.remove(e)
	}
}
