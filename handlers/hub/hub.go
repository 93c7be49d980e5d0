package hub

import (
	"hash/maphash"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/internal/rate"
)

// Hub passes what is published in channels to those who subscribe.
//
// Safe for concurrent use.
type Hub struct {
	config  Config
	broker  Broker
	seed    maphash.Seed
	topics  [shards]topics
	wide    topics              // those of patterns
	rates   *rate.Table[string] // of publications, by channel
	senders *rate.Table[Sender] // and by who publishes
	stats   stats
	budget  *Budget

	revocations revocations

	mu     sync.Mutex
	feeds  map[asgi.Loop]*feed
	users  map[string]map[*Client]struct{}
	last   uint64 // of clients' ids
	born   string // what the ids of this process begin with
	closed bool
}

const shards = 64

// New returns a hub, or an error when the config makes no sense.
func New(config Config) (*Hub, error) {
	c, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	if c.Broker == nil {
		c.Broker = NewMemory(MemoryConfig{
			Options:     func(channel string) Options { return optionsOf(c.Channels, channel) },
			MaxChannels: c.MaxChannels,
			Now:         c.Now,
		})
	}
	h := &Hub{
		config:  c,
		broker:  c.Broker,
		seed:    maphash.MakeSeed(),
		rates:   rate.NewTable[string](c.MaxRates),
		budget:  NewBudget(c.MaxBytes),
		senders: rate.NewTable[Sender](c.MaxRates),
		feeds:   make(map[asgi.Loop]*feed),
		users:   make(map[string]map[*Client]struct{}),
		born:    newEpoch(),
	}
	h.revocations.age, h.revocations.most = c.RevocationAge, c.MaxRevocations
	for i := range h.topics {
		h.topics[i].budget = h.budget
	}
	h.wide.budget = h.budget
	if err := h.broker.Start((*events)(h), h.budget); err != nil {
		return nil, err
	}
	return h, nil
}

var errClosed = &Error{Code: Draining, Text: "the server is about to stop"}

// Close ends every client with Draining, on its loop, and the broker. Nothing is
// published any more. It waits for the broker only, and may be called more than
// once.
func (h *Hub) Close() error {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return nil
	}
	h.closed = true
	feeds := make([]*feed, 0, len(h.feeds))
	for _, f := range h.feeds {
		feeds = append(feeds, f)
	}
	h.mu.Unlock()
	for _, f := range feeds {
		f.loop.Post(func() { f.closeClients(errClosed) })
	}
	return h.broker.Close()
}

// Options returns the options of a channel.
func (h *Hub) Options(channel string) Options { return optionsOf(h.config.Channels, channel) }

// Config returns what the hub was made with, with every default put in. Its map is
// shared.
func (h *Hub) Config() Config { return h.config }

// Publish publishes in the server's name. It does not wait: done, which may be
// nil, gets a result for each, before Publish returns or later, on any goroutine.
// Each publication stands for itself; those of one channel keep their order. The
// batch may be used again once Publish has returned.
func (h *Hub) Publish(batch []Publication, done func([]Result)) {
	results := make([]Result, len(batch))
	fit := make([]Publication, 0, len(batch))
	at := make([]int, 0, len(batch))
	for i := range batch {
		if err := h.check(&batch[i]); err != nil {
			results[i].Err = err
			continue
		}
		fit, at = append(fit, batch[i]), append(at, i)
	}
	finish := func(published []Result) {
		for i, r := range published {
			r.Err = asError(r.Err)
			results[at[i]] = r
			if r.Err == nil && !r.Duplicate {
				h.stats.published.Add(1)
			}
		}
		if done != nil {
			done(results)
		}
	}
	if len(fit) == 0 {
		finish(nil)
		return
	}
	h.broker.Publish(fit, finish)
}

// PublishOne publishes one message and waits for the broker; a [Memory] keeps
// nobody waiting.
func (h *Hub) PublishOne(p Publication) (Receipt, error) {
	result := make(chan Result, 1)
	h.Publish([]Publication{p}, func(r []Result) { result <- r[0] })
	r := <-result
	return r.Receipt, r.Err
}

