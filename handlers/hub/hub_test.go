package hub_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/hubtest"
)

func newHub(t testing.TB, config hub.Config) *hub.Hub {
	t.Helper()
	h, err := hub.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// clock is a time that passes when it is told to.
type clock struct{ passed atomic.Int64 }

func (c *clock) read() time.Time      { return time.Unix(1_700_000_000, c.passed.Load()) }
func (c *clock) pass(d time.Duration) { c.passed.Add(int64(d)) }

// peer is a client on a loop, with an outlet that notes.
type peer struct {
	*hubtest.Loop
	hubtest.Outlet
	*hub.Client
	t      testing.TB
	x      *hubtest.Exchange
	before func(*hub.Subscription) // called with what gets messages, if not nil
	broken string                  // the call that panics
}

func (p *peer) panicIf(call string) {
	if p.broken == call {
		panic("boom")
	}
}

func (p *peer) Gap(s *hub.Subscription, g hub.Gap) {
	p.panicIf("gap")
	p.Outlet.Gap(s, g)
}

func (p *peer) Presence(s *hub.Subscription, c hub.PresenceChange) {
	p.panicIf("presence")
	p.Outlet.Presence(s, c)
}

func (p *peer) Ended(s *hub.Subscription, reason *hub.Error) {
	p.panicIf("ended")
	p.Outlet.Ended(s, reason)
}

func (p *peer) Messages(s *hub.Subscription, batch []*hub.Message) int {
	if p.before != nil {
		p.before(s)
	}
	return p.Outlet.Messages(s, batch)
}

// connect connects a client of which everything is allowed, on a loop.
func connect(t testing.TB, h *hub.Hub, l *hubtest.Loop, user string) *peer {
	t.Helper()
	p := &peer{Loop: l, Outlet: hubtest.Outlet{Room: -1}, t: t, x: l.Exchange()}
	var err error
	if p.Client, err = h.Connect(p.x, hub.Identity{User: user, Grants: hub.Everything}, p); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Client.Close)
	return p
}

func (p *peer) Close(reason *hub.Error) {
	p.panicIf("close")
	p.Outlet.Close(reason)
}

// subscribe subscribes and notes how it begins, or why it does not.
func (p *peer) subscribe(channel string, o hub.SubscribeOptions) {
	p.t.Helper()
	p.Subscribe(channel, o, func(s *hub.Subscription, begun hub.Subscribed, err error) {
		if err != nil {
			p.Got = append(p.Got, fmt.Sprintf("%s refused %s", channel, code(err)))
			return
		}
		p.Got = append(p.Got, fmt.Sprintf("%s from %d of %d, %d missing", s.Channel(), begun.Position.Offset, begun.Top.Offset, begun.Missing))
	})
}

// expect runs the loop, and compares what came since the last time.
func (p *peer) expect(want ...string) {
	p.t.Helper()
	p.Run()
	if got := p.Take(); fmt.Sprint(got) != fmt.Sprint(want) {
		p.t.Errorf("got  %q\nwant %q", got, want)
	}
}

// drain lets the outlet take everything from now on.
func (p *peer) drain(room int) {
	p.Room = room
	if p.Full {
		p.Full = false
		p.Writable()
	}
}

// code is the code of an error, or what else it is.
func code(err error) string {
	var e *hub.Error
	if errors.As(err, &e) {
		return string(e.Code)
	}
	return fmt.Sprint(err)
}

// publish publishes texts in a channel, and returns the last place.
func publish(t testing.TB, h *hub.Hub, channel string, texts ...string) (last hub.Position) {
	t.Helper()
	for _, text := range texts {
		r, err := h.PublishOne(hub.Publication{Channel: channel, Data: []byte(text)})
		if err != nil {
			t.Fatal(err)
		}
		last = r.Position
	}
	return last
}

