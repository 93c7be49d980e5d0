package admission

import "time"

// Config bounds a Queue. A limit of zero or less is none, but for Jobs.
type Config struct {
	Workers    int           // jobs that run at the same time
	Jobs       int           // jobs that wait while every worker is busy; at least 0
	Bytes      int64         // Cost of what waits and runs
	RunBytes   int64         // RunCost of what runs
	ClientJobs int           // jobs of one client that wait and run
	TurnBytes  int64         // Cost and RunCost that one turn pays for
	Target     time.Duration // see the package comment; 0: from the run times; negative: no queue stands
	Interval   time.Duration // 0: from the target
}

// maxTurns bounds the turns a job takes, however large it is.
const maxTurns = 16

// Queue holds the jobs of a class that wait, and counts those that run.
//
// Not safe for concurrent use.
type Queue struct {
	config    Config
	bands     [bands]band
	arrivals  list
	expiries  expiries
	held      map[string]int // jobs per client, waiting and running; "" is not counted
	bytes     int64
	runBytes  int64
	running   int
	blocked   bool
	meanRun   time.Duration
	discarded []*Item // the buffer Take and Expire return
}

// New returns an empty queue.
func New(c Config) *Queue {
	return &Queue{config: c, held: make(map[string]int)}
}

// SetWorkers says how many jobs may run from now on.
func (q *Queue) SetWorkers(n int) { q.config.Workers = n }

// Offer accepts the item or says why not.
func (q *Queue) Offer(it *Item, now time.Time) Reason {
	if why := q.judge(it); why != Accepted {
		return why
	}
	if it.Client != "" {
		q.held[it.Client]++
	}
	q.bytes += it.Cost
	q.blocked = false // this one may be next
	it.arrived = now
	q.arrivals.push(it, ofArrival)
	if !it.Expires.IsZero() {
		q.expiries.push(it)
	}
	q.enter(it, now)
	return Accepted
}

func (q *Queue) judge(it *Item) Reason {
	c := &q.config
	jobs := c.Jobs
	if it.Band == Low {
		jobs = (jobs + 1) / 2 // what waits at leisure may not close the class to others
	}
	switch {
	case c.Bytes > 0 && it.Cost > c.Bytes, c.RunBytes > 0 && it.RunCost > c.RunBytes:
		return TooLarge
	case c.ClientJobs > 0 && it.Client != "" && q.held[it.Client] >= c.ClientJobs:
		return Client
	case q.arrivals.n+q.running >= c.Workers+jobs:
		return Jobs
	case c.Bytes > 0 && it.Cost > c.Bytes-q.bytes:
		return Bytes
	}
	return Accepted
}

func (q *Queue) enter(it *Item, now time.Time) {
	it.since = now
	b := &q.bands[it.Band]
	if b.waiting == 0 {
		_, interval := q.limits()
		b.delays.reset(now, interval)
	}
	b.push(it)
}

// leave takes an item out of what waits. It still holds its bytes.
func (q *Queue) leave(it *Item) {
	q.arrivals.remove(it, ofArrival)
	if it.heapAt > 0 {
		q.expiries.remove(it)
	}
}

// Take moves the item that runs next from what waits to what runs; nil if there
// is none, or none that fits beside what runs. Items that have waited too long
// are dropped on the way; the slice is valid until the next call.
func (q *Queue) Take(now time.Time) (it *Item, dropped []*Item) {
	dropped = q.Expire(now)
	q.blocked = false
	for i := range q.bands {
		b := &q.bands[i]
		dropped = q.shorten(b, now, dropped)
		if b.waiting == 0 {
			continue
		}
		it = b.next(q.turns)
		if q.config.RunBytes > 0 && it.RunCost > q.config.RunBytes-q.runBytes {
			q.blocked = true // it goes first all the same, or the largest would never run
			return nil, dropped
		}
		b.take(it, q.turns(it))
		q.leave(it)
		q.running++
		q.runBytes += it.RunCost
		return it, dropped
	}
	return nil, dropped
}

// shorten drops from a queue that stands what has waited for too long. What the
// workers take in one go is no queue, however long it has waited for them: to drop
// that would leave them idle (RFC 8289, section 4.2, has one packet for it).
func (q *Queue) shorten(b *band, now time.Time, dropped []*Item) []*Item {
	target, interval := q.limits()
	if target < 0 || b.impatient.n <= q.config.Workers {
		b.delays.reset(now, interval)
		return dropped
	}
	b.delays.look(now, now.Sub(b.impatient.head.since), target, interval)
	for b.delays.standing && b.impatient.n > q.config.Workers && now.Sub(b.impatient.head.since) > 2*target {
		dropped = q.discard(b.impatient.head, Standing, dropped)
	}
	return dropped
}

