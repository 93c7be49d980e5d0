package hub

import (
	"container/heap"
	"crypto/rand"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// MemoryConfig holds what a Memory needs to know.
type MemoryConfig struct {
	// Options returns the options of a channel, of which those of the history
	// count. Default: the zero Options for all.
	Options func(channel string) Options

	// MaxChannels bounds the channels that are kept. Zero is no bound.
	MaxChannels int

	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Memory is the Broker of a single process. A channel is there as long as there
// is something in its history, or somebody watches it or is present. For another
// HistoryAge after it was last used its epoch and top are kept, unless MaxChannels
// wants room: otherwise who comes back could not know that nothing was missed. Then
// it costs nothing. What is published and no history is to keep, in a channel
// that is not there, has no place: its Receipt is zero.
//
// Safe for concurrent use.
type Memory struct {
	config MemoryConfig
	events Events
	seed   maphash.Seed
	shards [shards]memoryShard
	budget *Budget
	count  atomic.Int64
	uses   atomic.Uint64 // of channels
	once   sync.Once     // for stop
	stop   chan struct{}
	done   chan struct{}
}

// memoryShard is a part of the channels.
type memoryShard struct {
	mu     sync.Mutex
	named  map[string]*log
	most   int         // of named, since it was made
	old    dueLogs     // those with a history, by when the oldest message is due
	unused dueLogs     // those that nothing keeps, by when they are to be dropped
	recent recent      // by when they were used
	one    [1]*Message // to be told
	closed bool
}

// log is a channel: its last messages, and who is present.
type log struct {
	name     string
	epoch    string
	top      uint64
	messages []*Message // the last ones, oldest first
	bytes    int
	keys     map[scopedKey]Position // of messages
	members  map[string]Member      // by client
	watched  bool
	keep     keep
	used     time.Time // when it was last published in or watched

	use           uint64   // when it was used, as a number of Memory.uses
	before, after *log     // of recent
	queue         *dueLogs // in which it is
	at            time.Time
	index         int
}

// scopedKey is a key with whose it is.
type scopedKey struct{ scope, key string }

// keep is what a log needs of Options.
type keep struct {
	messages int
	bytes    int
	age      time.Duration
}

// NewMemory returns an empty Memory. Its Close must be called.
func NewMemory(config MemoryConfig) *Memory {
	if config.Options == nil {
		config.Options = func(string) Options { return Options{} }
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	m := &Memory{
		config: config,
		seed:   maphash.MakeSeed(),
		budget: NewBudget(defaultBytes()),
		stop:   make(chan struct{}),
		done:   make(chan struct{}),
	}
	for i := range m.shards {
		m.shards[i].named = make(map[string]*log)
	}
	return m
}

// newEpoch returns a name for a life of something that no other life had.
func newEpoch() string { return rand.Text()[:8] }

// sweepEvery is how often what has become too old is looked for. Until then it
// takes memory, but nobody gets it.
const sweepEvery = time.Second

// Start implements [Broker].
func (m *Memory) Start(e Events, b *Budget) error {
	m.events, m.budget = e, b
	b.OnFull(m.evict)
	go func() { // ends with Close
		defer close(m.done)
		tick := time.NewTicker(sweepEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				m.Sweep()
			case <-m.stop:
				return
			}
		}
	}()
	return nil
}

// Close implements [Broker].
func (m *Memory) Close() error {
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
	}
	m.once.Do(func() { close(m.stop) })
	if m.events != nil {
		<-m.done
	}
	return nil
}

func (m *Memory) shard(channel string) *memoryShard {
	return &m.shards[maphash.String(m.seed, channel)%shards]
}

// Channels implements [Broker].
func (m *Memory) Channels() int { return int(m.count.Load()) }

// openCost is what open takes of the budget, if it makes the channel.
func openCost(channel string) int64 { return logCost + block(len(channel)) }

// open returns a channel, made if need be. The caller holds the shard's lock, and has
// taken room for the channel, of which it gets back what was not needed.
func (m *Memory) open(s *memoryShard, channel string) (l *log, spare int64, err error) {
	spare = openCost(channel)
	if s.closed {
		return nil, spare, errClosed
	}
	if l := s.named[channel]; l != nil {
		return l, spare, nil
	}
	if !m.countOne(s) {
		return nil, spare, &Error{Code: TooMany, Text: "there are as many channels as there may be", RetryAfter: time.Minute}
	}
	channel = strings.Clone(channel) // of a request, perhaps
	o := m.config.Options(channel).withDefaults()
	l = &log{name: channel, epoch: newEpoch(), keep: keep{o.HistoryMessages, o.HistoryBytes, o.HistoryAge}}
	s.named[channel] = l
	s.most = max(s.most, len(s.named))
	return l, 0, nil
}

// countOne counts a channel more, if there may be one, in the place of one that is
// not used if need be. The caller holds the shard's lock.
func (m *Memory) countOne(s *memoryShard) bool {
	if n := m.count.Add(1); m.config.MaxChannels == 0 || n <= int64(m.config.MaxChannels) {
		return true
	}
	if s.dropUnused(m) {
		return true
	}
	for i := range m.shards {
		other := &m.shards[i]
		if other != s && other.mu.TryLock() { // nobody waits with a lock held
			dropped := other.dropUnused(m)
			other.mu.Unlock()
			if dropped {
				return true
			}
		}
	}
	m.count.Add(-1)
	return false
}

// dropUnused drops a channel that is not used, and reports whether there was one.
// The caller holds the lock.
func (s *memoryShard) dropUnused(m *Memory) bool {
	if len(s.unused) == 0 {
		return false
	}
	m.drop(s, s.unused[0])
	return true
}

// settle queues a channel for what is to happen to it next. The caller holds the
// shard's lock.
func (m *Memory) settle(s *memoryShard, l *log, now time.Time) {
	switch {
	case len(l.messages) > 0:
		if l.queue != &s.old {
			l.leave()
			l.enter(&s.old, l.messages[0].Time.Add(l.keep.age))
		}
	case l.watched || len(l.members) > 0:
		l.leave()
	default:
		l.leave()
		if until := l.used.Add(l.keep.age); until.After(now) {
			l.enter(&s.unused, until)
		} else {
			m.drop(s, l)
		}
	}
}

// drop drops a channel. The caller holds the shard's lock.
func (m *Memory) drop(s *memoryShard, l *log) {
	l.leave()
	s.recent.remove(l)
	m.budget.Give(openCost(l.name))
	delete(s.named, l.name)
	s.named, s.most = shrink(s.named, s.most)
	m.count.Add(-1)
}

// Publish implements [Broker].
func (m *Memory) Publish(batch []Publication, done func([]Result)) {
	results := make([]Result, len(batch))
	now := m.config.Now()
	for i := range batch {
		results[i] = m.publish(&batch[i], now)
	}
	done(results)
}

func (m *Memory) publish(p *Publication, now time.Time) Result {
	message := m.budget.Message(*p, Position{}, now)
	spare := message.cost() + openCost(p.Channel)
	if !m.budget.Take(spare) {
		return Result{Err: errFull}
	}
	defer func() { m.budget.Give(spare) }()
	s := m.shard(p.Channel)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return Result{Err: errClosed}
	}
	if s.named[p.Channel] == nil && m.config.Options(p.Channel).HistoryMessages < 0 {
		// Nobody watches it by its name; perhaps by a pattern.
		m.tell(s, message)
		return Result{}
	}
	l, unused, err := m.open(s, p.Channel)
	if err != nil {
		return Result{Err: err}
	}
	spare -= openCost(p.Channel) - unused
	m.expire(l, now)
	m.use(s, l)
	if p.Key != "" {
		if at, again := l.keys[scopedKey{p.KeyScope, p.Key}]; again {
			return Result{Receipt: Receipt{Position: at, Duplicate: true}}
		}
	}
	l.top++
	l.used = now
	message.Channel, message.Position = l.name, Position{Epoch: l.epoch, Offset: l.top}
	if l.keep.messages > 0 {
		spare -= message.cost()
		m.add(l, message)
	}
	m.settle(s, l, now)
	m.tell(s, message)
	return Result{Receipt: Receipt{Position: message.Position}}
}