// What was missed comes first and once, then what is published from now on.
func TestRecovery(t *testing.T) {
	asgitest.CheckLeaks(t)
	h := newHub(t, hub.Config{})
	p := connect(t, h, &hubtest.Loop{}, "ann")
	first := publish(t, h, "a", "1")
	publish(t, h, "a", "2", "3")
	p.subscribe("a", hub.SubscribeOptions{After: &first})
	publish(t, h, "a", "4")
	p.expect("a from 1 of 3, 0 missing", "a 2 2", "a 3 3", "a 4 4")
	p.Room = 1
	publish(t, h, "a", "5", "6")
	p.Run()
	publish(t, h, "a", "7")
	p.Run()
	p.drain(-1)
	p.expect("a 5 5", "a 6 6", "a 7 7")
	if s := h.Stats(); s.Delivered != 6 || s.Recovered != 4 || s.Published != 7 || s.Clients != 1 || s.Subscriptions != 1 || s.Channels != 1 {
		t.Errorf("%+v", s)
	}
	p.Client.Close()
	publish(t, h, "a", "8")
	p.expect()
	if s := h.Stats(); s.Clients != 0 || s.Subscriptions != 0 {
		t.Errorf("%+v", s)
	}
}

// Where a subscription begins.
func TestBeginning(t *testing.T) {
	h := newHub(t, hub.Config{Channels: map[string]hub.Options{"a": {HistoryMessages: 3}, "long": {HistoryMessages: 1000}}})
	last := publish(t, h, "a", "1", "2", "3", "4", "5")
	at := func(offset uint64) *hub.Position { return &hub.Position{Epoch: last.Epoch, Offset: offset} }
	for _, c := range []struct {
		name string
		o    hub.SubscribeOptions
		want []string
	}{
		{"from now on", hub.SubscribeOptions{}, []string{"a from 5 of 5, 0 missing"}},
		{"all", hub.SubscribeOptions{After: &hub.Position{}}, []string{"a from 2 of 5, 0 missing", "a 3 3", "a 4 4", "a 5 5"}},
		{"after", hub.SubscribeOptions{After: at(3)}, []string{"a from 3 of 5, 0 missing", "a 4 4", "a 5 5"}},
		{"after the top", hub.SubscribeOptions{After: at(5)}, []string{"a from 5 of 5, 0 missing"}},
		{"after what is lost", hub.SubscribeOptions{After: at(1)}, []string{"a from 2 of 5, 1 missing", "a 3 3", "a 4 4", "a 5 5"}},
		{"of another life", hub.SubscribeOptions{After: &hub.Position{Epoch: "x", Offset: 4}}, []string{"a from 2 of 5, -1 missing", "a 3 3", "a 4 4", "a 5 5"}},
		{"what cannot be", hub.SubscribeOptions{After: at(9)}, []string{"a from 5 of 5, -1 missing"}},
		{"the last one", hub.SubscribeOptions{Last: 1}, []string{"a from 4 of 5, 0 missing", "a 5 5"}},
		{"the last ones", hub.SubscribeOptions{Last: 99}, []string{"a from 2 of 5, 0 missing", "a 3 3", "a 4 4", "a 5 5"}},
		{"filtered", hub.SubscribeOptions{Last: 99, Filter: func(m *hub.Message) bool { return m.Offset != 4 }}, []string{"a from 2 of 5, 0 missing", "a 3 3", "a 5 5"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := connect(t, h, &hubtest.Loop{}, "")
			p.t = t
			p.subscribe("a", c.o)
			p.expect(c.want...)
			if s := p.Subscriptions()[0]; s.Position() != last || s.Channel() != "a" || s.Client() != p.Client {
				t.Errorf("at %v of %s", s.Position(), s.Channel())
			}
		})
	}
	for i := range 900 {
		publish(t, h, "long", fmt.Sprint(i))
	}
	for _, c := range []struct {
		o    hub.SubscribeOptions
		want int
	}{{hub.SubscribeOptions{Last: 700}, 700}, {hub.SubscribeOptions{After: &hub.Position{}}, 900}} {
		p := connect(t, h, &hubtest.Loop{}, "")
		p.subscribe("long", c.o)
		p.Run()
		if got := len(p.Got) - 1; got != c.want {
			t.Errorf("%+v: got %d instead of %d", c.o, got, c.want)
		}
	}
}