func (h *Hub) check(p *Publication) error {
	switch {
	case !ValidChannel(p.Channel):
		return errBadChannel
	case len(p.Data) > h.config.MaxPublishBytes:
		return &Error{Code: TooLarge, Text: "a message has at most " + strconv.Itoa(h.config.MaxPublishBytes) + " bytes"}
	case p.TTL < 0:
		return &Error{Code: BadRequest, Text: "the TTL is negative"}
	case len(p.Key) > maxKeyBytes:
		return &Error{Code: TooLarge, Text: "a key has at most " + strconv.Itoa(maxKeyBytes) + " bytes"}
	case !p.isText():
		return &Error{Code: BadRequest, Text: "the key, a tag or the publisher is not UTF-8"}
	case p.tagBytes() > maxTagBytes:
		return &Error{Code: TooLarge, Text: "the tags of a message have at most " + strconv.Itoa(maxTagBytes) + " bytes"}
	}
	return nil
}

var (
	errBadChannel   = &Error{Code: BadChannel, Text: "this is no name of a channel"}
	errIllegible    = &Error{Code: BadToken, Text: "the name or the info of your identity is nothing that everybody can read"}
	errOver         = &Error{Code: Disconnected, Text: "this connection is over"}
	errDisconnected = &Error{Code: Disconnected, Text: "you were disconnected"}
	errRevoked      = &Error{Code: NotAllowed, Text: "you may no longer get this channel's messages"}
)

// History returns what a channel's history holds behind a place, but what has
// expired. done is called before History returns or later, on any goroutine.
func (h *Hub) History(channel string, after Position, limit Limit, done func(History, error)) {
	if !ValidChannel(channel) {
		done(History{}, errBadChannel)
		return
	}
	h.broker.Read(channel, after, limit, func(read History, err error) {
		now := h.config.Now()
		read.Messages = slices.DeleteFunc(read.Messages, func(m *Message) bool { return m.expired(now) })
		done(read, asError(err))
	})
}

// Members returns at most limit of those who are present in a channel, in no
// particular order, and how many there are; a negative limit is none. done is
// called as that of History.
func (h *Hub) Members(channel string, limit int, done func(members []Member, total int, err error)) {
	if !ValidChannel(channel) {
		done(nil, 0, errBadChannel)
		return
	}
	h.broker.Members(channel, limit, func(members []Member, total int, err error) { done(members, total, asError(err)) })
}

// Forget drops a channel's history. Who comes back for it gets a gap.
func (h *Hub) Forget(channel string) { h.broker.Forget(channel) }

// Disconnect ends all clients of a user in this process, and returns how many there
// were. reason is what they are told; nil is one with the code Disconnected. The user
// comes in again, over any transport, only with what was proven later: see
// Identity.Proven. Nobody in particular, who is "", cannot be disconnected.
func (h *Hub) Disconnect(user string, reason *Error) int {
	if user == "" {
		return 0
	}
	if reason == nil {
		reason = errDisconnected
	}
	h.revoke(user, "")
	clients := h.clientsOf(user)
	for _, c := range clients {
		c.post(func() { c.expel(reason) })
	}
	return len(clients)
}

// Unsubscribe ends the subscriptions to a channel, or to a pattern, of all clients of
// a user in this process, and with a channel those to patterns that it fits, with a
// pattern those to channels that fit it. reason is what they are told; nil is one with
// the code NotAllowed. The user gets messages of these channels again only with an
// identity that was proven later: see Identity.Proven.
func (h *Hub) Unsubscribe(user, channel string, reason *Error) {
	if user == "" || channel == "" {
		return
	}
	if reason == nil {
		reason = errRevoked
	}
	h.revoke(user, channel)
	for _, c := range h.clientsOf(user) {
		c.post(func() {
			for _, s := range slices.Clone(c.subs) {
				if overlap(s.Channel(), channel) {
					s.revoke(reason)
				}
			}
		})
	}
}

// revoke remembers that a user was shut out. It comes before the clients are looked
// for: who connects meanwhile is either among them, or refused.
func (h *Hub) revoke(user, channel string) {
	if h.revocations.add(user, channel, h.config.Now()) {
		h.config.Logger.Warn("more users were shut out than Config.MaxRevocations: every user with an older token needs a new one")
	}
}

func (h *Hub) clientsOf(user string) []*Client {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Collect(maps.Keys(h.users[user]))
}

// Connect makes a client of an exchange. out is called on its loop, and so must
// Connect and every method of the client be, until Close, which the transport calls
// when the exchange is over.
func (h *Hub) Connect(x asgi.Exchange, who Identity, out Outlet) (*Client, error) {
	return h.TakeOver(nil, x, who, out)
}

