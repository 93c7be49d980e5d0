package descriptors

import (
	"sync"
	"sync/atomic"
	"time"
)

// recountEvery bounds how often Allows counts: with many descriptors open it takes long.
const recountEvery = time.Second

// Cap is how many connections a server takes: a number that was configured, or one
// that follows the limit of open files.
//
// Safe for concurrent use.
type Cap struct {
	derived bool
	most    atomic.Int64

	mu      sync.Mutex
	fitted  int64     // what most was after Fit
	counted time.Time // when RanOut or Allows counted last
}

// NewCap returns a cap of most connections. If it is derived, Fit changes it.
func NewCap(most int, derived bool) *Cap {
	c := &Cap{derived: derived}
	c.most.Store(int64(most))
	return c
}

// Fit derives the cap from what is open now, unless it was configured: conns of
// that are connections. It reports whether there is room for one. It is for the start
// of a server.
func (c *Cap) Fit(conns int) bool {
	if !c.derived {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	room := c.count(conns)
	c.fitted = c.most.Load()
	return room > 0
}

// RanOut lowers a derived cap after a connection could not be accepted for want of a
// descriptor: more is open beside the connections than at the start.
func (c *Cap) RanOut(conns int, now time.Time) {
	if !c.derived {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counted = now
	c.count(conns)
}

// Allows reports whether the cap allows conns connections; refusing are those that
// are open beside them to be refused. A cap that RanOut has lowered rises again when
// what was open is closed: before it disallows something, it is derived anew,
// once a second at most.
func (c *Cap) Allows(conns, refusing int, now time.Time) bool {
	if int64(conns) <= c.most.Load() {
		return true
	}
	if !c.derived {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.most.Load() < c.fitted && now.Sub(c.counted) >= recountEvery {
		c.counted = now
		c.count(conns + refusing)
	}
	return int64(conns) <= c.most.Load()
}

// count sets the cap to the room there is, but at least to one, and returns the room.
// The caller holds the lock.
func (c *Cap) count(conns int) (room int) {
	room = Room(conns)
	c.most.Store(int64(max(1, room)))
	return room
}