// The history is read for who was away, and for nobody else: not for who comes while
// something is on its way.
func TestReads(t *testing.T) {
	broker := &recorder{Broker: hub.NewMemory(hub.MemoryConfig{}), record: &record{}}
	h := newHub(t, hub.Config{Broker: broker})
	p := connect(t, h, &hubtest.Loop{}, "")
	p.subscribe("a", hub.SubscribeOptions{})
	publish(t, h, "a", "1", "2")
	q := connect(t, h, p.Loop, "")
	q.subscribe("a", hub.SubscribeOptions{After: &hub.Position{}})
	publish(t, h, "a", "3")
	p.expect("a from 0 of 0, 0 missing", "a 1 1", "a 2 2", "a 3 3")
	q.expect("a from 0 of 2, 0 missing", "a 1 1", "a 2 2", "a 3 3")
	for range 100 {
		publish(t, h, "a", "x")
		p.Run()
	}
	if broker.reads != 2 {
		t.Errorf("%d reads", broker.reads)
	}
}

// Whoever ends while a message is handed out takes it from nobody, whatever the
// places of those who had it and of those who did not.
func TestEndsMeanwhile(t *testing.T) {
	const n = 5
	hub.ServeAtOnce(t, 1)
	for served := range n + 1 {
		for first := range n {
			for second := range n {
				h := newHub(t, hub.Config{})
				l := &hubtest.Loop{}
				var peers []*peer
				for range n {
					p := connect(t, h, l, "")
					p.subscribe("a", hub.SubscribeOptions{})
					p.Take()
					peers = append(peers, p)
				}
				publish(t, h, "a", "1")
				for range served {
					l.Step()
				}
				peers[first].Client.Close()
				peers[second].Client.Close()
				publish(t, h, "a", "2")
				l.Run()
				for i, p := range peers {
					want := "[a 1 1 a 2 2]"
					if i == first || i == second {
						continue
					}
					if got := fmt.Sprint(p.Got); got != want {
						t.Errorf("%d served, then %d and %d end: %d got %s", served, first, second, i, got)
					}
				}
				for _, p := range peers {
					p.Client.Close()
				}
				if s := h.Stats(); s.Subscriptions != 0 {
					t.Errorf("%d served, then %d and %d end: %d are left", served, first, second, s.Subscriptions)
				}
			}
		}
	}
}

// A long history is read without holding the loop.
func TestLongHistory(t *testing.T) {
	const messages = 5000
	h := newHub(t, hub.Config{Channels: map[string]hub.Options{"": {HistoryMessages: messages, HistoryBytes: 1 << 30}}})
	for i := range messages {
		publish(t, h, "a", fmt.Sprint(i))
	}
	p := connect(t, h, &hubtest.Loop{}, "")
	p.subscribe("a", hub.SubscribeOptions{After: &hub.Position{}, Filter: func(m *hub.Message) bool { return m.Offset%1000 == 0 }})
	if len(p.Take()) > 2 {
		t.Error("all at once")
	}
	publish(t, h, "a", "x") // 5001
	if tasks := p.Run(); tasks < 4 {
		t.Errorf("%d tasks", tasks)
	}
	if got := p.Take(); len(got) < 3 || got[len(got)-1] != "a 5000 4999" {
		t.Errorf("got %q", got)
	}
	if s := p.Subscriptions()[0]; s.Position().Offset != messages+1 {
		t.Errorf("at %v", s.Position())
	}
}