// TakeOver is Connect for a client that comes in the place of another one of its user,
// which may be on another loop: at a limit of clients the old one makes room. If there
// is no error, the transport of the old one closes it. nil is none.
func (h *Hub) TakeOver(old *Client, x asgi.Exchange, who Identity, out Outlet) (*Client, error) {
	loop := asgi.LoopOf(x)
	h.mu.Lock()
	defer h.mu.Unlock()
	freed := 0
	if old != nil && old.counted {
		freed = 1
	}
	switch {
	case h.closed:
		return nil, errClosed
	case !who.legible():
		return nil, errIllegible
	case h.stats.clients.Load()-int64(freed) >= int64(h.config.MaxClients):
		return nil, &Error{Code: TooMany, Text: "as many clients are here as may be"}
	case h.revoked(&who):
		return nil, errProof
	case who.User != "" && len(h.users[who.User])-freed >= h.config.MaxClientsPerUser:
		return nil, &Error{Code: TooMany, Text: "you have as many connections as you may"}
	}
	if freed > 0 {
		h.discount(old, who.User)
	}
	f := h.feeds[loop]
	if f == nil {
		f = newFeed(h, loop)
		h.feeds[loop] = f
	}
	h.last++
	c := &Client{hub: h, feed: f, exchange: x, who: who, out: out, number: h.last, counted: true}
	c.subs = c.one[:0]
	f.size++
	h.stats.clients.Add(1)
	if who.User != "" {
		if h.users[who.User] == nil {
			h.users[who.User] = make(map[*Client]struct{})
		}
		h.users[who.User][c] = struct{}{}
	}
	f.enter(c)
	return c, nil
}

// disconnected forgets a client.
func (h *Hub) disconnected(c *Client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c.counted {
		h.discount(c, c.who.User)
	}
	if c.feed.size--; c.feed.size == 0 {
		delete(h.feeds, c.feed.loop)
	}
}

// discount takes a client of a user out of what limits count. The caller holds the
// lock.
func (h *Hub) discount(c *Client, user string) {
	c.counted = false
	if user != "" {
		delete(h.users[user], c)
		if len(h.users[user]) == 0 {
			delete(h.users, user)
		}
	}
	h.stats.clients.Add(-1)
}

// Stats are figures of now, and counts since the start.
type Stats struct {
	Clients       int
	Subscriptions int
	Channels      int // that the broker keeps
	Published     uint64
	Delivered     uint64 // messages that transports took
	Recovered     uint64 // of these, those read from a history
	Gaps          uint64 // that subscriptions were told
	Slow          uint64 // times that a policy for slow subscribers acted
	Bytes         int64  // that channels, messages and subscriptions take, of Config.MaxBytes
	MaxBytes      int64
	Evicted       uint64 // messages that made room for others
	Backlogs      uint64 // times that a loop was so far behind that its clients had to read
}

type stats struct {
	clients, subscriptions                                atomic.Int64
	published, delivered, recovered, gaps, slow, backlogs atomic.Uint64
}

// Stats returns the figures.
func (h *Hub) Stats() Stats {
	s := &h.stats
	used, most := h.budget.Bytes()
	return Stats{
		Bytes:         used,
		MaxBytes:      most,
		Evicted:       h.budget.evicted.Load(),
		Clients:       int(s.clients.Load()),
		Subscriptions: int(s.subscriptions.Load()),
		Channels:      h.broker.Channels(),
		Published:     s.published.Load(),
		Delivered:     s.delivered.Load(),
		Recovered:     s.recovered.Load(),
		Gaps:          s.gaps.Load(),
		Slow:          s.slow.Load(),
		Backlogs:      s.backlogs.Load(),
	}
}

// events is the hub as its broker sees it.
type events Hub

func (e *events) Messages(channel string, batch []*Message) {
	if len(batch) > 0 {
		(*Hub)(e).tell(channel, func(l *local) { l.feed.message(l, batch) })
	}
}

func (e *events) Presence(channel string, change PresenceChange) {
	(*Hub)(e).tell(channel, func(l *local) { l.feed.presence(l, change) })
}

func (e *events) Lost(channel string) {
	(*Hub)(e).tell(channel, func(l *local) { l.feed.lost(l) })
}

// tell calls fn for each loop with subscribers of a channel, or of a pattern that
// it fits.
func (h *Hub) tell(channel string, fn func(*local)) {
	h.shard(channel).tell(channel, fn)
	h.wide.tellPatterns(channel, fn)
}

func (h *Hub) shard(channel string) *topics {
	return &h.topics[maphash.String(h.seed, channel)%shards]
}

func (h *Hub) topicsOf(channel string) *topics {
	if _, ok := prefixOf(channel); ok {
		return &h.wide
	}
	return h.shard(channel)
}
