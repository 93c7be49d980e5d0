package asgitest

import "time"

// clock is the time of one exchange, counted from its opening.
type clock struct {
	now    time.Duration
	timers []*timer
}

type timer struct {
	clock *clock
	due   time.Duration
	fn    func()
}

func (c *clock) add(d time.Duration, fn func()) *timer {
	t := &timer{clock: c, due: c.now + max(d, 0), fn: fn}
	c.timers = append(c.timers, t)
	return t
}

// next removes the earliest timer due by until, moves the clock to it and
// returns its function. Timers of the same instant fire in the order they were
// set.
func (c *clock) next(until time.Duration) (fn func(), ok bool) {
	first := -1
	for i, t := range c.timers {
		if t.due <= until && (first < 0 || t.due < c.timers[first].due) {
			first = i
		}
	}
	if first < 0 {
		return nil, false
	}
	t := c.timers[first]
	t.Stop()
	c.now = max(c.now, t.due)
	return t.fn, true
}

func (c *clock) stop() { c.timers = nil }

// Stop implements [asgi.Timer].
func (t *timer) Stop() bool {
	if t.clock == nil {
		return false
	}
	for i, other := range t.clock.timers {
		if other == t {
			t.clock.timers = append(t.clock.timers[:i:i], t.clock.timers[i+1:]...)
			return true
		}
	}
	return false
}