// tell tells of a message. The caller holds the shard's lock.
func (m *Memory) tell(s *memoryShard, message *Message) {
	s.one[0] = message
	m.events.Messages(message.Channel, s.one[:])
	s.one[0] = nil
}

// add puts a message into the history of a channel, for which the caller has taken
// room.
func (m *Memory) add(l *log, message *Message) {
	m.budget.encoded.enter(message)
	if message.Key != "" {
		if l.keys == nil {
			l.keys = make(map[scopedKey]Position)
		}
		l.keys[scopedKey{message.KeyScope, message.Key}] = message.Position
	}
	l.messages = append(l.messages, message)
	l.bytes += message.size()
	for len(l.messages) > l.keep.messages || l.bytes > l.keep.bytes {
		m.dropOldest(l)
	}
}

func (m *Memory) dropOldest(l *log) {
	message := l.messages[0]
	l.messages[0] = nil
	l.messages = l.messages[1:] // append moves what is left when it comes to the end
	l.bytes -= message.size()
	if message.Key != "" {
		delete(l.keys, scopedKey{message.KeyScope, message.Key})
	}
	m.budget.encoded.leave(message)
	m.budget.Give(message.cost())
	if len(l.messages) == 0 {
		l.messages, l.keys = nil, nil
	}
}

