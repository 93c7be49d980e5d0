package admission

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// model is the queue as a newcomer would write it after the package comment: all
// slices, every answer by looking at everything.
type model struct {
	config  Config
	bands   [bands]modelBand
	running []*Item
	mean    time.Duration
}

type modelBand struct {
	fresh, served []*modelClient
	inARow        int
	least         time.Duration
	until         time.Time
	standing      bool
}

type modelClient struct {
	key     string
	deficit int
	items   []*Item
}

func (b *modelBand) clients() []*modelClient { return slices.Concat(b.fresh, b.served) }

func (b *modelBand) items() (all []*Item) {
	for _, c := range b.clients() {
		all = append(all, c.items...)
	}
	return all
}

func (b *modelBand) find(key string) *modelClient {
	for _, c := range b.clients() {
		if c.key == key {
			return c
		}
	}
	return nil
}

func (b *modelBand) oldestImpatient() (oldest *Item) {
	for _, it := range b.items() {
		if !it.Patient && (oldest == nil || it.since.Before(oldest.since)) {
			oldest = it
		}
	}
	return oldest
}

func (b *modelBand) impatient() (n int) {
	for _, it := range b.items() {
		if !it.Patient {
			n++
		}
	}
	return n
}

func (m *model) waiting() (all []*Item) {
	for i := range m.bands {
		all = append(all, m.bands[i].items()...)
	}
	return all
}

func (m *model) limits() (target, interval time.Duration) {
	target, interval = m.config.Target, m.config.Interval
	if target == 0 {
		target = max(5*time.Millisecond, 5*m.mean)
	}
	if interval <= 0 {
		interval = 20 * target
	}
	return target, interval
}

func sum(items []*Item, of func(*Item) int64) (n int64) {
	for _, it := range items {
		n += of(it)
	}
	return n
}

func cost(it *Item) int64    { return it.Cost }
func runCost(it *Item) int64 { return it.RunCost }

func (m *model) offer(it *Item, now time.Time) Reason {
	c := m.config
	held := slices.Concat(m.waiting(), m.running)
	ofClient := 0
	for _, other := range held {
		if other.Client == it.Client && it.Client != "" {
			ofClient++
		}
	}
	jobs := c.Jobs
	if it.Band == Low {
		jobs = (jobs + 1) / 2
	}
	switch {
	case c.Bytes > 0 && it.Cost > c.Bytes, c.RunBytes > 0 && it.RunCost > c.RunBytes:
		return TooLarge
	case c.ClientJobs > 0 && ofClient >= c.ClientJobs:
		return Client
	case len(held) >= c.Workers+jobs:
		return Jobs
	case c.Bytes > 0 && sum(held, cost)+it.Cost > c.Bytes:
		return Bytes
	}
	m.enter(it, it.Band, now)
	return Accepted
}

func (m *model) enter(it *Item, band int, now time.Time) {
	b := &m.bands[band]
	if len(b.items()) == 0 {
		_, interval := m.limits()
		b.least, b.until, b.standing = math.MaxInt64, now.Add(interval), false
	}
	c := b.find(it.Client)
	if c == nil {
		c = &modelClient{key: it.Client, deficit: 1}
		b.fresh = append(b.fresh, c)
	}
	c.items = append(c.items, it)
}

func (m *model) remove(it *Item) {
	for i := range m.bands {
		b := &m.bands[i]
		for _, c := range b.clients() {
			c.items = slices.DeleteFunc(c.items, func(other *Item) bool { return other == it })
		}
		b.fresh = slices.DeleteFunc(b.fresh, func(c *modelClient) bool { return len(c.items) == 0 })
		if len(b.items()) == 0 {
			b.fresh, b.served, b.inARow = nil, nil, 0
		}
	}
}

func (m *model) expire(now time.Time) (dropped []*Item) {
	for _, it := range m.waiting() {
		if !it.Expires.IsZero() && !now.Before(it.Expires) {
			dropped = append(dropped, it)
		}
	}
	for _, it := range dropped {
		m.remove(it)
	}
	return dropped
}

func (m *model) turns(it *Item) int {
	if m.config.TurnBytes <= 0 {
		return 1
	}
	return int(min(1+(it.Cost+it.RunCost)/m.config.TurnBytes, 16))
}

