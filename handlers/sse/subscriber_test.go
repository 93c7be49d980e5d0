package sse_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/cursor"
	"github.com/gale-server/gale/handlers/sse"
)

// users are clients whose IDs are shared, and clients of whom each has its own.
var users = []string{"", "ann"}

func forUsers(t *testing.T, test func(t *testing.T, c sse.Config)) {
	for _, user := range users {
		t.Run("user="+user, func(t *testing.T) { test(t, sse.Config{Authenticate: as(user), Retry: -1}) })
	}
}

func TestMessages(t *testing.T) {
	forUsers(t, func(t *testing.T, c sse.Config) {
		s := newStation(t, hub.Config{}, c)
		l := s.get("ch=a")
		l.wants("subscribed a 0/0 0")
		s.publish("a", "hello", `{"x": 1}`)
		s.publish("b", "another channel")
		l.wants("a1 hello", `a2 {"x":1}`)
		r, err := s.hub.PublishOne(hub.Publication{
			Channel: "a", Data: []byte("line\r\nline\rline\nid: x\n\ndata: y"), Key: "k\n", Tags: map[string]string{"a\r": "b\n"}, Publisher: "bob\n\n",
		})
		if err != nil {
			t.Fatal(err)
		}
		b := l.browser()
		ev := b.events[len(b.events)-1]
		want := fmt.Sprintf(`{"channel":"a","epoch":"%s","offset":3,"time":1800000000000,"from":"bob\n\n","key":"k\n","tags":{"a\r":"b\n"},"text":"line\r\nline\rline\nid: x\n\ndata: y"}`, r.Epoch)
		if ev.Type != "message" || ev.Data != want {
			t.Errorf("%+v", ev)
		}
		if r := l.x.Response(); r.Complete || r.Status != 200 {
			t.Errorf("%+v", r)
		}
	})
}

// Each event's ID says how far the client is with it.
func TestIDs(t *testing.T) {
	forUsers(t, func(t *testing.T, c sse.Config) {
		for _, channels := range []string{"a", "b,a"} {
			s := newStation(t, hub.Config{}, c)
			l := s.get("ch=" + channels)
			s.publish("a", "1", "2")
			s.publish("b", "x")
			s.publish("a", "3")
			var events []dispatched
			var all []string // the order of two channels is not kept
			for i, ev := range l.browser().events {
				if ev.ID == "" && (i > 0 || channels == "a") {
					t.Errorf("%+v has no ID", ev)
				}
				if ev.ID != "" {
					events = append(events, ev)
				}
				if ev.Type == "message" {
					all = append(all, shorten(t, ev))
				}
			}
			if len(events) != len(all)+1 {
				t.Fatalf("%d events with an ID, %q", len(events), all)
			}
			for i, ev := range events {
				back := s.get("ch="+channels, lastEventID(ev.ID))
				var got []string
				for _, short := range back.next() {
					if !strings.HasPrefix(short, "subscribed") {
						got = append(got, short)
					}
				}
				for _, short := range all[i:] {
					if !strings.Contains(strings.Join(got, "\n")+"\n", short+"\n") {
						t.Errorf("%s, back from %+v: %q", channels, ev, got)
					}
				}
				if len(got) != len(all)-i {
					t.Errorf("%s, back from %+v: %q", channels, ev, got)
				}
				back.leave()
			}
			if n := s.handler.Stats().Resumed; n != uint64(len(all)+1) {
				t.Errorf("%d were resumed", n)
			}
		}
	})
}

