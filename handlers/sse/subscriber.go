package sse

import (
	"sync"
	"time"

	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/cursor"
)

// subscriber is a stream of a hub's messages: the hub's outlet, and the stream's
// source. What its connection does not take waits in the channels' histories.
//
// Loop-owned: call only from its event loop.
type subscriber struct {
	Stream
	h        *Handler
	client   *hub.Client
	channels []string
	places   []hub.Position // how far the client is in each of them
	waiting  int            // subscriptions that have not begun
	counted  bool           // among those that are open
}

// begin starts the subscriptions. Those to what comes from now on are first: they
// have a place when messages of the others come.
func (t *subscriber) begin(r *request) {
	t.counted, t.waiting = true, len(r.channels)
	t.h.stats.streams.Add(1)
	t.h.stats.opened.Add(1)
	t.watchExpiry()
	resumed := false
	for i, after := range r.after {
		if after != nil {
			resumed = true
			t.places[i] = *after
		}
	}
	if resumed {
		t.h.stats.resumed.Add(1)
	}
	for _, replays := range []bool{false, true} {
		for i, after := range r.after {
			if !t.over && replays == (after != nil || r.last[i] > 0) {
				t.subscribe(i, hub.SubscribeOptions{After: after, Last: r.last[i], Data: i})
			}
		}
	}
}

// watchExpiry ends the stream with the identity, if that is before its time.
func (t *subscriber) watchExpiry() {
	end := t.client.Identity().Expires
	if end.IsZero() {
		return
	}
	if left := end.Sub(t.h.config.Hub.Config().Now()); left < t.clock.left {
		t.x.AfterFunc(left, func() { t.leave(errExpired) })
	}
}

func (t *subscriber) subscribe(i int, o hub.SubscribeOptions) {
	t.client.Subscribe(t.channels[i], o, func(u *hub.Subscription, s hub.Subscribed, err error) {
		if t.over {
			return
		}
		t.waiting--
		if err != nil {
			t.lose(i, hub.AsError(err))
			return
		}
		t.channels[i] = u.Channel() // which is no part of the request
		t.begun(i, o.After, &s)
	})
}

// begun tells how a subscription begins. A pattern's has no place, so that nobody
// knows what was missed.
func (t *subscriber) begun(i int, after *hub.Position, s *hub.Subscribed) {
	if wide(t.channels[i]) {
		t.places[i] = hub.Position{}
		s.Missing = 0
		if after != nil {
			s.Missing = -1
		}
	} else {
		t.places[i] = s.Position
	}
	if s.Missing != 0 {
		t.gap(i, gap{From: place(*after), To: place(s.Position), Missing: s.Missing})
	}
	t.tell("subscribed", t.waiting == 0, encode(subscribed{
		Channel:  t.channels[i],
		Position: place(s.Position),
		Top:      place(s.Top),
		Missing:  s.Missing,
	}))
}

// wide reports whether a channel's name is a pattern.
func wide(channel string) bool { return channel[len(channel)-1] == '*' }

// What events of other types than message have as data.
type (
	subscribed struct {
		Channel  string `json:"channel"`
		Position place  `json:"position"`
		Top      place  `json:"top"`
		Missing  int64  `json:"missing"`
	}
	gap struct {
		Channel string `json:"channel"`
		From    place  `json:"from"`
		To      place  `json:"to"`
		Missing int64  `json:"missing"`
	}
	place struct {
		Epoch  string `json:"epoch"`
		Offset uint64 `json:"offset"`
	}
)

// tell sends an event that is not a message; placed says whether it has an ID.
func (t *subscriber) tell(kind string, placed bool, data []byte) {
	e := Event{Type: kind, Data: data}
	if placed {
		e.ID = t.id(t.h.config.Hub.Config().Now())
	}
	_ = t.SendEncoded(mustAppend(&e)) // the peer is gone: the disconnect is on its way
}

func (t *subscriber) gap(i int, g gap) {
	g.Channel = t.channels[i]
	t.tell("gap", true, encode(g))
}

// id is what the client comes back with to go on from where it is now.
func (t *subscriber) id(now time.Time) string {
	who := t.client.Identity()
	expires := now.Add(t.h.config.ProofAge)
	if !who.Expires.IsZero() && who.Expires.Before(expires) {
		expires = who.Expires
	}
	return t.h.config.Cursors.Sign(cursor.Cursor{Channels: t.channels, Places: t.places, User: who.User, Expires: expires, Proven: who.Proven})
}