// Expire drops the items whose time to wait is over; the slice is valid until the
// next call.
func (q *Queue) Expire(now time.Time) (dropped []*Item) {
	clear(q.discarded)
	dropped = q.discarded[:0]
	for len(q.expiries) > 0 && !now.Before(q.expiries[0].Expires) {
		dropped = q.discard(q.expiries[0], Expired, dropped)
	}
	return dropped
}

func (q *Queue) discard(it *Item, why Reason, dropped []*Item) []*Item {
	it.Reason = why
	q.Remove(it)
	q.discarded = append(dropped, it)
	return q.discarded
}

// NextExpiry returns when Expire has something to do; zero: never.
func (q *Queue) NextExpiry() time.Time {
	if len(q.expiries) == 0 {
		return time.Time{}
	}
	return q.expiries[0].Expires
}

// Remove takes a waiting item out and frees what it held. It reports whether the
// item was waiting.
func (q *Queue) Remove(it *Item) bool {
	if !it.Waiting() {
		return false
	}
	q.bands[it.Band].remove(it)
	q.leave(it)
	q.free(it)
	q.blocked = false // another may be next now
	return true
}

// Promote moves a waiting item to the end of a higher band.
func (q *Queue) Promote(it *Item, band int, now time.Time) {
	if !it.Waiting() || band >= it.Band {
		return
	}
	q.bands[it.Band].remove(it)
	it.Band = band
	q.enter(it, now)
	q.blocked = false
}

// Done says that an item that was taken has run for some time, and frees what it
// held.
func (q *Queue) Done(it *Item, ran time.Duration) {
	q.running--
	q.runBytes -= it.RunCost
	q.blocked = false
	q.free(it)
	const memory = 8 // jobs after which the mean has mostly forgotten one
	if q.meanRun == 0 {
		q.meanRun = ran
	}
	q.meanRun += (ran - q.meanRun) / memory
}

func (q *Queue) free(it *Item) {
	q.bytes -= it.Cost
	if it.Client == "" {
		return
	}
	if q.held[it.Client]--; q.held[it.Client] == 0 {
		delete(q.held, it.Client)
	}
}

// turns is how many turns of its client a job takes.
func (q *Queue) turns(it *Item) int {
	if q.config.TurnBytes <= 0 {
		return 1
	}
	return int(min(1+(it.Cost+it.RunCost)/q.config.TurnBytes, maxTurns))
}

// Waiting, Running, Bytes and RunBytes return what the limits are about.
func (q *Queue) Waiting() int    { return q.arrivals.n }
func (q *Queue) Running() int    { return q.running }
func (q *Queue) Bytes() int64    { return q.bytes }
func (q *Queue) RunBytes() int64 { return q.runBytes }

// Blocked reports that jobs wait, but that the next one does not fit beside what
// runs.
func (q *Queue) Blocked() bool { return q.blocked }

// Standing reports whether the queue of any band stands.
func (q *Queue) Standing() bool {
	for i := range q.bands {
		if b := &q.bands[i]; b.impatient.n > q.config.Workers && b.delays.standing {
			return true
		}
	}
	return false
}

// MeanRun returns how long jobs run, of late.
func (q *Queue) MeanRun() time.Duration { return q.meanRun }

// Oldest returns how long the job that came first has waited.
func (q *Queue) Oldest(now time.Time) time.Duration {
	if q.arrivals.n == 0 {
		return 0
	}
	return now.Sub(q.arrivals.head.arrived)
}

// Position returns the place of a waiting item in the order of starting, from 1;
// see [band.ahead]. It costs time in proportion to the client's waiting jobs and
// to the clients. It is 0 for an item that does not wait.
func (q *Queue) Position(it *Item) int {
	if !it.Waiting() {
		return 0
	}
	n := 1
	for i := range it.Band {
		n += q.bands[i].waiting
	}
	return n + q.bands[it.Band].ahead(it)
}

// Items returns what waits, in order of arrival.
func (q *Queue) Items() []*Item {
	all := make([]*Item, 0, q.arrivals.n)
	for it := q.arrivals.head; it != nil; it = it.links[ofArrival].next {
		all = append(all, it)
	}
	return all
}
