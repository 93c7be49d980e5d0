package hub

import (
	"sync/atomic"
	"time"
)

// Budget bounds the bytes that a hub takes, of which each account has a share that
// is its own: what is kept (messages of histories with their keys and tags, channels,
// subscriptions, members) three quarters, messages that wait for loops an eighth,
// and what transports have encoded an eighth.
//
// What something costs is what it takes of the heap, and a little more: see
// Message.cost. What connections hold is bounded by their outboxes and not counted.
//
// Safe for concurrent use.
type Budget struct {
	kept     account
	waiting  account
	encoded  encodings
	makeRoom func() bool // of kept; see OnFull
	evicted  atomic.Uint64
}

// NewBudget returns a budget of so many bytes.
func NewBudget(bytes int64) *Budget {
	b := &Budget{}
	b.waiting.most, b.encoded.most = bytes/8, bytes/8
	b.kept.most = bytes - b.waiting.most - b.encoded.most
	return b
}

// OnFull says how room is made when what is kept comes to its bound. It is called
// before anything else, by a broker. makeRoom gives back some of what was taken, and
// reports whether it could. It is called by Take.
func (b *Budget) OnFull(makeRoom func() bool) { b.makeRoom = makeRoom }

// Take takes bytes to keep something in, or reports that there is no room for it. No
// lock is held that makeRoom needs. Give gives them back.
func (b *Budget) Take(bytes int64) bool {
	if bytes > b.kept.most {
		return false // whatever made room
	}
	for !b.kept.take(bytes) {
		if b.makeRoom == nil || !b.makeRoom() {
			return false
		}
	}
	return true
}

// Give gives back what was taken.
func (b *Budget) Give(bytes int64) { b.kept.give(bytes) }

// Bytes are the bytes that are taken, and the most that there may be.
func (b *Budget) Bytes() (used, most int64) {
	for _, a := range []*account{&b.kept, &b.waiting, &b.encoded.account} {
		used += a.used.Load()
		most += a.most
	}
	return used, most
}

// account is a number of bytes that is never above a bound.
//
// Safe for concurrent use.
type account struct {
	most int64
	used atomic.Int64
}

func (a *account) take(bytes int64) bool {
	for {
		used := a.used.Load()
		if used+bytes > a.most {
			return false
		}
		if a.used.CompareAndSwap(used, used+bytes) {
			return true
		}
	}
}

func (a *account) give(bytes int64) { a.used.Add(-bytes) }

// wait takes what messages cost that wait for one local more, or reports that there is no
// room for it.
func (b *Budget) wait(batch []*Message) bool {
	for i, m := range batch {
		if !b.waitOne(m) {
			b.handedOut(batch[:i])
			return false
		}
	}
	return true
}

// waitOne counts a local that a message waits for. The first one takes what the message
// costs, for it is shared, and each its place in a batch. Of a message that is not the
// budget's, which may wait in other hubs too, each local takes all.
func (b *Budget) waitOne(m *Message) bool {
	if m.budget != b {
		return b.waiting.take(m.cost() + waitingCost)
	}
	for {
		waits, cost := m.waits.Load(), int64(waitingCost)
		if waits == 0 {
			cost += m.cost()
		}
		if !b.waiting.take(cost) {
			return false
		}
		if m.waits.CompareAndSwap(waits, waits+1) {
			return true
		}
		b.waiting.give(cost)
	}
}

// handedOut gives back what wait took.
func (b *Budget) handedOut(batch []*Message) {
	var bytes int64
	for _, m := range batch {
		bytes += waitingCost
		if m.budget != b || m.waits.Add(-1) == 0 {
			bytes += m.cost()
		}
	}
	b.waiting.give(bytes)
}

var errFull = &Error{Code: TooMany, Text: "the hub has no room for this", RetryAfter: 5 * time.Second}

// What things cost beside their strings: the structs, and their places in maps,
// lists and slices.
const (
	messageCost      = 216 // and its place in the history
	keyCost          = 136
	tagsCost         = 352
	tagCost          = 72
	logCost          = 360
	topicCost        = 256
	localCost        = 320
	subscriptionCost = 384
	memberCost       = 232
	encodingCost     = 136
	waitingCost      = 16 // a pointer, in a slice that grows
	presenceCost     = 128
)

// cost is what a message takes while it is in a history, or waits.
func (m *Message) cost() int64 {
	n := messageCost + block(cap(m.Data)) + block(len(m.Key)) + block(len(m.KeyScope)) + block(len(m.Publisher))
	if m.Key != "" {
		n += keyCost
	}
	if m.Tags != nil {
		n += tagsCost
	}
	for name, value := range m.Tags {
		n += tagCost + block(len(name)) + block(len(value))
	}
	return n
}

func (who *Member) cost() int64 {
	return memberCost + block(len(who.Client)) + block(len(who.User)) + block(cap(who.Info))
}

func (c *PresenceChange) cost() int64 { return presenceCost + int64(len(c.Member.Info)) }

// block is what the allocator takes for so many bytes: its size classes are an eighth
// apart at most, and above 32 KiB there are pages.
func block(n int) int64 {
	switch {
	case n == 0:
		return 0
	case n <= 128:
		return int64(n+15) &^ 15
	case n <= 32<<10:
		return int64(n + n/8)
	}
	return (int64(n) + 8191) &^ 8191
}