// Who subscribes to a pattern gets what fits it, and each message once for each
// pattern.
func TestPatterns(t *testing.T) {
	h := newHub(t, hub.Config{Channels: map[string]hub.Options{"none": {HistoryMessages: -1}}})
	l := &hubtest.Loop{}
	p, q := connect(t, h, l, ""), connect(t, h, l, "")
	p.subscribe("news:*", hub.SubscribeOptions{})
	p.subscribe("news:a", hub.SubscribeOptions{})
	q.subscribe("*", hub.SubscribeOptions{Filter: func(m *hub.Message) bool { return string(m.Data) != "3" }})
	p.expect("news:* from 0 of 0, 0 missing", "news:a from 0 of 0, 0 missing")
	q.expect("* from 0 of 0, 0 missing")
	publish(t, h, "news:a", "1")
	publish(t, h, "none", "2")
	publish(t, h, "news:b", "3")
	publish(t, h, "news", "4")
	l.Run()
	p.expect("news:a 1 1", "news:a 1 1", "news:b 1 3")
	q.expect("news:a 1 1", "none 0 2", "news 1 4")
	p.Unsubscribe("news:*")
	publish(t, h, "news:b", "5")
	p.expect()
	q.expect("news:b 2 5")
	if at := q.Subscriptions()[0].Position(); at != (hub.Position{}) {
		t.Errorf("a pattern is at %v", at)
	}
}

// What has expired is given to nobody.
func TestTTL(t *testing.T) {
	var now clock
	h := newHub(t, hub.Config{Now: now.read})
	p := connect(t, h, &hubtest.Loop{}, "")
	p.subscribe("a", hub.SubscribeOptions{})
	p.expect("a from 0 of 0, 0 missing")
	for _, ttl := range []time.Duration{0, time.Second, 2 * time.Second} {
		if _, err := h.PublishOne(hub.Publication{Channel: "a", Data: []byte(ttl.String()), TTL: ttl}); err != nil {
			t.Fatal(err)
		}
	}
	now.pass(time.Second)
	p.expect("a 1 0s", "a 3 2s")
	q := connect(t, h, &hubtest.Loop{}, "")
	q.subscribe("a", hub.SubscribeOptions{After: &hub.Position{}})
	q.expect("a from 0 of 3, 0 missing", "a 1 0s", "a 3 2s")
	h.History("a", hub.Position{}, hub.Limit{Messages: -1}, func(read hub.History, err error) {
		if err != nil || len(read.Messages) != 2 {
			t.Errorf("%d messages: %v", len(read.Messages), err)
		}
	})
	now.pass(time.Second)
	q.Unsubscribe("a")
	q.subscribe("a", hub.SubscribeOptions{Last: 3})
	q.expect("a from 0 of 3, 0 missing", "a 1 0s")
	if at := q.Subscriptions()[0].Position(); at.Offset != 3 {
		t.Errorf("at %v", at)
	}
}

// A publication with a key counts once.
func TestKey(t *testing.T) {
	h := newHub(t, hub.Config{})
	p := connect(t, h, &hubtest.Loop{}, "ann")
	p.subscribe("a", hub.SubscribeOptions{})
	var results []string
	for range 2 {
		p.Publish(hub.Publication{Channel: "a", Key: "k", Data: []byte("x")}, func(r hub.Result) {
			results = append(results, fmt.Sprint(r.Offset, r.Duplicate, r.Err))
		})
	}
	if got := fmt.Sprint(results); got != "[1 false <nil> 1 true <nil>]" {
		t.Error(got)
	}
	p.expect("a from 0 of 0, 0 missing", "a 1 x")
	if n := h.Stats().Published; n != 1 {
		t.Errorf("published %d", n)
	}
}

// Another epoch is a gap.
func TestForget(t *testing.T) {
	h := newHub(t, hub.Config{})
	p := connect(t, h, &hubtest.Loop{}, "")
	p.subscribe("a", hub.SubscribeOptions{})
	publish(t, h, "a", "1", "2")
	p.expect("a from 0 of 0, 0 missing", "a 1 1", "a 2 2")
	publish(t, h, "a", "3")
	h.Forget("a")
	publish(t, h, "a", "4")
	p.expect("a gap -1", "a 1 4")
	publish(t, h, "a", "5")
	p.expect("a 2 5")
}