// IDs are the same cursors as other transports have.
func TestIDIsCursor(t *testing.T) {
	var identity hub.Identity
	s := newStation(t, hub.Config{}, sse.Config{ProofAge: time.Minute, Authenticate: func(*asgi.Scope, string) (hub.Identity, error) {
		identity.Grants = hub.Everything
		return identity, nil
	}})
	for _, tc := range []struct {
		user    string
		expires time.Duration // 0: never
		want    time.Duration // of the ID
	}{
		{"", 0, time.Minute},
		{"", time.Hour, time.Minute},
		{"", 30 * time.Second, 30 * time.Second},
		{"ann", 0, time.Minute},
		{"ann", 30 * time.Second, 30 * time.Second},
	} {
		identity = hub.Identity{User: tc.user}
		if tc.expires > 0 {
			identity.Expires = s.now.Add(tc.expires)
		}
		l := s.get("ch=a")
		place := s.publish("a", "x")
		id := l.leave()
		c, err := secret(t).Open(id, []string{"a"}, tc.user, s.now)
		if err != nil || c.Places[0] != place || !c.Expires.Equal(s.now.Add(tc.want)) {
			t.Errorf("%+v: %+v, %v", tc, c, err)
		}
		if len(id) > 64 {
			t.Errorf("an ID has %d bytes", len(id))
		}
	}
	// It is good for going on when it has expired: who may read is asked anew.
	identity = hub.Identity{User: "ann"}
	l := s.get("ch=a")
	id := l.leave()
	s.now = s.now.Add(2 * time.Minute)
	s.publish("a", "later")
	for _, l := range []*listener{s.get("ch=a", lastEventID(id)), s.get("ch=a&cursor=" + id), s.get("ch=a&last_event_id=" + id)} {
		l.wants("subscribed a 5/6 0", "a6 later")
	}
}

func TestWhereToBegin(t *testing.T) {
	s := newStation(t, hub.Config{}, sse.Config{})
	first := s.publish("a", "1")
	second := s.publish("a", "2")
	third := s.publish("a", "3")
	other := s.publish("b", "x")
	id := func(p hub.Position) string {
		return secret(t).Sign(cursor.Cursor{Channels: []string{"a"}, Places: []hub.Position{p}})
	}
	field := lastEventID(id(first))
	for _, tc := range []struct {
		query   string
		headers []asgi.Header
		want    []string
	}{
		{"ch=a", nil, []string{"subscribed a 3/3 0"}},
		{"ch=a&last=2", nil, []string{"subscribed a 1/3 0", "a2 2", "a3 3"}},
		{"ch=a&last=9", nil, []string{"subscribed a 0/3 0", "a1 1", "a2 2", "a3 3"}},
		{"ch=a" + at(second), nil, []string{"subscribed a 2/3 0", "a3 3"}},
		{"ch=a" + at(third), nil, []string{"subscribed a 3/3 0"}},
		{"ch=a&after=:0", nil, []string{"subscribed a 0/3 0", "a1 1", "a2 2", "a3 3"}},
		{"ch=a" + at(second) + "&last=3", nil, []string{"subscribed a 2/3 0", "a3 3"}},
		{"ch=a&cursor=" + id(second) + at(third), nil, []string{"subscribed a 2/3 0", "a3 3"}},
		{"ch=a&last_event_id=" + id(first) + "&cursor=" + id(second), nil, []string{"subscribed a 1/3 0", "a2 2", "a3 3"}},
		{"ch=a&last_event_id=" + id(third) + "&cursor=" + id(second), []asgi.Header{field}, []string{"subscribed a 1/3 0", "a2 2", "a3 3"}},
		{"ch=a&cursor=" + id(second), []asgi.Header{field}, []string{"subscribed a 1/3 0", "a2 2", "a3 3"}},
		{"ch=a,b" + at(second, other), nil, []string{"subscribed a 2/3 0", "a3 3", "subscribed b 1/1 0"}},
		{"ch=b,a" + at(other, second), nil, []string{"subscribed b 1/1 0", "subscribed a 2/3 0", "a3 3"}},
		{"ch=a,b&after=" + at(second)[len("&after="):] + ",", nil, []string{"subscribed b 1/1 0", "subscribed a 2/3 0", "a3 3"}},
		{"ch=a,b&last=2,0", nil, []string{"subscribed b 1/1 0", "subscribed a 1/3 0", "a2 2", "a3 3"}},
		{"ch=a,b&after=,&last=1", nil, []string{"subscribed a 2/3 0", "a3 3", "subscribed b 0/1 0", "b1 x"}},
		{"ch=a&after=" + second.Epoch + ":9", nil, []string{"gap a 9-3 -1", "subscribed a 3/3 -1"}},
		{"ch=a&after=e:x:2", nil, []string{"gap a 2-0 -1", "subscribed a 0/3 -1", "a1 1", "a2 2", "a3 3"}},
	} {
		l := s.get(tc.query, tc.headers...)
		l.wants(tc.want...)
		if t.Failed() {
			t.Fatalf("%s %v", tc.query, tc.headers)
		}
		l.leave()
	}
}

