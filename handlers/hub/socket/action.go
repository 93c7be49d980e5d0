package socket

import (
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/hub"
)

// action is what a command does.
type action struct {
	keys  keySet
	run   func(c *conn, id uint64, a *args)
	first bool // it is the first command, and no other
	free  bool // it does not count as a command: the hub has a rate for it
}

// actionOf returns what the command of a name does; without a run if there is
// none.
func actionOf(name []byte) action {
	switch string(name) {
	case "connect":
		return action{keys: keyToken | keySession, run: (*conn).connect, first: true}
	case "refresh":
		return action{keys: keyToken, run: (*conn).refresh}
	case "subscribe":
		return action{keys: keyChannel | keyAfter | keyLast | keyTags | keyPresence | keyMember, run: (*conn).subscribe}
	case "unsubscribe":
		return action{keys: keyChannel, run: (*conn).unsubscribe}
	case "publish":
		return action{keys: keyChannel | keyPayload | keyKey | keyTTL | keyTags, run: (*conn).publish, free: true}
	case "members":
		return action{keys: keyChannel | keyLimit, run: (*conn).members}
	case "history":
		return action{keys: keyChannel | keyAfter | keyLast | keyLimit, run: (*conn).history}
	case "ping":
		return action{run: (*conn).ping}
	}
	return action{}
}

// connect makes a client of the connection. If that cannot be, it is over.
func (c *conn) connect(id uint64, a *args) {
	token := a.token
	if token == "" {
		token = hub.TokenOf(c.scope)
	}
	who, err := c.h.config.Hub.Admit(c.h.config.Authenticate, c.scope, token)
	if err == nil {
		err = c.h.enter(c, who, a.session)
	}
	if err != nil {
		e := hub.AsError(err)
		c.reply(&reply{ID: id, Error: failureOf(e)})
		c.close(e)
		return
	}
	c.scope = c.scope.Lasting()
	c.rate.Merge(c.h.spentBy(who.User))
	c.watchExpiry()
	limits := c.h.config.Hub.Config()
	c.reply(&reply{ID: id, Connected: &connected{
		Client: c.client.ID(),
		User:   who.User,
		expiry: c.expires(),
		Ping:   c.h.config.PingInterval.Milliseconds(),
		Limits: connectedLimits{PublishBytes: limits.MaxPublishBytes, Subscriptions: limits.MaxSubscriptions},
	}})
}

var errExpired = &hub.Error{Code: hub.TokenExpired, Text: "the token has expired"}

// refresh renews the identity. If that cannot be, the old one stays.
func (c *conn) refresh(id uint64, a *args) {
	who, err := c.h.config.Hub.Admit(c.h.config.Authenticate, c.scope, a.token)
	if err == nil {
		err = c.client.Renew(who)
	}
	if err != nil {
		c.refuse(id, err)
		return
	}
	c.watchExpiry()
	c.reply(&reply{ID: id, Refreshed: &refreshed{c.expires()}})
}

// expires is when the identity ends; nothing for never.
func (c *conn) expires() (e expiry) {
	if at := c.client.Identity().Expires; !at.IsZero() {
		e.Expires = at.UnixMilli()
		e.ExpiresIn = max(at.Sub(c.h.now()).Milliseconds(), 1) // 0 would be never
	}
	return e
}

// longestTimer bounds a timer: an identity may be good for a hundred years.
const longestTimer = 24 * time.Hour

// watchExpiry ends the connection when the identity ends.
func (c *conn) watchExpiry() {
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
	at := c.client.Identity().Expires
	if at.IsZero() {
		return
	}
	left := min(at.Sub(c.h.now()), longestTimer)
	c.timer = c.x.AfterFunc(max(left, 0), func() {
		if c.h.now().Before(c.client.Identity().Expires) {
			c.watchExpiry()
			return
		}
		c.close(errExpired)
	})
}

// begun is a subscription's Data: the command that is still to be answered, or 0.
type begun struct{ id uint64 }

// answer takes the command's id, once.
func (b *begun) answer() (id uint64) {
	id, b.id = b.id, 0
	return id
}

