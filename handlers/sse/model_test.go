package sse_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/sse"
	"github.com/gale-server/gale/internal/longtest"
)

// TestModel has a browser whose connection is cut anywhere, between any two bytes,
// stands still or is ended by the server, while messages are published, and a
// history that is too small for some of it. In each channel the page must see
// every message once and in order, or a gap that says exactly what is missing.
//
// GALE_TEST=20x runs twenty times as much.
func TestModel(t *testing.T) {
	var total model
	for seed := range longtest.Count(40, 40) {
		m := newModel(t, uint64(seed))
		for range 150 {
			m.step()
		}
		m.finish()
		if t.Failed() {
			t.Fatalf("seed %d: %s", seed, strings.Join(m.log, "; "))
		}
		total.messages += m.messages
		total.gaps += m.gaps
		total.cuts += m.cuts
	}
	if total.messages == 0 || total.gaps == 0 || total.cuts == 0 {
		t.Errorf("%d messages, %d gaps, %d cuts", total.messages, total.gaps, total.cuts)
	}
	t.Logf("%d messages, %d gaps, %d cuts", total.messages, total.gaps, total.cuts)
}

type model struct {
	*station
	r        *rand.Rand
	channels []string
	log      []string

	published map[string]map[hub.Position]string
	top       map[string]hub.Position

	l     *listener
	id    string // the last event ID string
	taken int    // events of this connection that the page has seen
	at    map[string]*position

	messages, gaps, cuts int
}

func newModel(t *testing.T, seed uint64) *model {
	m := &model{
		r:         rand.New(rand.NewPCG(seed, 5)),
		channels:  []string{"a", "b", "c"}[:1+seed%3],
		published: map[string]map[hub.Position]string{},
		top:       map[string]hub.Position{},
		at:        map[string]*position{},
	}
	user := users[m.r.IntN(2)]
	m.station = newStation(t, hub.Config{Channels: map[string]hub.Options{
		"":  {HistoryMessages: 12, MaxLagBytes: 3000},
		"b": {HistoryMessages: 12, MaxLagBytes: 1000, Slow: hub.SlowDropOldest},
		"c": {HistoryMessages: 12, MaxLagBytes: 1000, Slow: hub.SlowLatest},
	}}, sse.Config{Authenticate: as(user)})
	for _, channel := range m.channels {
		m.published[channel] = map[hub.Position]string{}
		m.publish(channel)
	}
	m.connect()
	return m
}

func (m *model) note(format string, args ...any) { m.log = append(m.log, fmt.Sprintf(format, args...)) }

func (m *model) step() {
	switch m.r.IntN(12) {
	case 0:
		m.note("congest")
		m.l.x.Congest()
	case 1, 2:
		m.note("drain")
		m.l.x.Drain()
	case 3:
		m.cut()
		m.connect()
	case 4:
		m.cut()
		for range m.r.IntN(20) {
			m.publish(m.channels[m.r.IntN(len(m.channels))])
		}
		m.connect()
	case 5:
		if m.r.IntN(4) == 0 {
			channel := m.channels[m.r.IntN(len(m.channels))]
			m.note("forget %s", channel)
			m.hub.Forget(channel)
			m.top[channel] = hub.Position{}
		}
	default:
		for range m.r.IntN(4) {
			m.publish(m.channels[m.r.IntN(len(m.channels))])
		}
		if m.r.IntN(2) == 0 {
			m.l.x.Run()
		}
	}
	if m.l.x.Response().Complete { // too slow
		m.note("ended")
		m.look(len(m.l.x.Response().Body))
		m.connect()
	}
}

func (m *model) publish(channel string) {
	text := fmt.Sprint("x", m.r.IntN(1000), strings.Repeat("y", m.r.IntN(400)))
	place := m.station.publish(channel, text)
	m.published[channel][place] = text
	m.top[channel] = place
	m.note("publish %s%d", channel, place.Offset)
}

func (m *model) connect() {
	var headers []asgi.Header
	if m.id != "" {
		headers = append(headers, lastEventID(m.id))
	}
	m.note("connect")
	m.l, m.taken = m.get("ch="+strings.Join(m.channels, ","), headers...), 0
}

// cut breaks the connection; what the page has seen of the stream ends somewhere.
func (m *model) cut() {
	if m.r.IntN(2) == 0 {
		m.l.x.Run()
	}
	seen := m.r.IntN(len(m.l.x.Response().Body) + 1)
	m.note("cut at %d", seen)
	m.cuts++
	m.look(seen)
	m.l.x.Deliver(&asgi.HTTPDisconnect{})
}

// look has the page see the stream up to a byte.
func (m *model) look(bytes int) {
	b := &browser{lastID: m.id, id: m.id}
	b.read(string(m.l.x.Response().Body[:bytes]))
	for _, ev := range b.events[min(m.taken, len(b.events)):] {
		m.event(ev)
	}
	m.taken = max(m.taken, len(b.events))
	m.id = b.lastID
	if m.id == "" { // it has not begun, and begins anew
		m.at = map[string]*position{}
	}
}

func (m *model) event(ev dispatched) {
	var o struct {
		object
		From *position
	}
	if err := json.Unmarshal([]byte(ev.Data), &o); err != nil {
		m.t.Fatalf("%+v: %v", ev, err)
	}
	at := m.at[o.Channel]
	m.note("sees %s %s%d", ev.Type, o.Channel, o.Offset)
	switch ev.Type {
	case "subscribed":
		if at != nil && *at != *o.Position {
			m.t.Errorf("%s begins at %+v behind %+v", o.Channel, *o.Position, *at)
		}
		m.at[o.Channel] = o.Position
	case "gap":
		m.gaps++
		missing := int64(-1)
		if at == nil || *at != *o.From {
			m.t.Errorf("%s has a gap from %+v at %+v", o.Channel, *o.From, at)
			return
		}
		if at.Epoch == o.To.Epoch {
			missing = int64(o.To.Offset - at.Offset)
		}
		if *o.Missing != missing || missing == 0 {
			m.t.Errorf("%s has a gap of %d, not %d", o.Channel, *o.Missing, missing)
		}
		m.at[o.Channel] = o.To
	case "message":
		m.messages++
		place := position{o.Epoch, o.Offset}
		if at == nil || place.Epoch != at.Epoch || place.Offset != at.Offset+1 {
			m.t.Errorf("%s goes on with %+v behind %+v", o.Channel, place, at)
		}
		if text := m.published[o.Channel][hub.Position(place)]; o.Text == nil || *o.Text != text {
			m.t.Errorf("%s%d is not what was published", o.Channel, o.Offset)
		}
		m.at[o.Channel] = &place
	}
}

// finish has everything arrive.
func (m *model) finish() {
	for range 3 {
		m.l.x.Drain()
		m.l.x.Run()
		m.look(len(m.l.x.Response().Body))
		if m.l.x.Response().Complete {
			m.connect()
		}
	}
	m.l.x.Run()
	m.look(len(m.l.x.Response().Body))
	for _, channel := range m.channels {
		top := m.top[channel]
		if top == (hub.Position{}) {
			continue // forgotten, and nothing since
		}
		if at := m.at[channel]; at == nil || hub.Position(*at) != top {
			m.t.Errorf("%s ends at %+v, not %+v", channel, at, top)
		}
	}
	m.l.leave()
}
