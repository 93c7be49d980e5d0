package hub

import (
	"slices"
)

// SubscribeOptions say what a client wants of a channel.
type SubscribeOptions struct {
	// After is the place from which on messages are wanted: that of the last one
	// seen. nil means only those that come from now on, or the Last ones. The zero
	// Position asks for all of the history.
	After *Position

	// Last asks for so many messages of the history, if After is nil.
	Last int

	// Filter lets messages pass; nil is all. It is called on the loop and depends
	// on nothing but the message. What does not pass counts as seen.
	Filter func(*Message) bool

	// Presence asks for the coming and going of members. Member makes the client
	// one of them. Both need a channel that keeps them.
	Presence bool
	Member   bool

	// Data is the transport's.
	Data any
}

// Subscribed is how a subscription begins.
type Subscribed struct {
	Position Position // where it begins: what follows comes as messages
	Top      Position // where the channel is
	Missing  int64    // messages between After and Position that are lost; -1 if nobody knows
}

// Subscription is a client's part in a channel, or in all channels that fit a
// pattern.
//
// It is a place in the channel's log, and nothing else: what has come since is
// taken from what is handed out, or, if that is not what follows the place, read
// from the history. So nothing waits for a subscription but what its connection
// holds, and nothing comes twice, or out of order.
//
// A subscription to a pattern has no place: it gets what comes, and a gap if there
// may have been more.
//
// Loop-owned: call only from its event loop.
type Subscription struct {
	client   *Client
	local    *local
	index    int // in local.subs
	channel  string
	filter   func(*Message) bool
	state    state
	place    Position
	seen     Position // of the newest message that was handed out
	lag      int      // bytes handed out while stalled
	wide     bool     // of a pattern
	latest   bool     // only the newest message is wanted
	presence bool
	member   bool
	over     bool
	data     any
}

type state uint8

const (
	reading state = iota // the broker is asked
	live                 // it takes what is handed out
	stalled              // its outlet takes nothing for now
)

// piece is how much is read from the history at a time.
var piece = Limit{Messages: 128, Bytes: 256 << 10}

// Channel is the channel's name, or the pattern.
func (s *Subscription) Channel() string { return s.channel }

// Position is how far the subscription is: what comes before was taken, filtered
// or told as a gap.
func (s *Subscription) Position() Position { return s.place }

// Data is what SubscribeOptions.Data was.
func (s *Subscription) Data() any { return s.data }

// Client is whose subscription it is.
func (s *Subscription) Client() *Client { return s.client }

// Subscribe subscribes to a channel, or with a "*" at the end to all channels that
// begin so. done is called on the client's loop, before Subscribe returns or
// later, and before anything of the subscription comes; not if the client is
// closed by then, or the subscription cancelled.
func (c *Client) Subscribe(channel string, o SubscribeOptions, done func(*Subscription, Subscribed, error)) {
	s, err := c.subscribe(channel, &o)
	if err != nil {
		done(nil, Subscribed{}, err)
		return
	}
	await(c, func(settle func(error)) {
		c.hub.topicsOf(channel).watch(c.hub.broker, s.local.topic, settle)
	}, func(err error) {
		if s.over {
			return
		}
		if err != nil {
			s.Cancel()
			done(nil, Subscribed{}, asError(err))
			return
		}
		s.begin(&o, done)
	})
}

