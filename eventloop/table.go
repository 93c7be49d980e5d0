package eventloop

import (
	"sync"
	"sync/atomic"
)

const tablePage = 1024

// table finds the conn of a descriptor. Descriptors are small integers unique
// in the process, so one table serves all loops of a group, at one word per
// conn; each entry is written by the loop that owns the conn. Pages are made
// when a descriptor first needs them and stay.
//
// Safe for concurrent use.
type table struct {
	mu    sync.Mutex // serialises growth
	pages atomic.Pointer[[]*[tablePage]atomic.Pointer[socket]]
}

// find returns the conn of fd, or nil.
func (t *table) find(fd int) *socket {
	pages := t.pages.Load()
	if pages == nil || fd/tablePage >= len(*pages) {
		return nil
	}
	return (*pages)[fd/tablePage][fd%tablePage].Load()
}

// put makes s the conn of fd; nil clears the entry.
func (t *table) put(fd int, s *socket) {
	pages := t.pages.Load()
	if pages == nil || fd/tablePage >= len(*pages) {
		pages = t.grow(fd/tablePage + 1)
	}
	(*pages)[fd/tablePage][fd%tablePage].Store(s)
}

func (t *table) grow(n int) *[]*[tablePage]atomic.Pointer[socket] {
	t.mu.Lock()
	defer t.mu.Unlock()
	var pages []*[tablePage]atomic.Pointer[socket]
	if old := t.pages.Load(); old != nil {
		pages = append(pages, *old...)
	}
	for len(pages) < n {
		pages = append(pages, new([tablePage]atomic.Pointer[socket]))
	}
	t.pages.Store(&pages)
	return &pages
}

// each calls fn for every conn of l.
func (t *table) each(l *Loop, fn func(*socket)) {
	pages := t.pages.Load()
	if pages == nil {
		return
	}
	for _, page := range *pages {
		for i := range page {
			if s := page[i].Load(); s != nil && s.loop == l {
				fn(s)
			}
		}
	}
}