// What cannot be read any more is a gap, and told once.
func TestGap(t *testing.T) {
	forUsers(t, func(t *testing.T, c sse.Config) {
		s := newStation(t, hub.Config{Channels: map[string]hub.Options{"a": {HistoryMessages: 2}}}, c)
		s.publish("b", "x")
		l := s.get("ch=a,b")
		s.publish("a", "1")
		id := l.leave()
		s.publish("a", "2", "3", "4", "5")
		l = s.get("ch=a,b", lastEventID(id))
		l.wants("gap a 1-3 2", "subscribed a 3/5 2", "a4 4", "a5 5", "subscribed b 1/1 0")
		// The gap has an ID of its own: who is cut off behind it is not told again.
		told := l.browser().events[0]
		if told.ID == "" || told.ID == id {
			t.Errorf("%+v", told)
		}
		s.get("ch=a,b", lastEventID(told.ID)).wants("subscribed a 3/5 0", "a4 4", "a5 5", "subscribed b 1/1 0")
	})
}

// A browser whose ID nobody knows is told so, and gets what there is.
func TestUnknownID(t *testing.T) {
	s := newStation(t, hub.Config{}, sse.Config{Authenticate: as("ann")})
	place := s.publish("a", "1")
	other, err := cursor.New([]byte("the secret of another process"))
	if err != nil {
		t.Fatal(err)
	}
	of := func(s *cursor.Signer, user string, channels ...string) string {
		c := cursor.Cursor{Channels: channels, User: user}
		for range channels {
			c.Places = append(c.Places, place)
		}
		return s.Sign(c)
	}
	for what, id := range map[string]string{
		"nonsense":         "x",
		"another secret":   of(other, "ann", "a"),
		"another user":     of(secret(t), "bob", "a"),
		"another channel":  of(secret(t), "ann", "b"),
		"further channels": of(secret(t), "ann", "a", "b"),
	} {
		l := s.get("ch=a", lastEventID(id))
		if got := fmt.Sprint(l.next()); got != "[gap a 0-0 -1 subscribed a 0/1 -1 a1 1]" {
			t.Errorf("%s: %s", what, got)
		}
		l.leave()
	}
	// It is the same for a channel that is no more.
	s.get("ch=new", lastEventID(of(secret(t), "ann", "new"))).wants("gap new 1-0 -1", "subscribed new 0/0 -1")
	s.get("ch=a", lastEventID("")).wants("subscribed a 1/1 0")
}

// A process with the same secret and another memory.
func TestRestart(t *testing.T) {
	forUsers(t, func(t *testing.T, c sse.Config) {
		s := newStation(t, hub.Config{}, c)
		l := s.get("ch=a")
		s.publish("a", "1", "2")
		id := l.leave()
		s = newStation(t, hub.Config{}, c)
		s.publish("a", "anew")
		s.get("ch=a", lastEventID(id)).wants("gap a 2-0 -1", "subscribed a 0/1 -1", "a1 anew")
	})
}

func TestPatterns(t *testing.T) {
	s := newStation(t, hub.Config{}, sse.Config{})
	l := s.get("ch=n:*,a")
	l.wants("subscribed n:* 0/0 0", "subscribed a 0/0 0")
	s.publish("n:1", "x")
	s.publish("n:2", "y")
	s.publish("m", "z")
	s.publish("a", "1")
	l.wants("n:11 x", "n:21 y", "a1 1")
	id := l.leave()
	s.publish("a", "2")
	s.publish("n:1", "missed")
	l = s.get("ch=n:*,a", lastEventID(id))
	l.wants("gap n:* 0-0 -1", "subscribed n:* 0/0 -1", "subscribed a 1/2 0", "a2 2")
	s.publish("n:1", "again")
	l.wants("n:13 again")
}

