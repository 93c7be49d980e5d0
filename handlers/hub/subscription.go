package hub

import "slices"

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
	client *Client
	local  *local
	index  int // in local.subs
	filter func(*Message) bool
	data   any

	place   Position
	seen    Position // of the newest message that was handed out while reading or stalled
	lag     int      // bytes of what was handed out and not taken yet
	lagFrom uint64   // the offset of the first of these; 0 if there is none

	cost     int32 // that was taken of the budget
	state    state
	over     bool
	wide     bool // of a pattern
	presence bool // wants to know who comes and goes
	member   bool // has entered
	missed   bool // of a pattern, that something was handed out and not taken
	slow     bool // the policy has acted
}

type state uint8

const (
	reading state = iota // the broker is asked, or about to be
	live                 // it takes what is handed out
	stalled              // its outlet takes nothing for now
)

// piece is how much is read from the history at a time, and piecesPerTask how much
// of it before the loop may see to others.
var piece = Limit{Messages: 128, Bytes: 256 << 10}

const piecesPerTask = 8

// somewhere is a place behind all others.
var somewhere = Position{Epoch: "?", Offset: 1<<64 - 1}

// Channel is the channel's name, or the pattern.
func (s *Subscription) Channel() string { return s.local.topic.name }

// Position is how far the subscription is: what comes before was taken, filtered
// or told as a gap. It is zero for a pattern.
func (s *Subscription) Position() Position { return s.place }

// Data is what SubscribeOptions.Data was.
func (s *Subscription) Data() any { return s.data }

// Client is whose subscription it is.
func (s *Subscription) Client() *Client { return s.client }

// Subscribe subscribes to a channel, or with a "*" at the end to all channels that
// begin so. done is called on the client's loop, before Subscribe returns or
// later, and before anything of the subscription comes; not if the client is
// closed meanwhile, or the subscription cancelled.
func (c *Client) Subscribe(channel string, o SubscribeOptions, done func(*Subscription, Subscribed, error)) {
	if c.hub.config.Ask != nil {
		c.askAndSubscribe(channel, o, done)
	} else {
		c.subscribeNow(channel, o, done)
	}
}

// subscribeNow is Subscribe once nothing is left to be asked.
func (c *Client) subscribeNow(channel string, o SubscribeOptions, done func(*Subscription, Subscribed, error)) {
	s, watched, err := c.subscribe(channel, &o)
	if err != nil {
		done(nil, Subscribed{}, err)
		return
	}
	whole := false
	defer func() {
		if !whole {
			c.Close() // something panics, and the exchange ends
		}
	}()
	if watched {
		s.begin(o, done)
	} else {
		s.watch(o, done)
	}
	whole = true
}

// watch begins the subscription as soon as the broker watches its channel.
func (s *Subscription) watch(o SubscribeOptions, done func(*Subscription, Subscribed, error)) {
	hub := s.client.hub
	await(s.client, func(settle func(error)) {
		hub.topicsOf(s.Channel()).watch(hub.broker, s.local.topic, settle)
	}, func(err error) {
		switch {
		case s.over:
		case err != nil:
			s.Cancel()
			done(nil, Subscribed{}, asError(err))
		default:
			s.begin(o, done)
		}
	})
}

var errNoPresence = &Error{Code: NotFound, Text: "the channel does not keep who is there"}

// subscribe makes a subscription, and says whether the broker watches its channel
// already.
func (c *Client) subscribe(channel string, o *SubscribeOptions) (s *Subscription, watched bool, err error) {
	_, wide := prefixOf(channel)
	switch {
	case c.closed:
		return nil, false, errOver
	case !wide && !ValidChannel(channel):
		return nil, false, errBadChannel
	case c.find(channel) != nil:
		return nil, false, &Error{Code: BadRequest, Text: "you have subscribed to this channel already"}
	case len(c.subs) >= c.hub.config.MaxSubscriptions:
		return nil, false, &Error{Code: TooMany, Text: "you have as many subscriptions as you may"}
	}
	if err := c.maySubscribe(channel, o.Presence); err != nil {
		return nil, false, err
	}
	options := c.hub.Options(channel)
	if (o.Presence || o.Member) && (wide || !options.Presence) {
		return nil, false, errNoPresence
	}
	cost := int64(subscriptionCost)
	if o.Member {
		who := c.member()
		cost += who.cost()
	}
	if !c.hub.budget.Take(cost + addCost(channel)) {
		return nil, false, errFull
	}
	l, watched, err := c.hub.topicsOf(channel).add(channel, c.feed, options.MaxSubscribers)
	if err != nil {
		c.hub.budget.Give(cost)
		return nil, false, err
	}
	s = &Subscription{client: c, local: l, filter: o.Filter, wide: wide, data: o.Data, cost: int32(cost)}
	l.attach(s)
	c.subs = append(c.subs, s)
	c.hub.stats.subscriptions.Add(1)
	return s, watched, nil
}

