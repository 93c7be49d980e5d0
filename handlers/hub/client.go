package hub

import (
	"errors"
	"runtime/debug"
	"slices"
	"strconv"

	"github.com/gale-server/gale/asgi"
)

// Outlet is a transport's end of a client: what the hub has for it. It is called
// on the client's loop, never from within Connect, and may call the client's
// methods. A panic costs this client only: it is closed, with Internal, and logged.
type Outlet interface {
	// Messages takes messages of a subscription, in order and without a hole, and
	// returns how many it took. Fewer than all means that it can take no more for
	// now: it calls Client.Writable as soon as it can. The slice is valid only
	// during the call, the messages for ever.
	Messages(s *Subscription, batch []*Message) (taken int)

	// Gap says that messages before the next one are lost. It does not come while
	// the outlet can take no messages of the subscription.
	Gap(s *Subscription, gap Gap)

	// Presence says that somebody has come or gone, if the subscription wants to
	// know; the client itself too. It is not called while the outlet can take no
	// messages of the subscription, and an outlet that cannot take it drops it.
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
	exchange      asgi.Exchange
	who           Identity
	out           Outlet
	number        uint64
	subs          []*Subscription  // few: a list is found through as fast as a map
	one           [1]*Subscription // room for subs: polls and streams often have but one
	closed        bool
	counted       bool    // among those of the hub, under its lock
	asking        uint16  // how often Config.Ask was asked and has not answered
	turn          int32   // of subs, whose turn it is to go on
	before, after *Client // the others of the loop
}

// ID is the client's name among those of all processes; it says nothing about it.
func (c *Client) ID() string { return c.hub.born + strconv.FormatUint(c.number, 36) }

// Identity is who the client is.
func (c *Client) Identity() *Identity { return &c.who }

// Renew gives the client another identity of the same user: other grants, a later
// end. The Address stays: it is that of the connection. It is refused if the user was
// disconnected since it was proven. Subscriptions that are no longer granted end, also
// those of which only presence is not.
func (c *Client) Renew(who Identity) error {
	switch {
	case c.closed:
		return errOver
	case who.User != c.who.User:
		return &Error{Code: BadToken, Text: "the token is of another user"}
	case !who.legible():
		return errIllegible
	case c.hub.revoked(&who):
		return errProof
	}
	who.Address = c.who.Address
	c.who = who
	for _, s := range slices.Clone(c.subs) {
		if err := c.maySubscribe(s.Channel(), s.presence); err != nil {
			s.revoke(AsError(err))
		}
	}
	return nil
}

// maySubscribe returns why the client may not subscribe to a channel.
func (c *Client) maySubscribe(channel string, presence bool) error {
	err := c.hub.Allow(&c.who, Subscribe, channel)
	if err == nil && presence {
		err = c.hub.Allow(&c.who, Presence, channel)
	}
	return err
}

// refusal is what a client is told of an error of Config.Allow.
func refusal(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: NotAllowed, Text: "you may not do this in this channel"}
}

// Close ends the client and its subscriptions, and its outlet is called no more.
// Idempotent.
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

// Writable says that the outlet can take messages again. Its subscriptions go on
// in turn, until there is one that the outlet does not take everything of.
func (c *Client) Writable() {
	done := false
	defer func() {
		if !done {
			c.Close() // something panics, and the exchange ends
		}
	}()
	for s := c.stalled(); s != nil; s = c.stalled() {
		s.goOn()
		if !s.over && s.state == stalled {
			break
		}
	}
	done = true
}

// stalled returns the next subscription that waits for Writable, or nil.
func (c *Client) stalled() *Subscription {
	for i := range c.subs {
		at := (int(c.turn) + i) % len(c.subs)
		if s := c.subs[at]; s.state == stalled {
			c.turn = int32(at + 1)
			return s
		}
	}
	return nil
}

// post runs fn on the client's loop, unless the client is closed by then. A panic
// costs this client only.
func (c *Client) post(fn func()) {
	c.feed.loop.Post(func() {
		if c.closed {
			return
		}
		done := false
		defer func() {
			if !done {
				c.fail(recover())
			}
		}()
		fn()
		done = true
	})
}

