package longpoll

import (
	"math/rand/v2"
	"strings"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/hub"
)

// poll is one request. For the hub it is a client that stays until there is
// something for it.
//
// It is answered with what its subscriptions have given it when all of them have
// begun. If that is nothing it is parked, and answered in the turn of the loop in
// which something comes. Nothing can come between: a subscription is told of what
// is published before it first reads the history.
//
// Loop-owned: call only from its event loop.
type poll struct {
	h       *Handler
	x       asgi.Exchange
	client  *hub.Client
	opening *opening             // nil when all subscriptions have begun
	subs    []*hub.Subscription  // in the order in which the request names the channels
	one     [1]*hub.Subscription // room for subs
	news    *news                // for the answer; nil: nothing has come
	timer   asgi.Timer
	began   int64 // in nanoseconds since 1970

	more  []asgi.Header // of the answer, for pages of other origins
	named *session      // nil if the client has not given itself a name
	wait  time.Duration // whole seconds
	retry time.Duration // the client is told to wait so long; 0: nothing is said
	limit int32

	strict    bool
	tagged    bool // 304 if there is nothing
	preferred bool // the wait is from a Prefer
	relieves  bool // an older poll of the session, whose place among the parked it has
	parked    bool
	waking    bool // answer is on its way
	over      bool
}

// news is what has come for a poll.
type news struct {
	messages   []*hub.Message
	one        [1]*hub.Message // room for messages
	gaps       []gap
	bytes      int              // of the messages as they are sent
	subscribed []subscribedJSON // for a poll without a cursor: no news, but told with it
}

// opening is what is needed until all subscriptions have begun.
type opening struct {
	request
	places []hub.Position // of the cursor; nil without one
	left   int            // subscriptions that have not begun
	inside bool           // the subscribing is under way
}

// after is where to go on in a channel; nil for from now on.
func (o *opening) after(i int) *hub.Position {
	switch {
	case o.places != nil:
		return &o.places[i]
	case o.request.after != nil:
		return o.request.after[i]
	}
	return nil
}

// gap is one of a channel.
type gap struct {
	channel string
	hub.Gap
}

// beginTimeout bounds how long the broker may take until all subscriptions have
// begun: by then a client has a reason to ask elsewhere.
const beginTimeout = 10 * time.Second

// take takes from the request what the poll needs until its end.
func (p *poll) take(r *request, who *hub.Identity) {
	p.wait, p.limit = r.wait, int32(r.limit)
	p.strict, p.tagged, p.preferred = r.strict, r.tagged, r.prefers
	name := session{strings.Clone(who.User), strings.Clone(r.sid)}
	if r.sid != "" {
		p.named = &session{name.user, name.sid}
	}
	if p.retry = p.h.pace.take(name, p.h.now()); p.retry > 0 {
		p.h.stats.paced.Add(1)
		p.wait = 0
	}
}

// subscribe begins the subscriptions. The first is a channel by chance: one with
// much traffic must not always be the one that fills the answer.
func (p *poll) subscribe(r *request, places []hub.Position) {
	n := len(r.channels)
	p.subs = p.one[:]
	if n > 1 {
		p.subs = make([]*hub.Subscription, n)
	}
	p.opening = &opening{request: *r, places: places, left: n, inside: true}
	first := rand.N(n)
	for k := range n {
		i := (first + k) % n
		o := hub.SubscribeOptions{After: p.opening.after(i)}
		if r.last != nil {
			o.Last = r.last[i]
		}
		p.client.Subscribe(r.channels[i], o, func(s *hub.Subscription, begun hub.Subscribed, err error) {
			p.begun(i, s, &begun, err)
		})
		if p.over {
			return
		}
	}
	p.opening.inside = false
	if p.opening.left == 0 {
		p.ready()
		return
	}
	p.timer = p.x.AfterFunc(beginTimeout, func() {
		p.fail(&hub.Error{Code: hub.Unavailable, Text: "the messages cannot be reached", RetryAfter: overload()})
	})
}

// begun follows a subscription's begin; what it has missed comes next.
func (p *poll) begun(i int, s *hub.Subscription, begun *hub.Subscribed, err error) {
	o := p.opening
	if p.over {
		return
	}
	if err != nil {
		p.failIn(o.channels[i], err)
		return
	}
	p.subs[i] = s
	o.channels[i] = s.Channel() // which is no part of the request, that is too large to be kept
	if after := o.after(i); after != nil && begun.Missing != 0 {
		p.lost(o.channels[i], hub.Gap{From: *after, To: begun.Position, Missing: begun.Missing})
	}
	if o.cursor == "" {
		n := p.something()
		n.subscribed = append(n.subscribed, subscribedJSON{
			Channel:  o.channels[i],
			Position: placeJSON(begun.Position),
			Top:      placeJSON(begun.Top),
			Missing:  begun.Missing,
		})
	}
	if o.left--; o.left == 0 && !o.inside {
		asgi.LoopOf(p.x).Post(p.ready)
	}
}

// ready answers a poll that has got all there is, or parks it.
func (p *poll) ready() {
	if p.over {
		return
	}
	p.opening = nil
	p.stopTimer()
	switch {
	case p.news != nil && (len(p.news.messages) > 0 || len(p.news.gaps) > 0):
		p.answer(reasonData)
	case p.wait <= 0:
		p.answer(reasonTimeout)
	default:
		p.park()
	}
}