// begin finds the place of a subscription that is watched from now on.
func (s *Subscription) begin(o SubscribeOptions, done func(*Subscription, Subscribed, error)) {
	if s.wide {
		s.state = live
		s.onTime()
		done(s, Subscribed{}, nil)
		return
	}
	after, limit := Position{}, piece
	switch {
	case o.After != nil:
		after = *o.After
	case o.Last > 0: // all at once, which is not more than the history
		limit = Limit{Messages: o.Last, Newest: true}
	default:
		limit = Limit{}
	}
	asked := s.read(after, limit)
	if a, here := asked.returned(); here {
		s.begun(&o, a, done)
	} else {
		s.beginLate(asked, o, done)
	}
}

func (s *Subscription) beginLate(asked *awaited[answer], o SubscribeOptions, done func(*Subscription, Subscribed, error)) {
	asked.late(func(a answer) { s.begun(&o, a, done) })
}

// begun follows the first answer.
func (s *Subscription) begun(o *SubscribeOptions, a answer, done func(*Subscription, Subscribed, error)) {
	if a.err != nil {
		s.Cancel()
		done(nil, Subscribed{}, a.err)
		return
	}
	h := a.history
	missing := h.Missing
	if o.After == nil || *o.After == (Position{}) {
		missing = 0 // who asks for what there is misses nothing
	}
	s.place, s.presence = h.Start, o.Presence
	if o.Member {
		s.member = true
		s.client.hub.broker.Enter(s.Channel(), s.client.member())
	}
	done(s, Subscribed{Position: h.Start, Top: h.Top, Missing: missing}, nil)
	if !s.over && s.take(h) {
		s.catchUp()
	}
}

// answer is what a broker says to a Read.
type answer struct {
	history History
	err     error
}

// read asks the broker for what follows a place. What is called with a late answer
// is called on the loop, and not if the subscription is over by then.
func (s *Subscription) read(after Position, limit Limit) *awaited[answer] {
	s.state = reading
	asked := &awaited[answer]{}
	s.client.hub.broker.Read(s.Channel(), after, limit, func(h History, err error) {
		a := answer{h, asError(err)}
		if then := asked.settle(a); then != nil {
			s.client.post(func() {
				if !s.over {
					then(a)
				}
			})
		}
	})
	return asked
}

// catchUp reads what follows the place, until there is nothing left or the outlet
// takes no more.
func (s *Subscription) catchUp() {
	if s.wide {
		s.state = live
		s.gap(Gap{Missing: -1})
		return
	}
	for range piecesPerTask {
		asked := s.read(s.place, s.want())
		a, here := asked.returned()
		if !here {
			asked.late(s.resume)
			return
		}
		if !s.replay(a) {
			return
		}
	}
	s.state = reading
	s.client.post(func() {
		if !s.over {
			s.catchUp()
		}
	})
}

// want is how much is to be read now.
func (s *Subscription) want() Limit {
	s.seen = Position{}
	if s.slow && s.client.hub.Options(s.Channel()).Slow == SlowLatest {
		return Limit{Messages: 1, Newest: true}
	}
	return piece
}

// resume goes on with an answer that came late.
func (s *Subscription) resume(a answer) {
	if s.replay(a) {
		s.catchUp()
	}
}

// replay takes a piece of history, and the gap before it, and reports whether there
// is more to be read.
func (s *Subscription) replay(a answer) (more bool) {
	if a.err != nil {
		s.revoke(AsError(a.err))
		return false
	}
	h, from := a.history, s.place
	s.place = h.Start
	if h.Missing != 0 {
		s.onTime()
		s.gap(Gap{From: from, To: h.Start, Missing: h.Missing})
	}
	return !s.over && s.take(h)
}

// take takes a piece of history that begins at the place, and reports whether there
// is more to be read.
func (s *Subscription) take(h History) (more bool) {
	s.state = live
	taken, rest := s.give(h.Messages)
	s.client.hub.stats.recovered.Add(uint64(taken))
	if s.lagFrom > 0 {
		for _, m := range h.Messages[:len(h.Messages)-len(rest)] {
			if m.Offset >= s.lagFrom {
				s.lag = max(0, s.lag-m.size())
			}
		}
	}
	switch {
	case s.over || s.state != live:
		return false
	case s.place != h.Top || s.newer():
		return true
	}
	s.onTime()
	return false
}

// newer reports whether something was handed out, and left, that is behind the
// place.
func (s *Subscription) newer() bool {
	return s.seen.Epoch != "" && (s.seen.Epoch != s.place.Epoch || s.seen.Offset > s.place.Offset)
}

