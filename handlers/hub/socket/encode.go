package socket

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/gale-server/gale/handlers/hub"
)

// reply answers a command: its id, and one more key.
type reply struct {
	ID           uint64      `json:"id,omitempty"`
	Connected    *connected  `json:"connected,omitempty"`
	Refreshed    *refreshed  `json:"refreshed,omitempty"`
	Subscribed   *subscribed `json:"subscribed,omitempty"`
	Unsubscribed *channelOf  `json:"unsubscribed,omitempty"`
	Members      *members    `json:"members,omitempty"`
	Pong         *nothing    `json:"pong,omitempty"`
	Error        *failure    `json:"error,omitempty"`
}

// push is what nobody asked for: one key. Messages have a format of their own.
type push struct {
	Gap    *gap     `json:"gap,omitempty"`
	Joined *person  `json:"joined,omitempty"`
	Left   *person  `json:"left,omitempty"`
	Ended  *ended   `json:"ended,omitempty"`
	Drain  *nothing `json:"drain,omitempty"`
}

type nothing struct{}

type connected struct {
	Client string `json:"client"`
	User   string `json:"user"`
	expiry
	Ping   int64           `json:"ping"`
	Limits connectedLimits `json:"limits"`
}

type connectedLimits struct {
	PublishBytes  int `json:"publish_bytes"`
	Subscriptions int `json:"subscriptions"`
}

type refreshed struct{ expiry }

// expiry is when the identity ends, both in milliseconds: since 1970 by the server's
// clock, and from now on, for clients whose clock may be another.
type expiry struct {
	Expires   int64 `json:"expires,omitempty"`
	ExpiresIn int64 `json:"expires_in,omitempty"`
}

type place struct {
	Epoch  string `json:"epoch"`
	Offset uint64 `json:"offset"`
}

func placeOf(p hub.Position) place { return place{p.Epoch, p.Offset} }

type subscribed struct {
	Channel  string `json:"channel"`
	Position place  `json:"position"`
	Top      place  `json:"top"`
	Missing  int64  `json:"missing"`
}

type channelOf struct {
	Channel string `json:"channel"`
}

type members struct {
	Channel string   `json:"channel"`
	Members []person `json:"members"`
	Total   int      `json:"total"`
}

type person struct {
	Channel string          `json:"channel,omitempty"`
	Client  string          `json:"client"`
	User    string          `json:"user"`
	Info    json.RawMessage `json:"info,omitempty"`
}

type gap struct {
	Channel string `json:"channel"`
	From    place  `json:"from"`
	To      place  `json:"to"`
	Missing int64  `json:"missing"`
}

type ended struct {
	Channel string        `json:"channel"`
	Code    hub.ErrorCode `json:"code"`
	Text    string        `json:"text"`
}

type failure struct {
	Code  hub.ErrorCode `json:"code"`
	Text  string        `json:"text"`
	Retry int64         `json:"retry,omitempty"`
}

func failureOf(e *hub.Error) *failure {
	f := &failure{Code: e.Code, Text: e.Text}
	if e.RetryAfter > 0 {
		f.Retry = e.RetryAfter.Milliseconds() + 1
	}
	return f
}

// encode returns v as JSON. The types above have nothing that cannot be encoded.
func encode(v any) []byte {
	p, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("socket: encode %T: %v", v, err))
	}
	return p
}

const pushHead, pushTail = `{"message":`, `}`

// pushed is the format of a message as it is pushed.
var pushed = hub.NewFormat(func(m *hub.Message) []byte {
	object := hub.JSON.Encode(m)
	p := make([]byte, 0, len(pushHead)+len(object)+len(pushTail))
	return append(append(append(p, pushHead...), object...), pushTail...)
})

// objectOf is the message object in a push.
func objectOf(m *hub.Message) []byte {
	p := m.Encoded(pushed)
	return p[len(pushHead) : len(p)-len(pushTail)]
}

// maxFrameBytes bounds a frame that has more than one message, and the answer to
// a question: some of them fit an outbox.
const maxFrameBytes = 64 << 10

// together is how many of the messages, at least one, share a frame.
func together(batch []*hub.Message) (n int) {
	if len(batch) == 1 {
		return 1
	}
	bytes := 2
	for n < len(batch) {
		if bytes += len(batch[n].Encoded(pushed)) + 1; n > 0 && bytes > maxFrameBytes {
			break
		}
		n++
	}
	return n
}

