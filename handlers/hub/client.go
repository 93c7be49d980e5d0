package hub

import (
	"slices"
	"strconv"
	"time"
)

// Outlet is a transport's end of a client: what the hub has for it. It is called
// on the client's loop, never from within Connect, and may call the client's
// methods.
type Outlet interface {
	// Messages takes messages of a subscription, in order and without a hole, and
	// returns how many it took. Fewer than all means that it can take no more for
	// now: it calls Client.Writable as soon as it can. The slice is valid only
	// during the call, the messages for ever.
	Messages(s *Subscription, batch []*Message) (taken int)

	// Gap says that messages before the next one are lost.
	Gap(s *Subscription, gap Gap)

	// Presence says that somebody has come or gone, if the subscription wants to
	// know.
	Presence(s *Subscription, change PresenceChange)

	// Ended says that a subscription is over for a reason of the hub's.
	Ended(s *Subscription, reason *Error)

	// Close says that the client is over for a reason of the hub's: the transport
	// tells it and ends its connection. Nothing is called afterwards.
	Close(reason *Error)
}

// Client is one connection, or one poll, as the hub sees it.
//
// Loop-owned: call only from its event loop.
type Client struct {
	hub           *Hub
	feed          *feed
	who           Identity
	out           Outlet
	number        uint64
	subs          []*Subscription // few: a list is found through as fast as a map
	rate          bucket
	before, after *Client // the others of the loop
	closed        bool
}

// ID is the client's name among those of all processes; it says nothing about it.
func (c *Client) ID() string { return c.hub.born + strconv.FormatUint(c.number, 36) }

// Identity is who the client is.
func (c *Client) Identity() *Identity { return &c.who }

// Renew gives the client another identity of the same user: other grants, a later
// end. Subscriptions that are no longer granted end.
func (c *Client) Renew(who Identity) error {
	if who.User != c.who.User {
		return &Error{Code: BadToken, Text: "the token is of another user"}
	}
	c.who = who
	for _, s := range slices.Clone(c.subs) {
		if err := c.hub.config.Allow(&c.who, Subscribe, s.channel); err != nil && !s.over {
			s.revoke(refusal(err))
		}
	}
	return nil
}

// refusal is what a client is told of an error of Config.Allow.
func refusal(err error) *Error {
	if e, ok := err.(*Error); ok {
		return e
	}
	return &Error{Code: NotAllowed, Text: "you may not do this in this channel"}
}

// Close ends the client and its subscriptions. Idempotent.
func (c *Client) Close() {
	if c.closed {
		return
	}
	c.closed = true
	for len(c.subs) > 0 {
		c.subs[len(c.subs)-1].Cancel()
	}
	c.feed.leave(c)
	c.hub.disconnected(c)
}

// expel ends the client for a reason of ours.
func (c *Client) expel(reason *Error) {
	if c.closed {
		return
	}
	c.Close()
	c.out.Close(reason)
}

// Writable says that the outlet can take messages again.
func (c *Client) Writable() {
	for i := 0; i < len(c.subs); i++ {
		if s := c.subs[i]; s.state == stalled {
			s.goOn()
			if c.closed || s.state == stalled {
				return
			}
		}
	}
}

// Publish publishes one message in the client's name, within its rate. done is
// called on the client's loop, before Publish returns or later, unless the client
// is closed by then.
func (c *Client) Publish(p Publication, done func(Result)) {
	if err := c.mayPublish(&p); err != nil {
		done(Result{Err: err})
		return
	}
	p.Publisher = c.who.User
	await(c, func(settle func(Result)) {
		c.hub.Publish([]Publication{p}, func(r []Result) { settle(r[0]) })
	}, done)
}

func (c *Client) mayPublish(p *Publication) error {
	config := &c.hub.config
	return c.hub.mayPublish(&c.who, p, func(now time.Time) (time.Duration, bool) {
		return c.rate.take(now, config.PublishRate, config.PublishBurst)
	})
}

// Members returns at most limit of those who are present in a channel, and how many
// there are, as Publish does.
func (c *Client) Members(channel string, limit int, done func(members []Member, total int, err error)) {
	err := c.hub.config.Allow(&c.who, Presence, channel)
	switch {
	case !ValidChannel(channel):
		err = errBadChannel
	case err != nil:
		err = refusal(err)
	case !c.hub.Options(channel).Presence:
		err = &Error{Code: NotFound, Text: "the channel does not keep who is there"}
	}
	if err != nil {
		done(nil, 0, err)
		return
	}
	type answer struct {
		members []Member
		total   int
		err     error
	}
	await(c, func(settle func(answer)) {
		c.hub.broker.Members(channel, limit, func(members []Member, total int, err error) {
			settle(answer{members, total, asError(err)})
		})
	}, func(a answer) { done(a.members, a.total, a.err) })
}

// History returns what a channel's history holds behind a place, but what has
// expired, as Publish does. The client must be granted to subscribe.
func (c *Client) History(channel string, after Position, limit Limit, done func(History, error)) {
	err := c.hub.config.Allow(&c.who, Subscribe, channel)
	switch {
	case !ValidChannel(channel):
		err = errBadChannel
	case err != nil:
		err = refusal(err)
	}
	if err != nil {
		done(History{}, err)
		return
	}
	type answer struct {
		history History
		err     error
	}
	await(c, func(settle func(answer)) {
		c.hub.broker.Read(channel, after, limit, func(h History, err error) { settle(answer{h, asError(err)}) })
	}, func(a answer) {
		now := c.hub.config.Now()
		a.history.Messages = slices.DeleteFunc(a.history.Messages, func(m *Message) bool { return m.expired(now) })
		done(a.history, a.err)
	})
}

// member is the client as others see it.
func (c *Client) member() Member {
	return Member{Client: c.ID(), User: c.who.User, Info: c.who.Info}
}

// find returns the subscription to a channel, or nil.
func (c *Client) find(channel string) *Subscription {
	for _, s := range c.subs {
		if s.channel == channel {
			return s
		}
	}
	return nil
}

// Unsubscribe ends the subscription to a channel, and reports whether there was
// one.
func (c *Client) Unsubscribe(channel string) bool {
	s := c.find(channel)
	if s != nil {
		s.Cancel()
	}
	return s != nil
}

// Subscriptions are those of the client, not to be changed.
func (c *Client) Subscriptions() []*Subscription { return c.subs }

// await calls start, and then done on the client's loop with what settle is
// called with: at once if that is before start returns, which is on the loop,
// else by a post, and not at all if the client is closed by then.
func await[T any](c *Client, start func(settle func(T)), done func(T)) {
	var a awaited[T]
	start(func(value T) {
		if a.settle(value) {
			c.feed.loop.Post(func() {
				if !c.closed {
					done(value)
				}
			})
		}
	})
	if value, ok := a.returned(); ok {
		done(value)
	}
}

// expiry is how long the identity is still good; ok is false if it is for ever.
func (who *Identity) expiry(now time.Time) (d time.Duration, ok bool) {
	return who.Expires.Sub(now), !who.Expires.IsZero()
}