// A loop that was busy for long has its clients read.
func TestBacklog(t *testing.T) {
	h := newHub(t, hub.Config{MaxBacklog: 4, Channels: map[string]hub.Options{"short": {HistoryMessages: 2}}})
	l := &hubtest.Loop{}
	p := connect(t, h, l, "")
	p.subscribe("a", hub.SubscribeOptions{})
	p.subscribe("short", hub.SubscribeOptions{})
	p.subscribe("*", hub.SubscribeOptions{})
	p.Take()
	publish(t, h, "a", "1", "2")
	p.expect("a 1 1", "a 2 2", "a 1 1", "a 2 2")
	publish(t, h, "a", "3", "4", "5", "6", "7")
	publish(t, h, "short", "1", "2", "3", "4", "5")
	p.expect("a 3 3", "a 4 4", "a 5 5", "a 6 6", "a 7 7", "* gap -1", "short gap 3", "short 4 4", "short 5 5")
	if n := h.Stats().Backlogs; n == 0 {
		t.Error("not counted")
	}
	publish(t, h, "a", "8")
	p.expect("a 8 8", "a 8 8")
}

// What a client may not do.
func TestGrants(t *testing.T) {
	h := newHub(t, hub.Config{Channels: map[string]hub.Options{"": {Presence: true}}})
	p := &peer{Loop: &hubtest.Loop{}, t: t}
	p.Room = -1
	grants := hub.Grants{Subscribe: []string{"a", "b:*"}, Publish: []string{"c"}, Presence: []string{"b:*"}}
	var err error
	if p.Client, err = h.Connect(p.Exchange(), hub.Identity{User: "ann", Grants: grants}, p); err != nil {
		t.Fatal(err)
	}
	defer p.Client.Close()
	for _, c := range []struct {
		channel string
		o       hub.SubscribeOptions
		want    string
	}{
		{"a", hub.SubscribeOptions{}, "a from 0 of 0, 0 missing"},
		{"a", hub.SubscribeOptions{}, "a refused bad_request"},
		{"b:1", hub.SubscribeOptions{Presence: true}, "b:1 from 0 of 0, 0 missing"},
		{"b:*", hub.SubscribeOptions{}, "b:* from 0 of 0, 0 missing"},
		{"b:c:*", hub.SubscribeOptions{}, "b:c:* from 0 of 0, 0 missing"},
		{"*", hub.SubscribeOptions{}, "* refused not_allowed"},
		{"b*", hub.SubscribeOptions{}, "b* refused not_allowed"},
		{"a*", hub.SubscribeOptions{}, "a* refused not_allowed"},
		{"aa", hub.SubscribeOptions{}, "aa refused not_allowed"},
		{"c", hub.SubscribeOptions{}, "c refused not_allowed"},
		{"", hub.SubscribeOptions{}, " refused bad_channel"},
		{"a b", hub.SubscribeOptions{}, "a b refused bad_channel"},
		{"a*b", hub.SubscribeOptions{}, "a*b refused bad_channel"},
		{"a,b", hub.SubscribeOptions{}, "a,b refused bad_channel"},
		{"b:2\n", hub.SubscribeOptions{}, "b:2\n refused bad_channel"},
		{"b:\xff", hub.SubscribeOptions{}, "b:\xff refused bad_channel"},
		{"b:" + strings.Repeat("x", 254), hub.SubscribeOptions{}, "b:" + strings.Repeat("x", 254) + " refused bad_channel"},
	} {
		p.subscribe(c.channel, c.o)
		p.expect(c.want)
	}
	p.Unsubscribe("a")
	p.subscribe("a", hub.SubscribeOptions{Presence: true})
	p.expect("a refused not_allowed")
	for channel, want := range map[string]string{"c": "<nil>", "a": "not_allowed", "c*": "bad_channel", "": "bad_channel"} {
		p.Publish(hub.Publication{Channel: channel}, func(r hub.Result) {
			if code(r.Err) != want {
				t.Errorf("publish in %q: %v", channel, r.Err)
			}
		})
	}
	for channel, want := range map[string]string{"b:1": "<nil>", "a": "not_allowed", "b:*": "bad_channel"} {
		p.Members(channel, 1, func(_ []hub.Member, _ int, err error) {
			if code(err) != want {
				t.Errorf("members of %q: %v", channel, err)
			}
		})
	}
}