// frame is several messages in an array. It is used again, as it is if the next
// one needs the same, which is so for subscribers of one channel.
//
// Not safe for concurrent use.
type frame struct {
	messages []*hub.Message
	bytes    []byte
}

var frames = sync.Pool{New: func() any { return new(frame) }}

// of returns the frame for some messages, valid until it is called again.
func (f *frame) of(batch []*hub.Message) []byte {
	if slices.Equal(f.messages, batch) {
		return f.bytes
	}
	f.messages = append(f.messages[:0], batch...)
	f.bytes = append(f.bytes[:0], '[')
	for i, m := range batch {
		if i > 0 {
			f.bytes = append(f.bytes, ',')
		}
		f.bytes = append(f.bytes, m.Encoded(pushed)...)
	}
	f.bytes = append(f.bytes, ']')
	return f.bytes
}

// presence is a change as it is pushed, kept for the next who is told the same.
//
// Not safe for concurrent use.
type presence struct {
	channel string
	change  hub.PresenceChange
	bytes   []byte
}

var presences = sync.Pool{New: func() any { return new(presence) }}

// of returns the push for a change. It is not changed any more.
func (p *presence) of(channel string, change hub.PresenceChange) []byte {
	a, b := &p.change, &change
	if p.bytes != nil && p.channel == channel && a.Left == b.Left && a.Member.Client == b.Member.Client &&
		a.Member.User == b.Member.User && bytes.Equal(a.Member.Info, b.Member.Info) {
		return p.bytes
	}
	who := personOf(change.Member)
	who.Channel = channel
	o := push{Joined: &who}
	if change.Left {
		o = push{Left: &who}
	}
	p.channel, p.change, p.bytes = channel, change, encode(&o)
	return p.bytes
}

// personOf is a member on the wire. Information that is no JSON is left out.
func personOf(m hub.Member) person {
	p := person{Client: m.Client, User: m.User, Info: m.Info}
	if !json.Valid(m.Info) {
		p.Info = nil
	}
	return p
}

// encodeMembers answers the question for members, of whom it names as many as the
// bound of bytes allows.
func encodeMembers(id uint64, channel string, all []hub.Member, total int) []byte {
	m := &members{Channel: channel, Members: make([]person, 0, len(all)), Total: total}
	bytes := 0
	for _, who := range all {
		if bytes += len(who.Client) + len(who.User) + len(who.Info) + 40; bytes > maxFrameBytes && len(m.Members) > 0 {
			break
		}
		m.Members = append(m.Members, personOf(who))
	}
	return encode(&reply{ID: id, Members: m})
}

// encodePublished answers a publication. Like a history it is put together by hand:
// there are many.
func encodePublished(id uint64, r hub.Receipt) []byte {
	p := append(make([]byte, 0, 96), `{"id":`...)
	p = strconv.AppendUint(p, id, 10)
	p = append(p, `,"published":{"epoch":`...)
	p = appendString(p, r.Epoch)
	p = append(p, `,"offset":`...)
	p = strconv.AppendUint(p, r.Offset, 10)
	if r.Duplicate {
		p = append(p, `,"duplicate":true`...)
	}
	return append(p, `}}`...)
}

// appendString appends a string of JSON.
func appendString(p []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return append(p, encode(s)...)
		}
	}
	return append(append(append(p, '"'), s...), '"')
}

// encodeHistory answers the question for messages. It is put together by hand, for
// the messages are encoded already.
func encodeHistory(id uint64, channel string, h hub.History) []byte {
	p := append(make([]byte, 0, 4<<10), `{"id":`...)
	p = strconv.AppendUint(p, id, 10)
	p = append(p, `,"history":{"channel":`...)
	p = appendString(p, channel)
	p = append(p, `,"messages":[`...)
	for i, m := range h.Messages {
		if i > 0 {
			p = append(p, ',')
		}
		p = append(p, objectOf(m)...)
	}
	p = append(p, `],"top":`...)
	p = append(p, encode(placeOf(h.Top))...)
	p = append(p, `,"missing":`...)
	p = strconv.AppendInt(p, h.Missing, 10)
	return append(p, `}}`...)
}