// A slow client costs nothing and misses nothing: the history is its queue.
func TestSlow(t *testing.T) {
	forUsers(t, func(t *testing.T, c sse.Config) {
		s := newStation(t, hub.Config{}, c)
		l, other := s.get("ch=a,b"), s.get("ch=a")
		s.publish("a", "1")
		l.wants("subscribed a 0/0 0", "subscribed b 0/0 0", "a1 1")
		l.x.Congest()
		for i := range 50 {
			s.publish("a", fmt.Sprint(i))
			s.publish("b", fmt.Sprint(i))
		}
		l.wants()
		if n := len(other.next()); n != 52 {
			t.Errorf("the other has got %d events", n)
		}
		l.x.Drain()
		got := l.next()
		if len(got) != 100 || got[0] != "a2 0" || got[49] != "a51 49" || got[50] != "b1 0" || got[99] != "b50 49" {
			t.Errorf("%q", got)
		}
		s.publish("a", "live")
		l.wants("a52 live")
	})
}

// What a client does not take of a batch is not lost.
func TestSlowInBatch(t *testing.T) {
	forUsers(t, func(t *testing.T, c sse.Config) {
		s := newStation(t, hub.Config{}, c)
		place := s.publish("a", "0")
		var want []string
		for i := range 100 {
			text := fmt.Sprint(i, strings.Repeat("x", 1000))
			s.publish("a", text)
			want = append(want, fmt.Sprintf("a%d %s", i+2, text))
		}
		x := asgitest.New(t, asgi.HandlerFunc(func(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
			return s.handler.Open(scope, &narrow{Exchange: x, room: 12 << 10})
		}), asgitest.HTTPScope("GET", "/?ch=a"+at(place)))
		l := &listener{s: s, x: x}
		var got []string
		for before := 0; ; {
			got = append(got, l.next()...)
			n := len(x.Response().Body) - before
			if n > 22<<10 {
				t.Fatalf("%d bytes at once", n)
			}
			if n == 0 {
				break
			}
			before += n
			x.Congest()
			x.Drain()
		}
		if fmt.Sprint(got[1:]) != fmt.Sprint(want) {
			t.Errorf("got %d events", len(got))
		}
	})
}

// narrow is an exchange whose outbox is congested whenever a piece has been sent,
// until it has been drained.
type narrow struct {
	asgi.Exchange
	room, held int
}

func (x *narrow) Send(ev asgi.SendEvent) error {
	x.held += asgi.Size(ev)
	return x.Exchange.Send(ev)
}

func (x *narrow) Congested() bool {
	if x.held > x.room {
		x.held = 0
		return true
	}
	return false
}

func TestSlowPolicies(t *testing.T) {
	payload := strings.Repeat("x", 1000)
	for policy, want := range map[hub.SlowPolicy][]string{
		hub.SlowDisconnect: {"ended too_slow", "END"},
		hub.SlowLatest:     {"gap a 0-9 9", "a10 " + payload},
	} {
		s := newStation(t, hub.Config{Channels: map[string]hub.Options{"a": {Slow: policy, MaxLagBytes: 5000}}}, sse.Config{})
		l := s.get("ch=a")
		l.wants("subscribed a 0/0 0")
		l.x.Congest()
		for range 10 {
			s.publish("a", payload)
		}
		l.x.Run()
		if policy != hub.SlowDisconnect {
			l.x.Drain()
		}
		l.wants(want...)
		if policy == hub.SlowDisconnect && l.browser().lastID == "end" {
			t.Error("who was too slow may not come back")
		}
	}
}

