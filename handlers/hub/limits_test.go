package hub_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/hubtest"
)

// What makes no sense is refused, by name.
func TestConfig(t *testing.T) {
	for _, c := range []struct {
		config hub.Config
		want   string
	}{
		{hub.Config{MaxClients: -1}, "MaxClients"},
		{hub.Config{MaxClientsPerUser: -1}, "MaxClientsPerUser"},
		{hub.Config{MaxSubscriptions: -1}, "MaxSubscriptions"},
		{hub.Config{MaxChannels: -1}, "MaxChannels"},
		{hub.Config{MaxPublishBytes: -1}, "MaxPublishBytes"},
		{hub.Config{MaxBacklog: -1}, "MaxBacklog"},
		{hub.Config{PublishBurst: -1}, "PublishBurst"},
		{hub.Config{MaxRates: -1}, "MaxRates"},
		{hub.Config{MaxBytes: -1}, "MaxBytes"},
		{hub.Config{MaxBytes: 16<<16 - 1}, "MaxBytes"},
		{hub.Config{Channels: map[string]hub.Options{"x": {HistoryBytes: -1}}}, `"x"`},
		{hub.Config{Channels: map[string]hub.Options{"x": {HistoryAge: -1}}}, `"x"`},
		{hub.Config{Channels: map[string]hub.Options{"x": {MaxLagBytes: -1}}}, `"x"`},
		{hub.Config{Channels: map[string]hub.Options{"x": {MaxSubscribers: -1}}}, `"x"`},
		{hub.Config{Channels: map[string]hub.Options{"x": {PublishRate: -1}}}, `"x"`},
		{hub.Config{Channels: map[string]hub.Options{"x": {PublishBurst: -1}}}, `"x"`},
		{hub.Config{Channels: map[string]hub.Options{"x": {Slow: 9}}}, "SlowPolicy"},
		{hub.Config{PublishRate: math.NaN()}, "PublishRate"},
		{hub.Config{PublishRate: math.Inf(1)}, "PublishRate"},
		{hub.Config{Channels: map[string]hub.Options{"x": {PublishRate: math.NaN()}}}, `"x"`},
	} {
		h, err := hub.New(c.config)
		if err == nil {
			h.Close()
			t.Errorf("%+v is taken", c.config)
		} else if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: not by the name %s", err, c.want)
		}
	}
	h := newHub(t, hub.Config{Channels: map[string]hub.Options{"": {HistoryMessages: 7}, "chat:": {HistoryMessages: 8}, "chat:vip:": {HistoryMessages: 9}}})
	for channel, want := range map[string]int{"x": 7, "chat": 7, "chat:": 8, "chat:1": 8, "chat:vip": 8, "chat:vip:1": 9, "chat:*": 8} {
		if o := h.Options(channel); o.HistoryMessages != want || o.HistoryAge != 5*time.Minute || o.MaxLagBytes != 512<<10 {
			t.Errorf("%s: %+v", channel, o)
		}
	}
	if c := h.Config(); c.MaxClients != 1_000_000 || c.MaxPublishBytes != 64<<10 || c.Now == nil {
		t.Errorf("%+v", c)
	}
}

// There are no more clients than may be, in all and of one user.
func TestMaxClients(t *testing.T) {
	h := newHub(t, hub.Config{MaxClients: 4, MaxClientsPerUser: 2})
	l := &hubtest.Loop{}
	try := func(user string) (*hub.Client, error) {
		return h.Connect(l.Exchange(), hub.Identity{User: user}, &hubtest.Outlet{})
	}
	var clients []*hub.Client
	for _, c := range []struct{ user, want string }{
		{"ann", "<nil>"}, {"ann", "<nil>"}, {"ann", "too_many"}, {"", "<nil>"}, {"", "<nil>"}, {"", "too_many"}, {"bob", "too_many"},
	} {
		client, err := try(c.user)
		if code(err) != c.want {
			t.Errorf("%q: %v", c.user, err)
		}
		if client != nil {
			clients = append(clients, client)
		}
	}
	ids := map[string]bool{}
	for _, c := range clients {
		ids[c.ID()] = true
		c.Close()
	}
	if len(ids) != 4 {
		t.Errorf("ids %v", ids)
	}
	client, err := try("ann")
	if err != nil {
		t.Fatal(err)
	}
	client.Close()
}