// expire drops what is too old.
func (m *Memory) expire(l *log, now time.Time) {
	for len(l.messages) > 0 && now.Sub(l.messages[0].Time) >= l.keep.age {
		m.dropOldest(l)
	}
}

// Sweep drops what is too old. It is done every second between Start and Close.
func (m *Memory) Sweep() {
	now := m.config.Now()
	for i := range m.shards {
		for m.sweep(&m.shards[i], now) {
		}
	}
}

// sweepAtOnce is how many channels are looked at while others wait.
const sweepAtOnce = 256

// sweep looks at channels that are due, and reports whether there are more.
func (m *Memory) sweep(s *memoryShard, now time.Time) (more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range sweepAtOnce {
		l := s.old.due(now)
		if l == nil {
			l = s.unused.due(now)
		}
		if l == nil {
			return false
		}
		m.expire(l, now)
		l.leave()
		m.settle(s, l, now)
	}
	return true
}

// Read implements [Broker].
func (m *Memory) Read(channel string, after Position, limit Limit, done func(History, error)) {
	s := m.shard(channel)
	s.mu.Lock()
	l := s.named[channel]
	var h History
	if l != nil {
		m.expire(l, m.config.Now())
		m.use(s, l)
		h = l.read(after, limit)
	} else if after.Epoch != "" {
		h.Missing = -1
	}
	s.mu.Unlock()
	done(h, nil)
}

func (l *log) read(after Position, limit Limit) (h History) {
	h.Top = Position{Epoch: l.epoch, Offset: l.top}
	oldest := l.top - uint64(len(l.messages)) // the place before the first
	start := oldest
	switch {
	case after.Epoch == "":
		h.Missing = int64(oldest)
	case after.Epoch != l.epoch:
		h.Missing = -1
	case after.Offset > l.top: // it cannot have seen what is not there
		h.Missing = -1
		start = l.top
	case after.Offset < oldest:
		h.Missing = int64(oldest - after.Offset)
	default:
		start = after.Offset
	}
	messages := l.messages[start-oldest:]
	if limit.Newest {
		messages = newest(messages, limit)
	} else {
		messages = first(messages, limit)
	}
	if limit.Newest || limit.Messages == 0 {
		skipped := l.top - uint64(len(messages)) - start
		if h.Missing >= 0 {
			h.Missing += int64(skipped)
		}
		start += skipped
	}
	h.Messages = slices.Clone(messages)
	h.Start = Position{Epoch: l.epoch, Offset: start}
	return h
}

// first returns the first messages within a limit.
func first(messages []*Message, limit Limit) []*Message {
	bytes := 0
	for i, m := range messages {
		bytes += len(m.Data)
		if i == limit.Messages || limit.Bytes > 0 && i > 0 && bytes > limit.Bytes {
			return messages[:i]
		}
	}
	return messages
}

// newest returns the last messages within a limit.
func newest(messages []*Message, limit Limit) []*Message {
	bytes := 0
	for n := 0; n < len(messages); n++ {
		bytes += len(messages[len(messages)-1-n].Data)
		if n == limit.Messages || limit.Bytes > 0 && n > 0 && bytes > limit.Bytes {
			return messages[len(messages)-n:]
		}
	}
	return messages
}