// shared reports whether the client's IDs depend on nothing but the message: those
// of a stream of one channel to nobody in particular.
func (t *subscriber) shared() bool {
	who := t.client.Identity()
	return len(t.channels) == 1 && !wide(t.channels[0]) && who.User == "" && who.Expires.IsZero()
}

// encodeWhole is the format of messages for those clients.
func (h *Handler) encodeWhole(m *hub.Message) []byte {
	id := h.config.Cursors.Sign(cursor.Cursor{
		Channels: []string{m.Channel},
		Places:   []hub.Position{m.Position},
		Expires:  m.Time.Add(h.config.ProofAge),
	})
	object := hub.JSON.Encode(m)
	return appendMessage(make([]byte, 0, len(id)+len(object)+16), id, object)
}

// appendMessage appends a message as an event. Its JSON has no line breaks.
func appendMessage(p []byte, id string, object []byte) []byte {
	p = append(p, "id: "...)
	p = append(p, id...)
	p = append(p, "\ndata: "...)
	p = append(p, object...)
	return append(p, "\n\n"...)
}

// pieceBytes is how much of a batch is sent before looking at what the connection
// takes.
const pieceBytes = 8 << 10

// pieces are spare buffers.
var pieces = sync.Pool{New: func() any { return new([]byte) }}

// Messages implements [hub.Outlet].
func (t *subscriber) Messages(s *hub.Subscription, batch []*hub.Message) (taken int) {
	if t.Congested() {
		return 0
	}
	shared := t.shared()
	if shared && len(batch) == 1 {
		return t.took(s, batch, t.SendImmutable(batch[0].Encoded(t.h.whole)))
	}
	spare := pieces.Get().(*[]byte)
	defer pieces.Put(spare)
	p := (*spare)[:0]
	for i, m := range batch {
		if shared {
			p = append(p, m.Encoded(t.h.whole)...)
		} else {
			t.move(s, m)
			p = appendMessage(p, t.id(m.Time), m.Encoded(hub.JSON))
		}
		if len(p) < pieceBytes && i+1 < len(batch) {
			continue
		}
		n := t.took(s, batch[taken:i+1], t.SendEncoded(p))
		taken += n
		if n == 0 || t.Congested() {
			break
		}
		p = p[:0]
	}
	if cap(p) <= 8*pieceBytes {
		*spare = p
	}
	return taken
}

// move notes that the client has m.
func (t *subscriber) move(s *hub.Subscription, m *hub.Message) {
	if i := s.Data().(int); !wide(t.channels[i]) {
		t.places[i] = m.Position
	}
}

// took returns how many messages were taken that have been sent: all, or none if the
// peer is gone.
func (t *subscriber) took(s *hub.Subscription, batch []*hub.Message, err error) int {
	if err != nil {
		return 0
	}
	t.move(s, batch[len(batch)-1])
	return len(batch)
}

// Gap implements [hub.Outlet].
func (t *subscriber) Gap(s *hub.Subscription, g hub.Gap) {
	i := s.Data().(int)
	if !wide(t.channels[i]) {
		t.places[i] = g.To
	}
	t.gap(i, gap{From: place(g.From), To: place(g.To), Missing: g.Missing})
}

// Presence implements [hub.Outlet]. Nobody asks for it here.
func (t *subscriber) Presence(*hub.Subscription, hub.PresenceChange) {}

// Ended implements [hub.Outlet].
func (t *subscriber) Ended(s *hub.Subscription, reason *hub.Error) { t.lose(s.Data().(int), reason) }

// lose tells of a subscription that is over. If it can be had again soon, the
// client is to come back for it, and if there is no other, the stream is over.
func (t *subscriber) lose(i int, reason *hub.Error) {
	if temporary(reason) {
		t.leave(reason)
		return
	}
	t.tell("ended", t.waiting == 0, encode(problem{Channel: t.channels[i], Code: reason.Code, Text: reason.Text}))
	if t.waiting == 0 && len(t.client.Subscriptions()) == 0 {
		t.leave(reason)
	}
}

// Close implements [hub.Outlet].
func (t *subscriber) Close(reason *hub.Error) { t.leave(reason) }

// leave ends the stream for a reason that is told.
func (t *subscriber) leave(reason *hub.Error) {
	if !t.over {
		t.finish(farewell(t.o, reason))
		t.gone()
	}
}

// StreamWritable implements [Source].
func (t *subscriber) StreamWritable() { t.client.Writable() }

// StreamEnded implements [Source].
func (t *subscriber) StreamEnded(error) { t.gone() }

// gone gives back what the stream had.
func (t *subscriber) gone() {
	t.client.Close()
	if t.counted {
		t.counted = false
		t.h.stats.streams.Add(-1)
	}
}
