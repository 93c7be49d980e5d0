package hubtest

import (
	"fmt"

	"github.com/gale-server/gale/handlers/hub"
)

// Outlet notes what it gets, and takes as many messages as it has room for.
//
// Loop-owned: call only from its event loop.
type Outlet struct {
	Room int  // for so many more messages; negative: for any number
	Full bool // there were more: Client.Writable is owed

	// Got has a line for each call, or message: "news 7 text" for a message with
	// its channel, offset and payload, "news gap 3", "news +ann" and "news -ann"
	// for who comes and goes, "news ended not_allowed", and "closed too_slow".
	Got []string
}

// Messages implements [hub.Outlet].
func (o *Outlet) Messages(_ *hub.Subscription, batch []*hub.Message) (taken int) {
	for _, m := range batch {
		if o.Room == 0 {
			o.Full = true
			return taken
		}
		o.Room--
		taken++
		o.note("%s %d %s", m.Channel, m.Offset, m.Data)
	}
	return taken
}

// Gap implements [hub.Outlet].
func (o *Outlet) Gap(s *hub.Subscription, g hub.Gap) { o.note("%s gap %d", s.Channel(), g.Missing) }

// Presence implements [hub.Outlet].
func (o *Outlet) Presence(s *hub.Subscription, c hub.PresenceChange) {
	sign := "+"
	if c.Left {
		sign = "-"
	}
	o.note("%s %s%s", s.Channel(), sign, c.Member.User)
}

// Ended implements [hub.Outlet].
func (o *Outlet) Ended(s *hub.Subscription, reason *hub.Error) {
	o.note("%s ended %s", s.Channel(), reason.Code)
}

// Close implements [hub.Outlet].
func (o *Outlet) Close(reason *hub.Error) { o.note("closed %s", reason.Code) }

func (o *Outlet) note(format string, args ...any) {
	o.Got = append(o.Got, fmt.Sprintf(format, args...))
}

// Take returns what came since the last Take.
func (o *Outlet) Take() []string {
	got := o.Got
	o.Got = nil
	return got
}
