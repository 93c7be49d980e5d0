package hub_test

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/gale-server/gale/handlers/hub"
)

// record is the plain list of what was published, which subscribers are compared
// with: each message in the order in which its broker told of it.
//
// Safe for concurrent use.
type record struct {
	mu       sync.Mutex
	channels map[string][]*hub.Message
	at       map[string]map[hub.Position]int // index in the list
	placed   int
}

func (r *record) add(channel string, batch []*hub.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.channels == nil {
		r.channels, r.at = map[string][]*hub.Message{}, map[string]map[hub.Position]int{}
	}
	if r.at[channel] == nil {
		r.at[channel] = map[hub.Position]int{}
	}
	for _, m := range batch {
		if m.Epoch == "" {
			continue // it has no place
		}
		r.at[channel][m.Position] = len(r.channels[channel])
		r.channels[channel] = append(r.channels[channel], m)
		r.placed++
	}
}

// find returns the message of a channel at a place, or nil.
func (r *record) find(channel string, at hub.Position) *hub.Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i, ok := r.at[channel][at]; ok {
		return r.channels[channel][i]
	}
	return nil
}

// top is the place of the last message of a channel.
func (r *record) top(channel string) hub.Position {
	r.mu.Lock()
	defer r.mu.Unlock()
	if list := r.channels[channel]; len(list) > 0 {
		return list[len(list)-1].Position
	}
	return hub.Position{}
}

// recorder is a broker of which everything that is told is recorded. Some of it is
// kept from the hub, which is told Lost instead, at once or after other messages.
type recorder struct {
	hub.Broker
	record *record
	lose   func() bool // nil: never
	later  func() bool // whether Lost is put off
	reads  int

	events hub.Events
	owed   []string // channels of which something was lost
}

func (r *recorder) Start(e hub.Events, b *hub.Budget) error {
	r.events = e
	return r.Broker.Start(tap{e, r}, b)
}

func (r *recorder) Read(channel string, after hub.Position, limit hub.Limit, done func(hub.History, error)) {
	r.record.mu.Lock()
	r.reads++
	r.record.mu.Unlock()
	r.Broker.Read(channel, after, limit, done)
}

// pay tells of what was lost.
func (r *recorder) pay() {
	for _, channel := range r.owed {
		r.events.Lost(channel)
	}
	r.owed = nil
}

type tap struct {
	hub.Events
	*recorder
}

func (t tap) Messages(channel string, batch []*hub.Message) {
	t.record.add(channel, batch)
	switch {
	case t.lose == nil || !t.lose():
		t.Events.Messages(channel, batch)
	case t.later():
		t.owed = append(t.owed, channel)
	default:
		t.Lost(channel)
	}
}

// reader is a subscriber that comes back to where it was, and checks what it gets
// against the record: each message that its filter lets pass once, in order, or a gap
// that counts what is missing.
type reader struct {
	name    string
	channel string // or pattern
	wide    bool
	filter  func(*hub.Message) bool
	record  *record
	now     func() time.Time
	lost    func(channel string, at hub.Position) bool // whether the message cannot be read any more
	fail    func(format string, args ...any)

	exact bool // a pattern's too is told of what is lost before what comes next

	begun  bool
	at     hub.Position
	places map[string]hub.Position // of a pattern, by channel
	got    int
	gaps   int
}

func (r *reader) passes(m *hub.Message) bool {
	expired := m.TTL > 0 && r.now().Sub(m.Time) >= m.TTL
	return !expired && (r.filter == nil || r.filter(m))
}

// skip checks that nothing that should have come is between two places of one epoch.
func (r *reader) skip(channel string, from, to hub.Position) {
	for from.Offset++; from.Offset <= to.Offset; from.Offset++ {
		m := r.record.find(channel, from)
		if m == nil {
			r.fail("%s: place %v of %s was never published", r.name, from, channel)
			return
		}
		if r.passes(m) {
			r.fail("%s: %v of %s did not come, it is at %v", r.name, from, channel, to)
			return
		}
	}
}

// start follows a Subscribe after the reader's place, or from now on if it has none.
func (r *reader) start(s hub.Subscribed) {
	if r.wide {
		r.places = map[string]hub.Position{}
		return
	}
	switch {
	case !r.begun && s.Missing != 0:
		r.fail("%s begins with %d missing", r.name, s.Missing)
	case !r.begun || r.at == (hub.Position{}):
		if s.Position != s.Top && !r.begun {
			r.fail("%s begins at %v, not at the top %v", r.name, s.Position, s.Top)
		}
	case s.Missing == 0:
		if s.Position != r.at {
			r.fail("%s goes on at %v, not at %v", r.name, s.Position, r.at)
		}
	default:
		r.lose(hub.Gap{From: r.at, To: s.Position, Missing: s.Missing}, true)
	}
	r.begun, r.at = true, s.Position
}

