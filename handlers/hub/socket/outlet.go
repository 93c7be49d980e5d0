package socket

import (
	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/hub"
)

// outlet is a connection as the hub sees it.
//
// Loop-owned: call only from its event loop.
type outlet conn

// Messages sends messages until the connection is congested.
func (o *outlet) Messages(_ *hub.Subscription, batch []*hub.Message) (taken int) {
	c := (*conn)(o)
	for taken < len(batch) && !c.x.Congested() {
		n := together(batch[taken:])
		if !c.push(batch[taken : taken+n]) {
			break
		}
		taken += n
	}
	return taken
}

// push sends messages in one frame, which those who get the same share.
func (c *conn) push(batch []*hub.Message) bool {
	if len(batch) == 1 {
		return c.write(batch[0].Encoded(pushed), asgi.Immutable)
	}
	f := frames.Get().(*frame)
	defer frames.Put(f)
	return c.write(f.of(batch), asgi.DuringSend)
}

// Gap says that messages are lost.
func (o *outlet) Gap(s *hub.Subscription, g hub.Gap) {
	(*conn)(o).reply(&push{Gap: &gap{
		Channel: s.Channel(),
		From:    placeOf(g.From),
		To:      placeOf(g.To),
		Missing: g.Missing,
	}})
}

// Presence says that somebody has come or gone. A connection that is congested is
// not told: it has more to do, and can ask for the members.
func (o *outlet) Presence(s *hub.Subscription, change hub.PresenceChange) {
	c := (*conn)(o)
	if c.x.Congested() {
		return
	}
	p := presences.Get().(*presence)
	defer presences.Put(p)
	c.write(p.of(s.Channel(), change), asgi.DuringSend)
}

// Ended says that a subscription is over.
func (o *outlet) Ended(s *hub.Subscription, reason *hub.Error) {
	c := (*conn)(o)
	if c.over(s, reason) {
		c.goOn()
		return
	}
	c.reply(&push{Ended: &ended{Channel: s.Channel(), Code: reason.Code, Text: reason.Text}})
}

// Close ends the connection.
func (o *outlet) Close(reason *hub.Error) { (*conn)(o).close(reason) }