func (c *conn) subscribe(id uint64, a *args) {
	b := &begun{id}
	o := hub.SubscribeOptions{After: a.after, Last: a.last, Presence: a.presence, Member: a.member, Data: b}
	if len(a.tags) > 0 {
		tags := a.tags
		o.Filter = func(m *hub.Message) bool { return fits(m, tags) }
	}
	c.asked++
	c.client.Subscribe(a.channel, o, func(_ *hub.Subscription, s hub.Subscribed, err error) {
		id := b.answer()
		c.asked--
		if err != nil {
			c.refuse(id, err)
		} else {
			c.reply(&reply{ID: id, Subscribed: &subscribed{
				Channel:  a.channel,
				Position: placeOf(s.Position),
				Top:      placeOf(s.Top),
				Missing:  s.Missing,
			}})
		}
		c.goOn()
	})
}

// fits reports whether a message has all of some tags.
func fits(m *hub.Message, tags map[string]string) bool {
	for name, value := range tags {
		if got, ok := m.Tags[name]; !ok || got != value {
			return false
		}
	}
	return true
}

// over answers the command that a subscription began with, if that has not been
// done, for it will not be any more; ok is false if it has.
func (c *conn) over(s *hub.Subscription, reason *hub.Error) (ok bool) {
	b, _ := s.Data().(*begun)
	if b == nil || b.id == 0 {
		return false
	}
	c.asked--
	c.refuse(b.answer(), reason)
	return true
}

var (
	errNotThere  = &hub.Error{Code: hub.NotThere, Text: "you have not subscribed to this channel"}
	errCancelled = &hub.Error{Code: hub.NotThere, Text: "you have unsubscribed before it began"}
)

func (c *conn) unsubscribe(id uint64, a *args) {
	for _, s := range c.client.Subscriptions() {
		if s.Channel() != a.channel {
			continue
		}
		s.Cancel()
		c.over(s, errCancelled)
		c.reply(&reply{ID: id, Unsubscribed: &channelOf{a.channel}})
		return
	}
	c.refuse(id, errNotThere)
}

func (c *conn) publish(id uint64, a *args) {
	p := hub.Publication{Channel: a.channel, Data: a.payload, Key: a.key, TTL: a.ttl, Tags: a.tags}
	c.asked++
	c.client.Publish(p, func(r hub.Result) {
		c.asked--
		if r.Err != nil {
			c.unpublished(id, hub.AsError(r.Err))
		} else {
			c.write(encodePublished(id, r.Receipt), asgi.Immutable)
		}
		c.goOn()
	})
}

// unpublished answers a publication that was refused, which counts as a command.
// One that came too fast is a fault only when it is above that rate too: a page
// that has kept some is told to wait.
func (c *conn) unpublished(id uint64, e *hub.Error) {
	c.reply(&reply{ID: id, Error: failureOf(e)})
	if tooFast := c.allowed(); tooFast != nil && c.hasty || e.Code == hub.BadRequest {
		c.fault()
	}
}

func (c *conn) members(id uint64, a *args) {
	if a.limit == 0 {
		a.limit = defaultLimit
	}
	c.asked++
	c.client.Members(a.channel, min(a.limit, maxMembers), func(all []hub.Member, total int, err error) {
		c.asked--
		if err != nil {
			c.refuse(id, err)
		} else {
			c.write(encodeMembers(id, a.channel, all, total), asgi.Immutable)
		}
		c.goOn()
	})
}

func (c *conn) history(id uint64, a *args) {
	if a.after != nil && a.last > 0 {
		c.refuse(id, errHistory)
		return
	}
	limit := hub.Limit{Messages: a.limit, Bytes: maxFrameBytes}
	if limit.Messages == 0 {
		limit.Messages = defaultLimit
	}
	var after hub.Position
	switch {
	case a.after != nil:
		after = *a.after
	case a.last > 0:
		limit.Newest, limit.Messages = true, min(a.last, limit.Messages)
	default:
		limit.Newest = true
	}
	limit.Messages = min(limit.Messages, maxHistory)
	c.asked++
	c.client.History(a.channel, after, limit, func(h hub.History, err error) {
		c.asked--
		if err != nil {
			c.refuse(id, err)
		} else {
			if after == (hub.Position{}) {
				h.Missing = 0 // who asks for what there is misses nothing
			}
			c.write(encodeHistory(id, a.channel, h), asgi.Immutable)
		}
		c.goOn()
	})
}

var errHistory = malformed(`there is one of "after" and "last"`)

func (c *conn) ping(id uint64, _ *args) { c.reply(&reply{ID: id, Pong: &nothing{}}) }