func (p *poll) park() {
	if parked := p.h.stats.parked.Add(1); parked > int64(p.h.config.MaxParked) && !p.relieves {
		p.h.stats.parked.Add(-1)
		p.fail(&hub.Error{Code: hub.TooMany, Text: "as many polls wait as may", RetryAfter: overload()})
		return
	}
	p.parked = true
	wait := p.wait
	if least := wait / 16; least > 0 {
		wait -= rand.N(least) // more would pass the limits of proxies
	}
	if left := p.client.Identity().Expires.Sub(time.Unix(0, p.began)); left < wait {
		wait = max(left, 0)
	}
	p.timer = p.x.AfterFunc(wait, p.timeout)
}

// overload is when to come back to a server that has too much to do: not all at
// once.
func overload() time.Duration { return time.Second + rand.N(4*time.Second) }

// Receive handles what comes while the poll is parked.
func (p *poll) Receive(ev asgi.ReceiveEvent) {
	switch ev := ev.(type) {
	case *asgi.HTTPDisconnect:
		if !p.end() {
			p.h.stats.left.Add(1)
		}
	case *asgi.Drain:
		p.drain(ev.Deadline)
	}
}

// Messages implements [hub.Outlet].
func (p *poll) Messages(_ *hub.Subscription, batch []*hub.Message) (taken int) {
	n := p.something()
	if p.over || p.strict && len(n.gaps) > 0 {
		return 0
	}
	for _, m := range batch {
		size := len(m.Encoded(hub.JSON))
		if have := len(n.messages); have == int(p.limit) || have > 0 && n.bytes+size > p.h.config.MaxBytes {
			break
		}
		n.messages = append(n.messages, m)
		n.bytes += size
		taken++
	}
	p.wake()
	return taken
}

// something returns the news, for something to be put in.
func (p *poll) something() *news {
	if p.news == nil {
		p.news = &news{}
		p.news.messages = p.news.one[:0]
	}
	return p.news
}

// Gap implements [hub.Outlet].
func (p *poll) Gap(s *hub.Subscription, g hub.Gap) {
	p.lost(s.Channel(), g)
	p.wake()
}

// lost notes a gap.
func (p *poll) lost(channel string, g hub.Gap) {
	n := p.something()
	n.gaps = append(n.gaps, gap{channel, g})
}

// Presence implements [hub.Outlet].
func (p *poll) Presence(*hub.Subscription, hub.PresenceChange) {}

// Ended implements [hub.Outlet]. What else has come comes again with the next
// poll.
func (p *poll) Ended(s *hub.Subscription, reason *hub.Error) { p.failIn(s.Channel(), reason) }

// Close implements [hub.Outlet].
func (p *poll) Close(reason *hub.Error) {
	switch {
	case p.opening != nil:
		p.fail(reason)
	case reason.Code == hub.Draining:
		p.retry = max(p.retry, rand.N(drainWindow))
		p.answer(reasonDraining)
	case reason.Code == hub.TooSlow: // it is full: the rest comes with the next poll
		p.answer(reasonData)
	default:
		p.fail(reason)
	}
}

// wake has a parked poll answered when the loop has seen to what has come along
// with what it has got, or a little later.
func (p *poll) wake() {
	if p.waking || p.opening != nil {
		return
	}
	p.waking = true
	p.h.stats.woken.Add(1)
	if linger := p.h.config.Linger; linger > 0 {
		p.x.AfterFunc(linger, p.flush)
		return
	}
	asgi.LoopOf(p.x).Post(p.flush)
}

func (p *poll) flush()   { p.answer(reasonData) }
func (p *poll) timeout() { p.answer(reasonTimeout) }

// supersede answers for a newer poll of the session. If it is another tab of the
// client's, the two must not chase each other.
func (p *poll) supersede() {
	p.retry = max(p.retry, 2*time.Second+rand.N(time.Second))
	p.answer(reasonSuperseded)
}

// drainWindow is over how long clients come back if the server does not say how
// long it takes to stop.
const drainWindow = 10 * time.Second

// drain answers soon: not all polls at once, and early enough for the answer to
// get through.
func (p *poll) drain(deadline time.Time) {
	if p.over {
		return
	}
	window := drainWindow
	if !deadline.IsZero() {
		window = max(deadline.Sub(p.h.now()), time.Second)
	}
	p.retry = max(p.retry, rand.N(window))
	p.x.AfterFunc(rand.N(min(window/4, 2*time.Second)), func() { p.answer(reasonDraining) })
}

func (p *poll) stopTimer() {
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
}

// end ends the poll's part in the hub, and reports whether that was done before.
func (p *poll) end() (before bool) {
	if p.over {
		return true
	}
	p.over = true
	p.stopTimer()
	if p.parked {
		p.h.stats.parked.Add(-1)
		p.h.stats.waited.Add(p.h.now().UnixNano() - p.began)
	}
	if p.client != nil {
		p.client.Close()
		p.h.sessions.leave(p)
	}
	return false
}

// fail answers with an error.
func (p *poll) fail(err error) { p.failIn("", err) }

// failIn answers with an error that is about one channel.
func (p *poll) failIn(channel string, err error) {
	if !p.end() {
		p.h.refuse(p.x, p.more, channel, hub.AsError(err))
	}
}