func (c *Client) subscribe(channel string, o *SubscribeOptions) (*Subscription, error) {
	_, wide := prefixOf(channel)
	options := c.hub.Options(channel)
	switch {
	case c.closed:
		return nil, errClosed
	case !wide && !ValidChannel(channel):
		return nil, errBadChannel
	case c.find(channel) != nil:
		return nil, &Error{Code: BadRequest, Text: "you have subscribed to this channel already"}
	case len(c.subs) >= c.hub.config.MaxSubscriptions:
		return nil, &Error{Code: TooMany, Text: "you have as many subscriptions as you may"}
	case (o.Presence || o.Member) && (wide || !options.Presence):
		return nil, &Error{Code: NotFound, Text: "the channel does not keep who is there"}
	}
	if err := c.hub.config.Allow(&c.who, Subscribe, channel); err != nil {
		return nil, refusal(err)
	}
	if o.Presence {
		if err := c.hub.config.Allow(&c.who, Presence, channel); err != nil {
			return nil, refusal(err)
		}
	}
	l, err := c.hub.topicsOf(channel).add(channel, c.feed, options.MaxSubscribers)
	if err != nil {
		return nil, err
	}
	s := &Subscription{client: c, local: l, channel: channel, filter: o.Filter, wide: wide, presence: o.Presence, member: o.Member, data: o.Data}
	l.attach(s)
	c.subs = append(c.subs, s)
	c.hub.stats.subscriptions.Add(1)
	return s, nil
}

// begin finds the place of a subscription that is watched from now on.
func (s *Subscription) begin(o *SubscribeOptions, done func(*Subscription, Subscribed, error)) {
	if s.wide {
		s.state = live
		done(s, Subscribed{}, nil)
		return
	}
	if s.member {
		s.client.hub.broker.Enter(s.channel, s.client.member())
	}
	after, limit := Position{}, piece
	switch {
	case o.After != nil:
		after = *o.After
	case o.Last > 0:
		limit.Messages, limit.Newest = min(o.Last, limit.Messages), true
	default:
		limit = Limit{}
	}
	s.read(after, limit, func(h History, err error) {
		if err != nil {
			s.Cancel()
			done(nil, Subscribed{}, err)
			return
		}
		begun := Subscribed{Position: h.Start, Top: h.Top}
		if o.After != nil {
			begun.Missing = h.Missing
			if *o.After == (Position{}) {
				begun.Missing = 0 // who asks for what there is misses nothing
			}
		}
		s.place = h.Start
		done(s, begun, nil)
		if !s.over {
			s.take(h)
		}
	})
}

// read asks the broker. then is called on the loop, unless the subscription is over
// by then.
func (s *Subscription) read(after Position, limit Limit, then func(History, error)) {
	type answer struct {
		history History
		err     error
	}
	s.state = reading
	await(s.client, func(settle func(answer)) {
		s.client.hub.broker.Read(s.channel, after, limit, func(h History, err error) { settle(answer{h, asError(err)}) })
	}, func(a answer) {
		if !s.over {
			then(a.history, a.err)
		}
	})
}

// take takes a piece of history that begins at the subscription's place, and reads
// on until there is none left.
func (s *Subscription) take(h History) {
	s.client.hub.stats.recovered.Add(uint64(len(h.Messages)))
	s.state = live
	s.give(h.Messages)
	if s.over || s.state != live {
		return
	}
	if s.place != h.Top || s.newer() {
		s.catchUp()
	}
}

// newer reports whether something was handed out, and left, that is behind the
// place.
func (s *Subscription) newer() bool {
	return s.seen.Epoch != "" && (s.seen.Epoch != s.place.Epoch || s.seen.Offset > s.place.Offset)
}

// catchUp reads what follows the place.
func (s *Subscription) catchUp() {
	if s.wide {
		s.state = live
		s.gap(Gap{Missing: -1})
		return
	}
	limit := piece
	if s.latest {
		limit.Messages, limit.Newest = 1, true
	}
	s.latest, s.seen = false, Position{}
	s.read(s.place, limit, func(h History, err error) {
		if err != nil {
			s.revoke(AsError(err))
			return
		}
		if h.Missing != 0 {
			from := s.place
			s.place = h.Start
			s.gap(Gap{From: from, To: h.Start, Missing: h.Missing})
		}
		if !s.over {
			s.take(h)
		}
	})
}

func (s *Subscription) gap(g Gap) {
	s.client.hub.stats.gaps.Add(1)
	s.client.out.Gap(s, g)
}