// A client has no more subscriptions than it may, a channel no more subscribers, a
// hub no more channels.
func TestMaxSubscriptions(t *testing.T) {
	h := newHub(t, hub.Config{MaxSubscriptions: 2, MaxChannels: 3, Channels: map[string]hub.Options{"few": {MaxSubscribers: 2}}})
	l := &hubtest.Loop{}
	p := connect(t, h, l, "")
	for _, channel := range []string{"a", "b*", "c"} {
		p.subscribe(channel, hub.SubscribeOptions{})
	}
	p.expect("a from 0 of 0, 0 missing", "b* from 0 of 0, 0 missing", "c refused too_many")
	p.Unsubscribe("b*")
	p.subscribe("c", hub.SubscribeOptions{})
	p.expect("c from 0 of 0, 0 missing")

	var few []*peer
	for i := range 3 {
		q := connect(t, h, []*hubtest.Loop{l, {}, {}}[i], "")
		q.subscribe("few", hub.SubscribeOptions{})
		few = append(few, q)
	}
	few[0].expect("few from 0 of 0, 0 missing")
	few[1].expect("few from 0 of 0, 0 missing")
	few[2].expect("few refused too_many")
	few[0].Client.Close()
	few[2].subscribe("few", hub.SubscribeOptions{})
	few[2].expect("few from 0 of 0, 0 missing")

	// "a", "c" and "few" are there.
	few[2].subscribe("d", hub.SubscribeOptions{})
	few[2].expect("d refused too_many")
	if _, err := h.PublishOne(hub.Publication{Channel: "d"}); code(err) != "too_many" {
		t.Error(err)
	}
	publish(t, h, "a", "1")
	h.Forget("a")
	if n := h.Stats().Channels; n != 3 {
		t.Errorf("%d channels", n)
	}
}

// What may be in a publication.
func TestMaxPublish(t *testing.T) {
	h := newHub(t, hub.Config{MaxPublishBytes: 10})
	for _, c := range []struct {
		p    hub.Publication
		want string
	}{
		{hub.Publication{Channel: "a", Data: make([]byte, 10)}, "<nil>"},
		{hub.Publication{Channel: "a", Data: make([]byte, 11)}, "too_large"},
		{hub.Publication{Channel: "a", Key: strings.Repeat("k", 255)}, "<nil>"},
		{hub.Publication{Channel: "a", Key: strings.Repeat("k", 256)}, "too_large"},
		{hub.Publication{Channel: "a", Tags: map[string]string{"k": strings.Repeat("v", 1023)}}, "<nil>"},
		{hub.Publication{Channel: "a", Tags: map[string]string{"k": strings.Repeat("v", 1024)}}, "too_large"},
		{hub.Publication{Channel: "a", TTL: -1}, "bad_request"},
		{hub.Publication{Channel: "a*"}, "bad_channel"},
		{hub.Publication{Channel: strings.Repeat("a", 255)}, "<nil>"},
		{hub.Publication{Channel: strings.Repeat("a", 256)}, "bad_channel"},
	} {
		if _, err := h.PublishOne(c.p); code(err) != c.want {
			t.Errorf("%+v: %v", c.p, err)
		}
	}
	// Of a batch, what is right is published.
	h.Publish([]hub.Publication{{Channel: "b"}, {Channel: ""}, {Channel: "b"}}, func(r []hub.Result) {
		if len(r) != 3 || r[0].Offset != 1 || code(r[1].Err) != "bad_channel" || r[2].Offset != 2 {
			t.Errorf("%+v", r)
		}
	})
	h.Publish([]hub.Publication{{Channel: ""}}, func(r []hub.Result) {
		if len(r) != 1 || code(r[0].Err) != "bad_channel" {
			t.Errorf("%+v", r)
		}
	})
	for _, channel := range []string{"", "a*"} {
		h.History(channel, hub.Position{}, hub.Limit{}, func(_ hub.History, err error) {
			if code(err) != "bad_channel" {
				t.Error(err)
			}
		})
		h.Members(channel, 0, func(_ []hub.Member, _ int, err error) {
			if code(err) != "bad_channel" {
				t.Error(err)
			}
		})
	}
}

// A client publishes as fast as it may, and a channel takes as much as it may.
func TestRates(t *testing.T) {
	var now clock
	h := newHub(t, hub.Config{Now: now.read, PublishRate: 2, PublishBurst: 3, Channels: map[string]hub.Options{"slow": {PublishRate: 1, PublishBurst: 2}, "one": {PublishRate: 0.5}}})
	l := &hubtest.Loop{}
	say := func(p *peer, channel, want string, wait time.Duration) {
		t.Helper()
		p.Publish(hub.Publication{Channel: channel}, func(r hub.Result) {
			if code(r.Err) != want {
				t.Errorf("got %v, want %s", r.Err, want)
			}
			if e, ok := r.Err.(*hub.Error); ok && e.RetryAfter != wait {
				t.Errorf("wait %v instead of %v", e.RetryAfter, wait)
			}
		})
	}
	p := connect(t, h, l, "ann")
	for range 3 {
		say(p, "a", "<nil>", 0)
	}
	say(p, "a", "too_fast", 500*time.Millisecond)
	now.pass(500 * time.Millisecond)
	say(p, "a", "<nil>", 0)
	say(p, "a", "too_fast", 500*time.Millisecond)
	now.pass(time.Hour)
	for range 3 {
		say(p, "a", "<nil>", 0)
	}
	say(p, "a", "too_fast", 500*time.Millisecond)

	q, r := connect(t, h, l, "bob"), connect(t, h, l, "cid")
	say(q, "slow", "<nil>", 0)
	say(r, "slow", "<nil>", 0)
	say(q, "slow", "too_fast", time.Second)
	say(q, "one", "<nil>", 0)
	say(r, "one", "too_fast", 2*time.Second)
	publish(t, h, "slow", "the server may always")

	free := newHub(t, hub.Config{PublishRate: -1})
	p = connect(t, free, l, "")
	for range 1000 {
		say(p, "a", "<nil>", 0)
	}
}