// lose checks a gap. exact is false where messages may be left out that are not lost.
func (r *reader) lose(g hub.Gap, exact bool) {
	r.gaps++
	if r.wide {
		r.places = map[string]hub.Position{}
		if g.Missing != -1 {
			r.fail("%s: %+v", r.name, g)
		}
		return
	}
	if g.From.Epoch != r.at.Epoch || g.From.Offset < r.at.Offset {
		r.fail("%s: a gap from %v at %v", r.name, g.From, r.at)
	}
	r.skip(r.channel, r.at, g.From)
	switch {
	case g.To.Epoch != g.From.Epoch:
		if g.Missing != -1 {
			r.fail("%s: another epoch: %+v", r.name, g)
		}
	case g.To.Offset <= g.From.Offset || g.Missing != int64(g.To.Offset-g.From.Offset):
		r.fail("%s: a gap that does not count: %+v", r.name, g)
	case exact && !r.lost(r.channel, g.To):
		r.fail("%s: a gap, but the messages are there: %+v", r.name, g)
	}
	r.at = g.To
}

// message checks what comes.
func (r *reader) message(m *hub.Message) {
	r.got++
	if !r.passes(m) {
		r.fail("%s: %v should not have passed", r.name, m.Position)
	}
	if m.Epoch == "" && r.wide {
		return
	}
	if published := r.record.find(m.Channel, m.Position); published != m {
		r.fail("%s: %v of %s was not published so", r.name, m.Position, m.Channel)
	}
	at, known := r.at, true
	if r.wide {
		at, known = r.places[m.Channel]
		if at.Epoch != m.Epoch {
			known = false // it begins anew, and patterns have no place to tell it by
		}
		r.places[m.Channel] = m.Position
	} else {
		if m.Channel != r.channel {
			r.fail("%s: a message of %s", r.name, m.Channel)
		}
		r.at = m.Position
	}
	if !known {
		return
	}
	if m.Epoch != at.Epoch || m.Offset <= at.Offset {
		r.fail("%s: %v of %s after %v", r.name, m.Position, m.Channel, at)
		return
	}
	before := m.Position
	before.Offset--
	if !r.wide || r.exact {
		r.skip(m.Channel, at, before)
	}
}

// moved checks the place that a subscription says it is at.
func (r *reader) moved(to hub.Position) {
	if r.wide || to == r.at {
		return
	}
	if to.Epoch != r.at.Epoch || to.Offset < r.at.Offset {
		r.fail("%s: at %v, says %v", r.name, r.at, to)
		return
	}
	r.skip(r.channel, r.at, to)
	r.at = to
}

// done checks that everything has come.
func (r *reader) done() {
	if r.wide {
		for channel, at := range r.places {
			if top := r.record.top(channel); top.Epoch == at.Epoch && r.exact {
				r.skip(channel, at, top)
			}
		}
		return
	}
	top := r.record.top(r.channel)
	if top.Epoch == r.at.Epoch {
		r.skip(r.channel, r.at, top)
	} else if r.record.find(r.channel, hub.Position{Epoch: r.at.Epoch, Offset: 1}) != nil {
		r.fail("%s is at %v, the top is %v", r.name, r.at, top)
	}
}

// lostIn says whether a broker cannot give a message any more.
func lostIn(b hub.Broker) func(string, hub.Position) bool {
	return func(channel string, at hub.Position) (lost bool) {
		at.Offset--
		b.Read(channel, at, hub.Limit{Messages: 1}, func(h hub.History, err error) { lost = err != nil || h.Missing != 0 })
		return lost
	}
}

// modelChannels are channels in which something is always too small.
var modelChannels = map[string]hub.Options{
	"big":    {HistoryMessages: 1000, HistoryAge: time.Hour},
	"short":  {HistoryMessages: 4},
	"bytes":  {HistoryBytes: 3000},
	"aged":   {HistoryAge: 10 * time.Second},
	"none":   {HistoryMessages: -1},
	"latest": {HistoryMessages: 16, Slow: hub.SlowLatest, MaxLagBytes: 1000},
	"oldest": {HistoryMessages: 8, Slow: hub.SlowDropOldest, MaxLagBytes: 1000},
	"strict": {HistoryMessages: 50, MaxLagBytes: 4000},
}

func modelNames() []string {
	var names []string
	for name := range modelChannels {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

var modelTags = []map[string]string{nil, {"k": "x"}, {"k": "y"}, {"k": "z"}}

func modelFilter(n int) func(*hub.Message) bool {
	switch n {
	case 0:
		return func(m *hub.Message) bool { return m.Tags["k"] == "x" }
	case 1:
		return func(m *hub.Message) bool { return m.Offset%7 != 0 }
	case 2:
		return func(*hub.Message) bool { return false }
	}
	return nil
}

func modelReader(name string, n int) *reader {
	r := &reader{name: fmt.Sprintf("reader %d of %s", n, name), channel: name, filter: modelFilter(n)}
	r.wide = name[len(name)-1] == '*'
	return r
}