// A hook decides instead of the grants, and its own errors stay its own.
func TestAllow(t *testing.T) {
	h := newHub(t, hub.Config{Allow: func(who *hub.Identity, what hub.Action, channel string) error {
		switch channel {
		case "refused":
			return &hub.Error{Code: hub.NotFound, Text: who.User + " may not " + what.String() + " this"}
		case "broken":
			return errors.New("secret")
		}
		return nil
	}})
	p := connect(t, h, &hubtest.Loop{}, "ann")
	p.subscribe("refused", hub.SubscribeOptions{})
	p.subscribe("broken", hub.SubscribeOptions{})
	p.subscribe("a", hub.SubscribeOptions{})
	p.expect("refused refused not_found", "broken refused not_allowed", "a from 0 of 0, 0 missing")
	p.Publish(hub.Publication{Channel: "broken"}, func(r hub.Result) {
		if code(r.Err) != "not_allowed" || strings.Contains(r.Err.Error(), "secret") {
			t.Error(r.Err)
		}
	})
}

// Renewal ends what is no longer granted.
func TestRenew(t *testing.T) {
	h := newHub(t, hub.Config{Channels: map[string]hub.Options{"": {Presence: true}}})
	p := connect(t, h, &hubtest.Loop{}, "ann")
	for _, channel := range []string{"a", "b", "c", "d*"} {
		p.subscribe(channel, hub.SubscribeOptions{Presence: channel == "c"})
	}
	p.Take()
	if err := p.Renew(hub.Identity{User: "bob", Grants: hub.Everything}); code(err) != "bad_token" {
		t.Error(err)
	}
	if err := p.Renew(hub.Identity{User: "ann", Grants: hub.Grants{Subscribe: []string{"a", "c", "d"}}}); err != nil {
		t.Error(err)
	}
	p.expect("b ended not_allowed", "c ended not_allowed", "d* ended not_allowed")
	publish(t, h, "a", "1")
	publish(t, h, "b", "2")
	p.expect("a 1 1")
	p.Client.Close()
	if err := p.Renew(hub.Identity{User: "ann", Grants: hub.Everything}); code(err) != "disconnected" {
		t.Error(err)
	}
}

// A client that is over does nothing any more, and says so.
func TestClosedClient(t *testing.T) {
	h := newHub(t, hub.Config{})
	p := connect(t, h, &hubtest.Loop{}, "ann")
	p.Client.Close()
	p.Client.Close()
	p.subscribe("a", hub.SubscribeOptions{})
	p.Publish(hub.Publication{Channel: "a"}, func(r hub.Result) { p.Got = append(p.Got, code(r.Err)) })
	p.Members("a", 1, func(_ []hub.Member, _ int, err error) { p.Got = append(p.Got, code(err)) })
	p.Writable()
	p.expect("a refused disconnected", "disconnected", "disconnected")
}

// Operators end clients and subscriptions of a user.
func TestDisconnect(t *testing.T) {
	h := newHub(t, hub.Config{})
	a, b, other := connect(t, h, &hubtest.Loop{}, "ann"), connect(t, h, &hubtest.Loop{}, "ann"), connect(t, h, &hubtest.Loop{}, "bob")
	for _, p := range []*peer{a, b, other} {
		p.subscribe("x", hub.SubscribeOptions{})
		p.subscribe("y", hub.SubscribeOptions{})
		p.Run()
		p.Take()
	}
	h.Unsubscribe("ann", "x", nil)
	h.Unsubscribe("ann", "z", nil)
	a.expect("x ended not_allowed")
	b.expect("x ended not_allowed")
	publish(t, h, "x", "1")
	a.expect()
	other.expect("x 1 1")
	b.Client.Close()
	if n := h.Disconnect("ann", &hub.Error{Code: hub.Replaced}); n != 1 {
		t.Errorf("disconnected %d", n)
	}
	a.expect("closed replaced")
	if n := h.Disconnect("nobody", nil) + h.Disconnect("ann", nil); n != 0 {
		t.Errorf("disconnected %d", n)
	}
	h.Disconnect("bob", nil)
	other.expect("closed disconnected")
	if s := h.Stats(); s.Clients != 0 || s.Subscriptions != 0 {
		t.Errorf("%+v", s)
	}
}