// goOn follows the outlet's word that it can take more.
func (s *Subscription) goOn() {
	missed := s.lag > 0
	s.latest = missed && s.client.hub.Options(s.channel).Slow == SlowLatest
	s.lag, s.state = 0, live
	if missed || !s.wide {
		s.catchUp()
	}
}

// handOut takes what has come.
func (s *Subscription) handOut(w *handout) {
	switch {
	case w.behind && s.state == live:
		s.catchUp()
	case w.behind && s.state == reading:
		s.seen = Position{Epoch: "behind"} // what is being read may not be all
	}
	if len(w.batch) > 0 && !s.over {
		s.offer(w.batch)
	}
	for _, change := range w.changes {
		if s.over || !s.presence || s.state == stalled {
			break
		}
		s.client.out.Presence(s, change)
	}
}

func (s *Subscription) offer(batch []*Message) {
	switch s.state {
	case reading:
		s.seen = batch[len(batch)-1].Position
		return
	case stalled:
		s.seen = batch[len(batch)-1].Position
		s.late(batch)
		return
	}
	if s.wide {
		s.give(batch)
		return
	}
	for len(batch) > 0 && batch[0].Epoch == s.place.Epoch && batch[0].Offset <= s.place.Offset {
		batch = batch[1:]
	}
	if len(batch) == 0 {
		return
	}
	first, last := batch[0], batch[len(batch)-1]
	if first.Epoch != s.place.Epoch || first.Offset != s.place.Offset+1 || last.Epoch != first.Epoch {
		s.seen = last.Position
		s.catchUp()
		return
	}
	s.give(batch)
}

// late counts what a stalled subscription does not take, and has the policy act.
func (s *Subscription) late(batch []*Message) {
	before := s.lag
	for _, m := range batch {
		s.lag += m.size()
	}
	o := s.client.hub.Options(s.channel)
	if before > o.MaxLagBytes || s.lag <= o.MaxLagBytes {
		return
	}
	s.client.hub.stats.slow.Add(1)
	if o.Slow == SlowDisconnect || s.wide {
		s.client.expel(errTooSlow)
	}
}

var errTooSlow = &Error{Code: TooSlow, Text: "you do not take your messages fast enough"}

// give has the outlet take messages that follow the place, but those the filter
// does not let pass and those that have expired.
func (s *Subscription) give(batch []*Message) {
	now := s.client.hub.config.Now()
	for len(batch) > 0 {
		n := 0
		for n < len(batch) && s.passes(batch[n]) && !batch[n].expired(now) {
			n++
		}
		if n == 0 {
			s.place = batch[0].Position
			batch = batch[1:]
			continue
		}
		taken := s.client.out.Messages(s, batch[:n])
		s.client.hub.stats.delivered.Add(uint64(taken))
		if taken > 0 {
			s.place = batch[taken-1].Position
		}
		if s.over {
			return
		}
		if taken < n {
			s.state = stalled
			s.late(batch[taken:])
			return
		}
		batch = batch[n:]
	}
}

func (s *Subscription) passes(m *Message) bool { return s.filter == nil || s.filter(m) }

// revoke ends the subscription for a reason of ours.
func (s *Subscription) revoke(reason *Error) {
	if !s.over {
		s.Cancel()
		s.client.out.Ended(s, reason)
	}
}

// Cancel ends the subscription. Idempotent.
func (s *Subscription) Cancel() {
	if s.over {
		return
	}
	s.over = true
	c := s.client
	s.local.detach(s)
	if i := slices.Index(c.subs, s); i >= 0 {
		c.subs = slices.Delete(c.subs, i, i+1)
	}
	t := c.hub.topicsOf(s.channel)
	t.remove(s.local)
	t.settle(c.hub.broker, s.local.topic)
	if s.member {
		c.hub.broker.Leave(s.channel, c.member())
	}
	c.hub.stats.subscriptions.Add(-1)
}