func TestEnds(t *testing.T) {
	for what, tc := range map[string]struct {
		do    func(s *station)
		want  []string
		retry bool // longer than usual
		final bool // browsers do not come back
	}{
		"disconnect": {func(s *station) {
			s.hub.Disconnect("ann", &hub.Error{Code: hub.Disconnected, Text: "out"})
		}, []string{"ended disconnected", "END"}, false, true},
		"drain": {func(s *station) {
			s.hub.Disconnect("ann", &hub.Error{Code: hub.Draining, Text: "stop"})
		}, []string{"ended draining", "END"}, true, false},
		"wait": {func(s *station) {
			s.hub.Disconnect("ann", &hub.Error{Code: hub.TooFast, Text: "stop", RetryAfter: time.Minute})
		}, []string{"ended too_fast", "END"}, true, false},
		"close": {func(s *station) { s.hub.Close() }, []string{"ended draining", "END"}, true, false},
		"one": {func(s *station) {
			s.hub.Unsubscribe("ann", "b", &hub.Error{Code: hub.NotAllowed, Text: "out"})
			s.publish("b", "x")
			s.publish("a", "1")
		}, []string{"ended b not_allowed", "a1 1"}, false, false},
		"all": {func(s *station) {
			s.hub.Unsubscribe("ann", "b", &hub.Error{Code: hub.NotAllowed, Text: "out"})
			s.hub.Unsubscribe("ann", "a", &hub.Error{Code: hub.NotAllowed, Text: "out"})
		}, []string{"ended b not_allowed", "ended a not_allowed", "ended not_allowed", "END"}, false, true},
		"broker": {func(s *station) {
			s.hub.Unsubscribe("ann", "b", &hub.Error{Code: hub.Unavailable, Text: "gone"})
		}, []string{"ended unavailable", "END"}, true, false},
	} {
		t.Run(what, func(t *testing.T) {
			s := newStation(t, hub.Config{}, sse.Config{Authenticate: as("ann")})
			l := s.get("ch=a,b")
			l.next()
			before := l.browser()
			tc.do(s)
			l.wants(tc.want...)
			after := l.browser()
			if tc.final != (after.lastID == "end") {
				t.Errorf("the last ID is %q", after.lastID)
			}
			if tc.retry != (after.retry != before.retry) {
				t.Errorf("retry %s after %s", after.retry, before.retry)
			}
			if what == "wait" && after.retry != "60000" {
				t.Errorf("retry %s", after.retry)
			}
			open := 0
			if !l.x.Response().Complete {
				open = 1
			}
			if st := s.hub.Stats(); st.Clients != open || st.Subscriptions != open {
				t.Errorf("%+v", st)
			}
			if st := s.handler.Stats(); st.Streams != open {
				t.Errorf("%+v", st)
			}
			if tc.final {
				if r := s.get("ch=a,b", lastEventID(after.lastID)).x.Response(); r.Status != 204 {
					t.Errorf("%+v", r)
				}
			}
		})
	}
}

func TestDrain(t *testing.T) {
	s := newStation(t, hub.Config{}, sse.Config{})
	l := s.get("ch=a")
	id := l.browser().lastID
	l.x.Deliver(&asgi.Drain{Deadline: time.Now().Add(time.Minute)})
	l.wants("subscribed a 0/0 0", "END")
	_, rest, _ := strings.Cut(body(l.x), `"missing":0}`)
	if rest := retryOf(t, strings.TrimLeft(rest, "\n"), 5000, 10000); rest != "END" {
		t.Errorf("%q", rest)
	}
	if l.browser().lastID != id {
		t.Error("who comes back will not get what it has missed")
	}
	s.publish("a", "1")
	if st := s.hub.Stats(); st.Clients != 0 || s.handler.Stats().Streams != 0 {
		t.Errorf("%+v", st)
	}
	l.wants()
}

func TestAgeAndHeartbeat(t *testing.T) {
	s := newStation(t, hub.Config{}, sse.Config{Retry: -1, Heartbeat: time.Minute, MaxAge: 10 * time.Minute})
	l := s.get("ch=a")
	l.wants("subscribed a 0/0 0")
	before := len(body(l.x))
	l.x.Advance(2 * time.Minute)
	if got := body(l.x)[before:]; got != ":\n\n" {
		t.Errorf("%q", got)
	}
	l.x.Advance(8 * time.Minute)
	l.wants("END")
	if st := s.hub.Stats(); st.Clients != 0 || s.handler.Stats().Streams != 0 {
		t.Errorf("%+v", st)
	}
}

// A stream that is left leaves nothing behind.
func TestLeave(t *testing.T) {
	asgitest.CheckLeaks(t)
	s := newStation(t, hub.Config{}, sse.Config{})
	l := s.get("ch=a,b*")
	if st := s.handler.Stats(); st != (sse.Stats{Streams: 1, Opened: 1}) {
		t.Errorf("%+v", st)
	}
	l.x.Congest()
	s.publish("a", "1")
	l.leave()
	s.publish("a", "2")
	l.x.Run()
	if st := s.hub.Stats(); st.Clients != 0 || st.Subscriptions != 0 {
		t.Errorf("%+v", st)
	}
	if st := s.handler.Stats(); st != (sse.Stats{Opened: 1}) {
		t.Errorf("%+v", st)
	}
}
