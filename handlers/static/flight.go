package static

import (
	"errors"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/executor"
	"github.com/gale-server/gale/handlers"
)

// flight is a look at the disk that is under way, for everybody who asks for the same
// path meanwhile.
//
// Safe for concurrent use: guarded by the cache's lock.
type flight struct {
	key        string
	background bool // it goes on without anybody who waits
	visits     map[*pending]struct{}
}

// pending is a visit that waits for a flight, or did.
//
// Loop-owned: call only from its event loop.
type pending struct {
	visit
	flight *flight
	gone   bool          // the client is
	next   asgi.Receiver // of the answer
}

// Receive implements asgi.Receiver.
func (p *pending) Receive(ev asgi.ReceiveEvent) {
	if p.next != nil {
		p.next.Receive(ev)
		return
	}
	if _, ok := ev.(*asgi.HTTPDisconnect); ok && !p.gone {
		p.gone = true
		p.h.cache.mu.Lock()
		delete(p.flight.visits, p)
		p.h.cache.mu.Unlock()
	}
}

// wait has v answered when the disk has been looked at.
func (h *Handler) wait(v visit, key string) asgi.Receiver {
	p := &pending{visit: v}
	c := &h.cache
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		v.fail(errClosed)
		return nil
	}
	f := c.flights[key]
	first := f == nil
	if first {
		f = h.takeOff(key)
	}
	p.flight = f
	f.visits[p] = struct{}{}
	c.mu.Unlock()
	if first {
		h.fly(f, handlers.NetworkOf(v.scope))
	}
	return p
}

// refresh looks at the disk for whoever comes next.
func (h *Handler) refresh(key string) {
	c := &h.cache
	c.mu.Lock()
	if c.closed || c.flights[key] != nil {
		c.mu.Unlock()
		return
	}
	f := h.takeOff(key)
	f.background = true
	c.mu.Unlock()
	h.fly(f, "")
}

// takeOff begins a flight. The caller holds the cache's lock.
func (h *Handler) takeOff(key string) *flight {
	f := &flight{key: key, visits: make(map[*pending]struct{})}
	h.cache.flights[key] = f
	h.flying.Add(1)
	return f
}

func (h *Handler) fly(f *flight, client string) {
	h.disk.run(client,
		func() { h.look(f) },
		func(err error) { h.land(f, nil, time.Time{}, err) })
}

// look looks at the disk, where that may wait.
func (h *Handler) look(f *flight) {
	c := &h.cache
	c.mu.Lock()
	if !f.background && len(f.visits) == 0 {
		delete(c.flights, f.key)
		c.mu.Unlock()
		h.flying.Done()
		return
	}
	old := c.entries[f.key]
	if old != nil {
		old.refs.Add(1)
		defer old.release()
	}
	c.mu.Unlock()
	now := time.Now()
	e, err := h.load(f.key, old)
	if outOfFiles(err) {
		c.closeFiles()
		e, err = h.load(f.key, nil)
	}
	h.land(f, e, now, err)
}

// land ends a flight: e, of which the caller's reference is taken, is known from now
// on, and everybody who waits is told. Only the first call counts.
func (h *Handler) land(f *flight, e *entry, checked time.Time, err error) {
	c := &h.cache
	c.mu.Lock()
	if c.flights[f.key] != f {
		c.mu.Unlock()
		return
	}
	delete(c.flights, f.key)
	visits := f.visits
	f.visits = nil // who leaves from now on is told all the same
	if err == nil {
		c.put(e, checked)
		e.refs.Add(int32(len(visits)))
		defer e.release()
	}
	c.mu.Unlock()
	defer h.flying.Done()
	if err != nil && !isRefusal(err) {
		h.log.Error("static: a file cannot be read", "path", f.key, "error", err)
	}
	for p := range visits {
		if !asgi.PostOwed(p.x, func() { p.resume(e, err) }) && err == nil {
			e.release()
		}
	}
}

// resume goes on with a visit, on its loop. It takes the reference to e.
func (p *pending) resume(e *entry, err error) {
	switch {
	case p.gone && err == nil:
		e.release()
	case p.gone:
	case err != nil:
		p.fail(err)
	default:
		p.next = p.h.answer(p.visit, e)
	}
}

// isRefusal reports whether err says that nobody has looked at the disk.
func isRefusal(err error) bool {
	return errors.Is(err, errBusy) || errors.Is(err, errClosed) ||
		errors.Is(err, executor.ErrSaturated) || errors.Is(err, executor.ErrClosed)
}