// Close ends all clients, however many, and nobody comes in any more.
func TestClose(t *testing.T) {
	asgitest.CheckLeaks(t)
	h := newHub(t, hub.Config{})
	l := &hubtest.Loop{}
	var peers []*peer
	for range 200 {
		p := connect(t, h, l, "")
		p.subscribe("a", hub.SubscribeOptions{})
		p.Take()
		peers = append(peers, p)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	if tasks := l.Run(); tasks < 3 {
		t.Errorf("%d tasks", tasks)
	}
	for _, p := range peers {
		p.expect("closed draining")
	}
	if _, err := h.Connect(l.Exchange(), hub.Identity{}, peers[0]); code(err) != "draining" {
		t.Error(err)
	}
	if _, err := h.PublishOne(hub.Publication{Channel: "a"}); code(err) != "draining" {
		t.Error(err)
	}
}

// JSON is what transports tell of a message.
func TestJSON(t *testing.T) {
	at := time.UnixMilli(1234)
	for _, c := range []struct {
		m    *hub.Message
		want string
	}{
		{&hub.Message{Publication: hub.Publication{Channel: "a", Data: []byte(`{"b": "<\u2028"}`)}, Position: hub.Position{Epoch: "e", Offset: 7}, Time: at},
			`{"channel":"a","epoch":"e","offset":7,"time":1234,"data":{"b":"<\u2028"}}`},
		{&hub.Message{Publication: hub.Publication{Channel: "a", Data: []byte("{\n\"b\":\r\n1}")}, Time: at},
			`{"channel":"a","epoch":"","offset":0,"time":1234,"data":{"b":1}}`},
		{&hub.Message{Publication: hub.Publication{Channel: "a", Data: []byte("no\r\n<json>"), Publisher: "ann", Key: "k", Tags: map[string]string{"t": "v"}}, Time: at},
			`{"channel":"a","epoch":"","offset":0,"time":1234,"from":"ann","key":"k","tags":{"t":"v"},"text":"no\r\n<json>"}`},
		{&hub.Message{Publication: hub.Publication{Channel: "a"}, Time: at}, `{"channel":"a","epoch":"","offset":0,"time":1234,"text":""}`},
		{&hub.Message{Publication: hub.Publication{Channel: "a", Data: []byte{0xff}}, Time: at}, `{"channel":"a","epoch":"","offset":0,"time":1234,"base64":"/w=="}`},
		{&hub.Message{Publication: hub.Publication{Channel: "a", Data: []byte("null")}, Time: at}, `{"channel":"a","epoch":"","offset":0,"time":1234,"data":null}`},
	} {
		m := hub.NewBudget(1<<20).Message(c.m.Publication, c.m.Position, c.m.Time)
		got := m.Encoded(hub.JSON)
		if string(got) != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
		if again := m.Encoded(hub.JSON); &again[0] != &got[0] {
			t.Error("encoded again")
		}
		if loose := c.m.Encoded(hub.JSON); string(loose) != c.want {
			t.Errorf("of no hub: %s", loose)
		}
	}
	other := hub.NewFormat(func(m *hub.Message) []byte { return m.Data })
	m := hub.NewBudget(1<<20).Message(hub.Publication{Data: []byte("x")}, hub.Position{}, at)
	if a, b, c := m.Encoded(hub.JSON), m.Encoded(other), m.Encoded(hub.JSON); string(b) != "x" || &a[0] != &c[0] {
		t.Error("two formats")
	}
}

// Each code says what it is in HTTP and WebSocket.
func TestErrors(t *testing.T) {
	for _, c := range []struct {
		code          hub.ErrorCode
		status, close int
	}{
		{hub.BadToken, 401, 4401}, {hub.NotAllowed, 403, 4403}, {hub.TooFast, 429, 1008}, {hub.TooSlow, 503, 4408},
		{hub.Draining, 503, 1012}, {hub.Internal, 500, 1011}, {"of others", 500, 1011},
	} {
		e := &hub.Error{Code: c.code}
		if e.HTTPStatus() != c.status || e.CloseCode() != c.close {
			t.Errorf("%s: %d, %d", c.code, e.HTTPStatus(), e.CloseCode())
		}
	}
	if got := fmt.Sprint((&hub.Error{RetryAfter: 1001 * time.Millisecond}).HTTPHeaders()); got != "[{retry-after 2}]" {
		t.Error(got)
	}
	inner := &hub.Error{Code: hub.TooFast}
	if hub.AsError(fmt.Errorf("wrapped: %w", inner)) != inner || hub.AsError(errors.New("secret")).Code != hub.Unavailable {
		t.Error("AsError")
	}
}

// A client reads the history of what it may subscribe to.
func TestClientHistory(t *testing.T) {
	var now clock
	h := newHub(t, hub.Config{Now: now.read})
	for _, p := range []hub.Publication{
		{Channel: "a", Data: []byte("short"), TTL: time.Second},
		{Channel: "a", Data: []byte("long")},
	} {
		if _, err := h.PublishOne(p); err != nil {
			t.Fatal(err)
		}
	}
	ask := func(channel string, grants hub.Grants) (got []string, err error) {
		c, failed := h.Connect((&hubtest.Loop{}).Exchange(), hub.Identity{Grants: grants}, &hubtest.Outlet{})
		if failed != nil {
			t.Fatal(failed)
		}
		defer c.Close()
		calls := 0
		c.History(channel, hub.Position{}, hub.Limit{Messages: -1, Bytes: -1}, func(past hub.History, failed error) {
			calls++
			for _, m := range past.Messages {
				got = append(got, string(m.Data))
			}
			err = failed
		})
		if calls != 1 {
			t.Errorf("done was called %d times", calls)
		}
		return got, err
	}
	only := hub.Grants{Subscribe: []string{"a"}}
	if got, err := ask("a", only); fmt.Sprint(got) != "[short long]" || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	now.pass(time.Second)
	if got, err := ask("a", only); fmt.Sprint(got) != "[long]" || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	for channel, want := range map[string]hub.ErrorCode{"b": hub.NotAllowed, "a*": hub.BadChannel, "": hub.BadChannel} {
		if got, err := ask(channel, only); got != nil || hub.AsError(err).Code != want {
			t.Errorf("%q: got %v, %v", channel, got, err)
		}
	}
}

// What others read of a publication or an identity is text.
func TestIllegible(t *testing.T) {
	h := newHub(t, hub.Config{})
	for what, p := range map[string]hub.Publication{
		"key":       {Key: "\xff"},
		"tag":       {Tags: map[string]string{"\xff": ""}},
		"value":     {Tags: map[string]string{"a": "\xff"}},
		"publisher": {Publisher: "\xff"},
	} {
		p.Channel = "a"
		if _, err := h.PublishOne(p); code(err) != "bad_request" {
			t.Errorf("%s: %v", what, err)
		}
	}
	l := &hubtest.Loop{}
	c, err := h.Connect(l.Exchange(), hub.Identity{User: "ann", Info: []byte(`{"a":1}`)}, &counter{})
	if err != nil {
		t.Fatal(err)
	}
	for _, who := range []hub.Identity{
		{User: "\xff"}, {User: "ann", Info: []byte("{")}, {User: "ann", Info: []byte{}}, {User: "ann", Info: []byte(strings.Repeat("[", 65) + strings.Repeat("]", 65))},
	} {
		if _, err := h.Connect(l.Exchange(), who, &counter{}); code(err) != "bad_token" {
			t.Errorf("%.40q %.40q: %v", who.User, who.Info, err)
		}
		if err := c.Renew(who); code(err) != "bad_token" {
			t.Errorf("renewed with %.40q %.40q: %v", who.User, who.Info, err)
		}
	}
	c.Close()
}