func (m *model) take(now time.Time) (*Item, []*Item) {
	dropped := m.expire(now)
	target, interval := m.limits()
	for i := range m.bands {
		b := &m.bands[i]
		if target < 0 || b.impatient() <= m.config.Workers {
			b.least, b.until, b.standing = math.MaxInt64, now.Add(interval), false
		} else {
			b.least = min(b.least, now.Sub(b.oldestImpatient().since))
			if !now.Before(b.until) {
				b.standing = b.least > target
				b.least, b.until = math.MaxInt64, now.Add(interval)
			}
		}
		for b.standing {
			oldest := b.oldestImpatient()
			if b.impatient() <= m.config.Workers || now.Sub(oldest.since) <= 2*target {
				break
			}
			dropped = append(dropped, oldest)
			m.remove(oldest)
		}
		if len(b.items()) == 0 {
			continue
		}
		c, it := m.next(b)
		if m.config.RunBytes > 0 && sum(m.running, runCost)+it.RunCost > m.config.RunBytes {
			return nil, dropped
		}
		c.deficit = max(0, c.deficit-m.turns(it))
		b.inARow++
		if j := slices.Index(b.fresh, c); j >= 0 {
			b.fresh = slices.Delete(b.fresh, j, j+1)
			b.served = append(b.served, c)
		} else {
			b.inARow = 0
		}
		m.remove(it)
		m.running = append(m.running, it)
		return it, dropped
	}
	return nil, dropped
}

func (m *model) next(b *modelBand) (*modelClient, *Item) {
	alone := 0
	for _, c := range b.clients() {
		if len(c.items) > 0 {
			alone++
		}
	}
	for {
		ring := &b.served
		if len(b.fresh) > 0 && (b.inARow < 8 || len(b.served) == 0) {
			ring = &b.fresh
		}
		c := (*ring)[0]
		if len(c.items) == 0 {
			*ring = (*ring)[1:]
			continue
		}
		it := c.items[0]
		if b.standing {
			it = c.items[len(c.items)-1]
		}
		if c.deficit >= m.turns(it) || alone == 1 {
			return c, it
		}
		c.deficit++
		*ring = (*ring)[1:]
		b.served = append(b.served, c)
	}
}

func (m *model) done(it *Item, ran time.Duration) {
	m.running = slices.DeleteFunc(m.running, func(other *Item) bool { return other == it })
	if m.mean == 0 {
		m.mean = ran
	}
	m.mean += (ran - m.mean) / 8
}

// check compares what the queue says of itself with what is so.
func (m *model) check(q *Queue, now time.Time) error {
	waiting := m.waiting()
	switch {
	case q.Waiting() != len(waiting):
		return fmt.Errorf("waiting: %d, want %d", q.Waiting(), len(waiting))
	case q.Running() != len(m.running):
		return fmt.Errorf("running: %d, want %d", q.Running(), len(m.running))
	case q.Bytes() != sum(waiting, cost)+sum(m.running, cost):
		return fmt.Errorf("bytes: %d, want %d", q.Bytes(), sum(waiting, cost)+sum(m.running, cost))
	case q.RunBytes() != sum(m.running, runCost):
		return fmt.Errorf("run bytes: %d, want %d", q.RunBytes(), sum(m.running, runCost))
	case len(q.Items()) != len(waiting):
		return fmt.Errorf("items: %d, want %d", len(q.Items()), len(waiting))
	}
	var next time.Time
	var oldest time.Duration
	clients := make(map[string]bool)
	for _, it := range waiting {
		if !it.Waiting() || !slices.Contains(q.Items(), it) {
			return fmt.Errorf("item %v does not wait", it.Value)
		}
		if !it.Expires.IsZero() && (next.IsZero() || it.Expires.Before(next)) {
			next = it.Expires
		}
		oldest = max(oldest, now.Sub(it.arrived))
		clients[it.Client] = true
	}
	for _, it := range m.running {
		if it.Waiting() {
			return fmt.Errorf("item %v waits and runs", it.Value)
		}
		clients[it.Client] = true
	}
	delete(clients, "")
	if len(q.held) != len(clients) {
		return fmt.Errorf("%d clients are counted, want %d", len(q.held), len(clients))
	}
	standing := false
	for i := range m.bands {
		b, mine := &q.bands[i], &m.bands[i]
		if len(b.clients) != len(mine.clients()) {
			return fmt.Errorf("band %d knows %d clients, want %d", i, len(b.clients), len(mine.clients()))
		}
		if most := 2*(m.config.Workers+m.config.Jobs) + 2*maxFresh; len(b.clients) > most {
			return fmt.Errorf("band %d remembers %d clients", i, len(b.clients))
		}
		standing = standing || mine.standing && mine.impatient() > m.config.Workers
	}
	switch {
	case !q.NextExpiry().Equal(next):
		return fmt.Errorf("next expiry: %v, want %v", q.NextExpiry(), next)
	case q.Oldest(now) != oldest:
		return fmt.Errorf("oldest: %v, want %v", q.Oldest(now), oldest)
	case q.Standing() != standing:
		return fmt.Errorf("standing: %v, want %v", q.Standing(), standing)
	}
	return nil
}