func (s *Subscription) gap(g Gap) {
	s.client.hub.stats.gaps.Add(1)
	s.client.out.Gap(s, g)
}

// goOn follows the outlet's word that it can take more.
func (s *Subscription) goOn() {
	if !s.wide {
		s.catchUp()
		return
	}
	s.state = live
	if s.missed {
		s.onTime()
		s.gap(Gap{Missing: -1})
	}
}

// handOut takes what has come.
func (s *Subscription) handOut(w *handout) {
	switch {
	case !w.behind:
	case s.state == live:
		s.catchUp()
	default:
		s.missed = s.state == stalled
		s.seen = somewhere
	}
	if s.state == live {
		s.offer(w.batch, w.early)
	} else {
		s.offer(w.batch[:len(w.batch)-w.early], 0)
	}
	for _, change := range w.changes {
		if s.over || !s.presence || s.state == stalled {
			break
		}
		s.client.out.Presence(s, change)
	}
}

// offer offers messages, of which the last ones are early: if they are not taken,
// they count as late when they are handed out for good.
func (s *Subscription) offer(batch []*Message, early int) {
	for !s.wide && len(batch) > 0 && batch[0].Offset <= s.place.Offset && batch[0].Epoch == s.place.Epoch {
		batch = batch[1:]
	}
	if len(batch) == 0 {
		return
	}
	last := batch[len(batch)-1]
	switch {
	case s.state != live:
		s.seen = last.Position
		s.late(batch)
	case s.wide || s.follows(batch):
		if _, rest := s.give(batch); len(rest) > early {
			s.late(rest[:len(rest)-early])
		}
	default:
		s.catchUp()
	}
}

// follows reports whether messages behind the place are what follows it, without a
// hole.
func (s *Subscription) follows(batch []*Message) bool {
	first, last := batch[0], batch[len(batch)-1]
	return first.Epoch == s.place.Epoch && last.Epoch == s.place.Epoch && last.Offset == s.place.Offset+uint64(len(batch))
}

// late counts messages that were handed out and not taken. If they are too many
// while the outlet takes nothing, the policy acts.
func (s *Subscription) late(batch []*Message) {
	s.missed = s.state == stalled
	if s.lagFrom == 0 {
		s.lagFrom = batch[0].Offset
	}
	for _, m := range batch {
		s.lag += m.size()
	}
	o := s.client.hub.Options(s.Channel())
	if s.state != stalled || s.slow || s.lag <= o.MaxLagBytes {
		return
	}
	s.slow = true
	s.client.hub.stats.slow.Add(1)
	if o.Slow == SlowDisconnect {
		s.client.expel(errTooSlow)
	}
}

// onTime forgets what was late: it was taken, or told as a gap.
func (s *Subscription) onTime() {
	s.lag, s.lagFrom, s.missed, s.slow = 0, 0, false, false
}

var errTooSlow = &Error{Code: TooSlow, Text: "you do not take your messages fast enough"}

// give has the outlet take messages that follow the place, but those the filter
// does not let pass and those that have expired. It returns how many the outlet
// took, and what is left because it took no more.
func (s *Subscription) give(batch []*Message) (taken int, rest []*Message) {
	f := s.client.feed
	for len(batch) > 0 {
		n := 0
		for n < len(batch) && s.passes(batch[n]) {
			n++
		}
		if n == 0 {
			s.move(batch[0])
			batch = batch[1:]
			continue
		}
		took := s.client.out.Messages(s, batch[:n])
		if f.stepping {
			f.delivered += uint64(took)
		} else {
			f.hub.stats.delivered.Add(uint64(took))
		}
		taken += took
		if took > 0 {
			s.move(batch[took-1])
		}
		batch = batch[took:]
		if s.over {
			return taken, nil
		}
		if took < n {
			s.state = stalled
			return taken, batch
		}
	}
	return taken, nil
}

// move moves the place behind a message.
func (s *Subscription) move(m *Message) {
	if !s.wide {
		s.place = m.Position
	}
}

func (s *Subscription) passes(m *Message) bool {
	return (s.filter == nil || s.filter(m)) && (m.TTL == 0 || !m.expired(s.client.hub.config.Now()))
}

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
		if i < int(c.turn) {
			c.turn--
		}
	}
	t := c.hub.topicsOf(s.Channel())
	t.remove(s.local)
	if s.member {
		c.hub.broker.Leave(s.Channel(), c.member())
	}
	t.settle(c.hub.broker, s.local.topic)
	c.hub.budget.Give(int64(s.cost))
	c.hub.stats.subscriptions.Add(-1)
}
