package hub

import (
	"math"
	"sync"
)

// ask calls then on the client's loop with why the client may not do something in a
// channel, or nil: what Config.Ask says, if there is one. It is called before ask returns
// or later, unless the client is closed meanwhile.
func (c *Client) ask(what Action, channel string, then func(error)) {
	ask := c.hub.config.Ask
	switch {
	case ask == nil:
		then(nil)
		return
	case int(c.asking) >= min(c.hub.config.MaxSubscriptions, math.MaxUint16):
		then(&Error{Code: TooMany, Text: "you ask for more at the same time than you may"})
		return
	}
	c.asking++
	who := c.who // of now
	await(c, func(settle func(error)) {
		var once sync.Once
		ask(&who, what, channel, func(err error) { once.Do(func() { settle(err) }) })
	}, func(err error) {
		c.asking--
		switch {
		case c.closed:
		case err != nil:
			then(refusal(err))
		default:
			then(nil)
		}
	})
}

// askAndSubscribe is Subscribe with a Config.Ask. What is refused without it is not asked
// about.
func (c *Client) askAndSubscribe(channel string, o SubscribeOptions, done func(*Subscription, Subscribed, error)) {
	if err := c.maySubscribe(channel, o.Presence); c.closed || err != nil {
		c.subscribeNow(channel, o, done) // it says why not
		return
	}
	finish := func(err error) {
		if err != nil {
			done(nil, Subscribed{}, err)
		} else {
			c.subscribeNow(channel, o, done)
		}
	}
	c.ask(Subscribe, channel, func(err error) {
		if err != nil || !o.Presence {
			finish(err)
		} else {
			c.ask(Presence, channel, finish)
		}
	})
}