// A rate belongs to a user, else to an address, over all connections and transports:
// neither another connection, nor one that comes after the first, has a rate of its
// own.
func TestRatesOutliveConnections(t *testing.T) {
	for name, c := range map[string]struct{ who, other hub.Identity }{
		"user":    {hub.Identity{User: "ann", Address: "192.0.2.1"}, hub.Identity{User: "bob", Address: "192.0.2.1"}},
		"address": {hub.Identity{Address: "192.0.2.1"}, hub.Identity{Address: "192.0.2.2"}},
	} {
		t.Run(name, func(t *testing.T) {
			var now clock
			h := newHub(t, hub.Config{Now: now.read, PublishRate: 1, PublishBurst: 3})
			c.who.Grants, c.other.Grants = hub.Everything, hub.Everything
			l := &hubtest.Loop{}
			want := func(result string, publish func(hub.Publication, func(hub.Result))) {
				t.Helper()
				publish(hub.Publication{Channel: "a"}, func(r hub.Result) {
					if code(r.Err) != result {
						t.Errorf("got %v, want %s", r.Err, result)
					}
				})
			}
			over := func(who hub.Identity) func(hub.Publication, func(hub.Result)) {
				client, err := h.Connect(l.Exchange(), who, &hubtest.Outlet{})
				if err != nil {
					t.Fatal(err)
				}
				return func(p hub.Publication, done func(hub.Result)) {
					client.Publish(p, done)
					client.Close()
				}
			}
			as := func(p hub.Publication, done func(hub.Result)) { h.PublishAs(&c.who, p, done) }
			want("<nil>", over(c.who))
			want("<nil>", as)
			want("<nil>", over(c.who))
			want("too_fast", over(c.who))
			want("too_fast", as)
			want("<nil>", over(c.other))
			now.pass(time.Second)
			want("<nil>", as)
			want("too_fast", over(c.who))
		})
	}
}

// Where a client comes from is what its connection says, unless the hook knows
// better; of IPv6 a customer has a network.
func TestAddress(t *testing.T) {
	h := newHub(t, hub.Config{})
	anyone := hub.Anyone(hub.Everything)
	for host, want := range map[string]string{
		"192.0.2.1":        "192.0.2.1",
		"::ffff:192.0.2.1": "::ffff:192.0.2.1",
		"2001:db8::1":      "2001:db8::/64",
		"2001:db8::ff:1":   "2001:db8::/64",
		"fe80::1%eth0":     "fe80::/64",
		"":                 "",
	} {
		who, err := h.Admit(anyone, &asgi.Scope{Client: asgi.Address{Host: host}}, "")
		if err != nil || who.Address != want {
			t.Errorf("%q: %q, %v", host, who.Address, err)
		}
	}
	var proxied hub.Authenticate = func(*asgi.Scope, string) (hub.Identity, error) { return hub.Identity{Address: "a"}, nil }
	if who, _ := h.Admit(proxied, &asgi.Scope{Client: asgi.Address{Host: "b"}}, ""); who.Address != "a" {
		t.Errorf("%q", who.Address)
	}
}

// The buckets of channels are dropped when they are full again, and not before.
func TestManyRates(t *testing.T) {
	var now clock
	h := newHub(t, hub.Config{Now: now.read, PublishRate: -1, Channels: map[string]hub.Options{"": {PublishRate: 0.001, HistoryMessages: -1}}})
	p := connect(t, h, &hubtest.Loop{}, "")
	say := func(channel string) (result string) {
		p.Publish(hub.Publication{Channel: channel}, func(r hub.Result) { result = code(r.Err) })
		return result
	}
	for i := range 30_000 {
		if got := say(fmt.Sprint(i)); got != "<nil>" {
			t.Fatal(got)
		}
	}
	if got := say("0"); got != "too_fast" {
		t.Errorf("after many others: %s", got)
	}
	now.pass(1000 * time.Second)
	if got := say("0"); got != "<nil>" {
		t.Errorf("when it is full again: %s", got)
	}
}