// fail ends the client because of a panic.
func (c *Client) fail(value any) {
	stack := debug.Stack()
	c.hub.config.Logger.Error("a client of the hub panicked", "client", c.ID(), "panic", value, "stack", string(stack))
	told := false
	defer func() {
		if !told { // the outlet is beyond help
			_ = recover()
			c.exchange.End(&asgi.PanicError{Value: value, Stack: stack})
		}
	}()
	if !c.closed {
		c.expel(errInternal)
		told = true
	}
}

var errInternal = &Error{Code: Internal, Text: "something is wrong with the server"}

// Publish publishes one message in the client's name, within the rate of its user
// or address. done is called on the client's loop, before Publish returns or later, unless the client
// is closed meanwhile.
func (c *Client) Publish(p Publication, done func(Result)) {
	if err := c.mayPublish(&p); err != nil {
		done(Result{Err: err})
		return
	}
	await(c, func(settle func(Result)) {
		c.hub.Publish([]Publication{p}, func(r []Result) { settle(r[0]) })
	}, done)
}

func (c *Client) mayPublish(p *Publication) error {
	if c.closed {
		return errOver
	}
	return c.hub.mayPublish(&c.who, p)
}

// Members returns at most limit of those who are present in a channel, and how many
// there are, as Hub.Members does. done is called as that of Publish.
func (c *Client) Members(channel string, limit int, done func(members []Member, total int, err error)) {
	if err := c.maySee(channel); err != nil {
		done(nil, 0, err)
		return
	}
	type answer struct {
		members []Member
		total   int
		err     error
	}
	c.ask(Presence, channel, func(err error) {
		if err != nil {
			done(nil, 0, err)
			return
		}
		await(c, func(settle func(answer)) {
			c.hub.broker.Members(channel, limit, func(members []Member, total int, err error) {
				settle(answer{members, total, asError(err)})
			})
		}, func(a answer) { done(a.members, a.total, a.err) })
	})
}

// maySee returns why the client may not see who is in a channel.
func (c *Client) maySee(channel string) error {
	switch {
	case c.closed:
		return errOver
	case !ValidChannel(channel):
		return errBadChannel
	}
	if err := c.hub.Allow(&c.who, Presence, channel); err != nil {
		return err
	}
	if !c.hub.Options(channel).Presence {
		return errNoPresence
	}
	return nil
}

// History returns what a channel's history holds behind a place, but what has
// expired, as Hub.History does. The client must be granted to subscribe. done is
// called as that of Publish.
func (c *Client) History(channel string, after Position, limit Limit, done func(History, error)) {
	if err := c.mayRead(channel); err != nil {
		done(History{}, err)
		return
	}
	c.ask(Subscribe, channel, func(err error) {
		if err != nil {
			done(History{}, err)
			return
		}
		await(c, func(settle func(answer)) {
			c.hub.History(channel, after, limit, func(h History, err error) { settle(answer{h, err}) })
		}, func(a answer) { done(a.history, a.err) })
	})
}

// mayRead returns why the client may not read a channel's history.
func (c *Client) mayRead(channel string) error {
	switch {
	case c.closed:
		return errOver
	case !ValidChannel(channel):
		return errBadChannel
	}
	return c.hub.Allow(&c.who, Subscribe, channel)
}

// member is the client as others see it.
func (c *Client) member() Member {
	return Member{Client: c.ID(), User: c.who.User, Info: c.who.Info}
}

// find returns the subscription to a channel, or nil.
func (c *Client) find(channel string) *Subscription {
	for _, s := range c.subs {
		if s.Channel() == channel {
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

// Subscriptions are those of the client, not to be changed or kept.
func (c *Client) Subscriptions() []*Subscription { return c.subs }

// await calls start, and then done on the client's loop with what settle is
// called with: at once if that is before start returns, which is on the loop,
// else by a post, and not at all if the client is closed by then.
func await[T any](c *Client, start func(settle func(T)), done func(T)) {
	var a awaited[T]
	start(func(value T) {
		if then := a.settle(value); then != nil {
			c.post(func() { then(value) })
		}
	})
	if value, here := a.returned(); here {
		done(value)
	} else {
		a.late(done)
	}
}