// Watch implements [Broker].
func (m *Memory) Watch(channel string, done func(error)) {
	if _, wide := prefixOf(channel); wide {
		done(nil) // everything is told anyway
		return
	}
	if !m.budget.Take(openCost(channel)) {
		done(errFull)
		return
	}
	s := m.shard(channel)
	s.mu.Lock()
	l, spare, err := m.open(s, channel)
	if err == nil {
		l.watched = true
		m.use(s, l)
		m.settle(s, l, l.used)
	}
	s.mu.Unlock()
	m.budget.Give(spare)
	done(err)
}

// Unwatch implements [Broker].
func (m *Memory) Unwatch(channel string) {
	m.change(channel, func(s *memoryShard, l *log, now time.Time) {
		l.watched = false
		l.used = now
		m.use(s, l)
	})
}

// change changes a channel that is there.
func (m *Memory) change(channel string, fn func(s *memoryShard, l *log, now time.Time)) {
	now := m.config.Now()
	s := m.shard(channel)
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.named[channel]; l != nil {
		fn(s, l, now)
		m.settle(s, l, now)
	}
}

// Enter implements [Broker]. A channel that is watched exists, and needs no room.
func (m *Memory) Enter(channel string, who Member) {
	m.change(channel, func(s *memoryShard, l *log, _ time.Time) {
		m.use(s, l)
		if l.members == nil {
			l.members = make(map[string]Member)
		}
		if _, there := l.members[who.Client]; !there {
			l.members[who.Client] = who
			m.events.Presence(channel, PresenceChange{Member: who})
		}
	})
}

// Leave implements [Broker].
func (m *Memory) Leave(channel string, who Member) {
	m.change(channel, func(s *memoryShard, l *log, _ time.Time) {
		m.use(s, l)
		if _, there := l.members[who.Client]; there {
			if delete(l.members, who.Client); len(l.members) == 0 {
				l.members = nil
			}
			m.events.Presence(channel, PresenceChange{Member: who, Left: true})
		}
	})
}

// Members implements [Broker].
func (m *Memory) Members(channel string, limit int, done func(members []Member, total int, err error)) {
	var members []Member
	total := 0
	s := m.shard(channel)
	s.mu.Lock()
	if l := s.named[channel]; l != nil {
		total = len(l.members)
		for _, who := range l.members {
			if len(members) == limit {
				break
			}
			members = append(members, who)
		}
	}
	s.mu.Unlock()
	done(members, total, nil)
}

// Forget implements [Broker].
func (m *Memory) Forget(channel string) {
	m.change(channel, func(_ *memoryShard, l *log, _ time.Time) {
		for len(l.messages) > 0 {
			m.dropOldest(l)
		}
		l.epoch, l.top, l.used = newEpoch(), 0, time.Time{}
	})
}

// dueLogs are logs by when they are due, for package heap.
type dueLogs []*log

// due returns the first, if it is due.
func (d dueLogs) due(now time.Time) *log {
	if len(d) == 0 || d[0].at.After(now) {
		return nil
	}
	return d[0]
}

// enter and leave change the queue a log is in.
func (l *log) enter(d *dueLogs, at time.Time) {
	l.queue, l.at = d, at
	heap.Push(d, l)
}

func (l *log) leave() {
	if l.queue != nil {
		heap.Remove(l.queue, l.index)
		l.queue = nil
	}
}

func (d dueLogs) Len() int           { return len(d) }
func (d dueLogs) Less(i, j int) bool { return d[i].at.Before(d[j].at) }
func (d dueLogs) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].index, d[j].index = i, j
}
func (d *dueLogs) Push(x any) {
	l := x.(*log)
	l.index = len(*d)
	*d = append(*d, l)
}
func (d *dueLogs) Pop() any {
	old := *d
	l := old[len(old)-1]
	old[len(old)-1] = nil
	*d = old[:len(old)-1]
	if cap(old) > 128 && len(*d) < cap(old)/4 {
		*d = slices.Clone(*d)
	}
	return l
}
