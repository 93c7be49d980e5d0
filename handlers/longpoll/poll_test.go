package longpoll_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/longpoll"
)

func TestPoll(t *testing.T) {
	asgitest.CheckLeaks(t)
	p := open(t, hub.Config{}, longpoll.Config{})
	p.publish("a", "before")
	first := p.poll("ch=a&wait=0")
	p.want(first, "timeout")
	x := p.park(with("a", first.Cursor))
	p.publish("a", "1", "2")
	woken := p.answered(x)
	p.want(woken, "1 2 data")
	p.publish("a", "x", "y")
	p.want(p.poll(with("a", woken.Cursor)), "x y data")
	p.want(p.poll(with("a", woken.Cursor)), "x y data") // an answer that was lost is repeated
	all := p.poll(with("a", first.Cursor))
	p.want(all, "1 2 x y data")
	last := p.park(with("a", all.Cursor))
	p.publish("b", "of another channel")
	p.parked(last)
	if n := p.polls.Stats().Parked; n != 1 {
		t.Errorf("%d are parked", n)
	}
	last.Deliver(&asgi.HTTPDisconnect{})
	if s := p.polls.Stats(); s.Parked != 0 || s.Left != 1 || s.Data != 4 || s.Timeout != 1 || s.Woken != 1 || s.Messages != 10 {
		t.Errorf("%+v", s)
	}
	if s := p.hub.Stats(); s.Clients != 0 || s.Subscriptions != 0 {
		t.Errorf("%+v", s)
	}
}

func TestFirstPoll(t *testing.T) {
	p := open(t, hub.Config{}, longpoll.Config{})
	p.publish("a", "x", "y", "z")
	p.want(p.poll("ch=a&last=2"), "y z data")
	p.want(p.poll("ch=a&last=99"), "x y z data")
	p.want(p.poll("ch=a&last=0&wait=0"), "timeout")
	// last counts for nothing with a cursor.
	p.want(p.poll(with("a", p.start("a"))+"&last=2&wait=0"), "timeout")
	x := p.park("ch=a")
	p.publish("a", "new")
	p.want(p.answered(x), "new data")
}

// A first poll goes on from places that are known from elsewhere, or begins with
// something of the history, each channel as it is said.
func TestPlaces(t *testing.T) {
	p := open(t, hub.Config{Channels: map[string]hub.Options{"": {HistoryMessages: 4}}}, longpoll.Config{})
	p.publish("a", "a1", "a2", "a3")
	p.publish("b", "b1", "b2", "b3")
	p.publish("c", "c1", "c2", "c3")
	began := p.poll("ch=a,b,c&wait=0&last=1,0,2")
	texts := func(a answer, channel string) (all []string) {
		for _, m := range a.Messages {
			if m.Channel == channel {
				all = append(all, m.Text)
			}
		}
		return all
	}
	if got := fmt.Sprint(texts(began, "a"), texts(began, "b"), texts(began, "c")); got != "[a3] [] [c2 c3]" {
		t.Errorf("got %s", got)
	}
	places := map[string]hub.Position{}
	for _, s := range began.Subscribed {
		places[s.Channel] = s.Position
		if s.Missing != 0 || s.Top.Offset != 3 || s.Top.Epoch != s.Position.Epoch || s.Top.Epoch == "" {
			t.Errorf("%+v", s)
		}
	}
	if len(began.Subscribed) != 3 || places["a"].Offset != 2 || places["b"].Offset != 3 || places["c"].Offset != 1 {
		t.Errorf("%+v", began.Subscribed)
	}
	p.publish("b", "b4")
	p.publish("c", "c4", "c5", "c6")
	after := fmt.Sprintf("&after=%s:2,,%s:1", places["a"].Epoch, places["c"].Epoch)
	a := p.poll("ch=a,b,c&last=2" + after) // for b, about which after says nothing
	if got := fmt.Sprint(texts(a, "a"), texts(a, "b"), texts(a, "c")); got != "[a3] [b3 b4] [c3 c4 c5 c6]" || len(a.Gaps) != 1 || a.Gaps[0].Channel != "c" || a.Gaps[0].Missing != 1 {
		t.Errorf("got %s, %+v", got, a.Gaps)
	}
	if a := p.poll(with("a,b,c", a.Cursor) + "&wait=0" + after); a.got() != "timeout" || a.Subscribed != nil {
		t.Errorf("a cursor does not count more than places: %s, %+v", a.got(), a.Subscribed)
	}
	p.want(p.poll("ch=a&after=elsewhere:7"), "gap a -1, a1 a2 a3 data")
	// One that waits tells it with what comes.
	x := p.park("ch=d")
	p.publish("d", "d1")
	if a := p.answered(x); a.got() != "d1 data" || len(a.Subscribed) != 1 || a.Subscribed[0].Position.Offset != 0 {
		t.Errorf("%s %+v", a.got(), a.Subscribed)
	}
}

func TestManyChannels(t *testing.T) {
	p := open(t, hub.Config{}, longpoll.Config{})
	var names []string
	for i := range 20 {
		names = append(names, fmt.Sprint("channel-", i))
	}
	list := strings.Join(names, ",")
	cursor := p.start(list)
	x := p.park(with(list, cursor))
	p.publish("channel-7", "x")
	p.publish("channel-3", "y")
	p.publish("channel-7", "z")
	a := p.answered(x)
	if len(a.Messages) != 3 {
		t.Errorf("one answer has %d of the 3 messages", len(a.Messages))
	}
	// A cursor is good for the channels in any order, and as several parameters.
	query := "cursor=" + a.Cursor
	for i := range names {
		query += "&ch=" + names[len(names)-1-i]
	}
	x = p.park(query)
	p.publish("channel-0", "w")
	p.want(p.answered(x), "w data")
}

// Each subset of what was published must come once and in order, however it is
// cut.
func TestLimits(t *testing.T) {
	p := open(t, hub.Config{}, longpoll.Config{MaxMessages: 10, MaxBytes: 2000, PollRate: -1})
	cursor := p.start("a,b")
	var want []string
	for i := range 35 {
		p.publish("a", fmt.Sprint("x", i))
		want = append(want, fmt.Sprint("x", i))
	}
	for _, limit := range []string{"", "&limit=4", "&limit=1", "&limit=99999999999999999999"} {
		most := map[string]int{"": 10, "&limit=4": 4, "&limit=1": 1}[limit]
		if most == 0 {
			most = 10
		}
		var got []string
		for at := cursor; ; {
			a := p.poll(with("a,b", at) + "&wait=0" + limit)
			if len(a.Messages) > most {
				t.Errorf("%s: %d messages", limit, len(a.Messages))
			}
			if len(a.Messages) == 0 {
				break
			}
			for _, m := range a.Messages {
				got = append(got, m.Text)
			}
			at = a.Cursor
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s: got %q", limit, got)
		}
	}
}

func TestBytes(t *testing.T) {
	p := open(t, hub.Config{}, longpoll.Config{MaxBytes: 2000, PollRate: -1})
	at := p.start("b")
	large := strings.Repeat("y", 900)
	p.publish("b", large, large, large, strings.Repeat("z", 5000), "end")
	for _, want := range []int{2, 1, 1, 1, 0} {
		a := p.poll(with("b", at) + "&wait=0")
		if len(a.Messages) != want {
			t.Errorf("%d messages, want %d", len(a.Messages), want)
		}
		at = a.Cursor
	}
}

// A channel with so much traffic that it fills every answer does not keep the
// other from ever being heard.
func TestFairness(t *testing.T) {
	p := open(t, hub.Config{}, longpoll.Config{MaxMessages: 5, PollRate: -1})
	at := p.start("busy,quiet")
	p.publish("quiet", "hello")
	for range 100 {
		p.publish("busy", "1", "2", "3", "4", "5", "6")
		a := p.poll(with("busy,quiet", at))
		for _, m := range a.Messages {
			if m.Channel == "quiet" {
				return
			}
		}
		at = a.Cursor
	}
	t.Error("the quiet channel was not heard in 100 polls")
}

func TestTimeout(t *testing.T) {
	p := open(t, hub.Config{}, longpoll.Config{Wait: 16 * time.Second, MaxWait: 32 * time.Second})
	cursor := p.start("a")
	for _, tc := range []struct {
		query   string
		headers []asgi.Header
		wait    time.Duration
		applied string
	}{
		{"", nil, 16 * time.Second, ""},
		{"&wait=8", nil, 8 * time.Second, ""},
		{"&wait=99", nil, 32 * time.Second, ""},
		{"", []asgi.Header{header("prefer", "wait=8")}, 8 * time.Second, "wait=8"},
		{"", []asgi.Header{header("prefer", "respond-async, wait=99")}, 32 * time.Second, "wait=32"},
		{"", []asgi.Header{header("prefer", "wait=soon")}, 16 * time.Second, ""},
		{"&wait=8", []asgi.Header{header("prefer", "wait=9")}, 8 * time.Second, "wait=8"},
	} {
		x := p.park(with("a", cursor)+tc.query, tc.headers...)
		x.Advance(tc.wait*15/16 - time.Millisecond)
		p.parked(x)
		x.Advance(tc.wait/16 + time.Millisecond)
		a := p.answered(x)
		p.want(a, "timeout")
		if got := a.response.Header("preference-applied"); got != tc.applied {
			t.Errorf("%q %v: %q was applied", tc.query, tc.headers, got)
		}
		if a.Cursor == "" || a.RetryMS != 0 {
			t.Errorf("%+v", a)
		}
	}
}

// The wait is less by chance, never more, and by no more than a sixteenth: see
// TestTimeout. Here, that it is by chance.
func TestJitter(t *testing.T) {
	p := open(t, hub.Config{}, longpoll.Config{})
	cursor := p.start("a")
	var parked []*asgitest.Exchange
	for range 40 {
		parked = append(parked, p.park(with("a", cursor)+"&wait=48"))
	}
	early := 0
	for _, x := range parked {
		x.Advance(46500 * time.Millisecond) // in the middle
		if x.Response().Complete {
			early++
		}
	}
	if early == 0 || early == len(parked) { // by chance once in 2^39
		t.Errorf("%d of %d in the first half", early, len(parked))
	}
}

// What the hub does not let pass counts as seen: the cursor goes on.
func TestTimeoutMovesOn(t *testing.T) {
	p := open(t, hub.Config{}, longpoll.Config{})
	at := p.start("a")
	if _, err := p.hub.PublishOne(hub.Publication{Channel: "a", Data: []byte("x"), TTL: time.Second}); err != nil {
		t.Fatal(err)
	}
	p.clock.add(2 * time.Second)
	a := p.poll(with("a", at) + "&wait=0")
	p.want(a, "timeout")
	for range 300 { // so many that the history ends behind the first cursor
		p.publish("a", "y")
	}
	if a := p.poll(with("a", at)); len(a.Gaps) != 1 || a.Gaps[0].Missing != 45 {
		t.Errorf("from the first cursor: %+v", a.Gaps)
	}
	if a := p.poll(with("a", a.Cursor)); len(a.Gaps) != 1 || a.Gaps[0].Missing != 44 {
		t.Errorf("from the next: %+v", a.Gaps)
	}
}

func TestGap(t *testing.T) {
	channels := map[string]hub.Options{"": {HistoryMessages: 4}}
	p := open(t, hub.Config{Channels: channels}, longpoll.Config{PollRate: -1})
	at := p.start("a")
	p.publish("a", "r", "s", "t", "u", "v", "w")
	a := p.poll(with("a", at))
	p.want(a, "gap a 2, t u v w data")
	if g := a.Gaps[0]; g.From.Offset != 0 || g.To.Offset != 2 || g.From.Epoch != g.To.Epoch || g.To.Epoch == "" {
		t.Errorf("%+v", g)
	}
	p.want(p.poll(with("a", a.Cursor)+"&wait=0"), "timeout") // it is told once
	p.want(p.poll(with("a", at)), "gap a 2, t u v w data")   // but to each who asks so

	// Another epoch, without anything in it, and later with something.
	p.hub.Forget("a")
	b := p.poll(with("a", a.Cursor))
	p.want(b, "gap a -1, data")
	p.publish("a", "z")
	p.want(p.poll(with("a", a.Cursor)), "gap a -1, z data")
	p.want(p.poll(with("a", b.Cursor)), "z data")
	if s := p.polls.Stats(); s.Gaps != 4 {
		t.Errorf("%+v", s)
	}
}

// A gap that comes about while a poll is parked.
func TestGapWhileParked(t *testing.T) {
	for _, strict := range []string{"", "&strict=1"} {
		p := open(t, hub.Config{}, longpoll.Config{PollRate: -1})
		x := p.park(with("a", p.start("a")) + strict)
		p.hub.Forget("a")
		p.parked(x) // nobody has missed anything
		p.publish("a", "z")
		a := p.answered(x)
		if strict == "" {
			p.want(a, "gap a -1, z data")
			continue
		}
		p.want(a, "gap a -1, 410 gone")
		p.want(p.poll(with("a", a.Cursor)+strict), "z data")
	}
}

func TestStrict(t *testing.T) {
	p := open(t, hub.Config{Channels: map[string]hub.Options{"": {HistoryMessages: 2}}}, longpoll.Config{PollRate: -1})
	at := p.start("a,b")
	p.publish("a", "w", "x", "y", "z")
	a := p.poll(with("a,b", at) + "&strict=1")
	p.want(a, "gap a 2, 410 gone")
	if a.Text == "" || a.Messages != nil || a.response.Header("cache-control") != "no-store" {
		t.Errorf("%+v %v", a, a.response.Headers)
	}
	p.want(p.poll(with("a,b", a.Cursor)+"&strict=1"), "y z data") // it goes on behind the gap
	p.want(p.poll(with("a,b", at)+"&strict=0"), "gap a 2, y z data")

	// What has come in another channel is not lost with the 410, whichever of them
	// is looked at first.
	p.publish("b", "hello")
	for range 20 {
		var got []string
		gaps := 0
		for at := at; len(got) < 3; {
			a := p.poll(with("b,a", at) + "&strict=1")
			if (a.status == 410) != (len(a.Gaps) > 0) || a.status == 410 && len(a.Messages) > 0 {
				t.Fatalf("%d %+v", a.status, a)
			}
			gaps += len(a.Gaps)
			for _, m := range a.Messages {
				got = append(got, m.Channel+" "+m.Text)
			}
			if a.Cursor == at {
				t.Fatalf("%+v goes on where it was", a)
			}
			at = a.Cursor
		}
		joined := strings.Join(got, ", ")
		if gaps != 1 || joined != "b hello, a y, a z" && joined != "a y, a z, b hello" {
			t.Fatalf("%d gaps, %s", gaps, joined)
		}
	}
}

// A poll that is full takes no more for now, which is no reason for the hub to
// think it slow.
func TestFull(t *testing.T) {
	p := open(t, hub.Config{Channels: map[string]hub.Options{"": {MaxLagBytes: 100}}}, longpoll.Config{MaxMessages: 2})
	x := p.park(with("a", p.start("a")))
	p.publish("a", "s", "t", "u", "v", "w")
	a := p.answered(x)
	p.want(a, "s t data")
	if n := p.hub.Stats().Slow; n != 1 {
		t.Errorf("the policy has acted %d times: this is no test of it", n)
	}
	a = p.poll(with("a", a.Cursor))
	p.want(a, "u v data")
	p.want(p.poll(with("a", a.Cursor)), "w data")
}

func TestETag(t *testing.T) {
	p := open(t, hub.Config{}, longpoll.Config{})
	first := p.poll("ch=a&wait=0")
	tag := first.response.Header("etag")
	if tag != `"`+first.Cursor+`"` {
		t.Errorf("the ETag is %s, the cursor %s", tag, first.Cursor)
	}
	for _, match := range []string{tag, "W/" + tag, " " + tag + ` , "other"`} {
		a := p.poll("ch=a&wait=0", header("if-none-match", match))
		p.want(a, "304")
		if a.response.Header("etag") == "" || a.response.Header("cache-control") != "no-store" || a.response.Header("content-type") != "" {
			t.Errorf("%v", a.response.Headers)
		}
		tag = a.response.Header("etag")
	}
	x := p.park("ch=a&wait=16", header("if-none-match", tag))
	x.Advance(16 * time.Second)
	p.want(p.answered(x), "304")
	x = p.park("ch=a&wait=16", header("if-none-match", tag))
	p.publish("a", "x")
	p.want(p.answered(x), "x data")
	// The query beats the field, which still asks for a 304.
	last := p.poll("ch=a&last=1").Cursor
	p.want(p.poll(with("a", last)+"&wait=0", header("if-none-match", tag)), "304")
	p.want(p.poll("ch=a&wait=0", header("if-none-match", "*")), "timeout")
	p.want(p.poll("ch=a&wait=0", header("if-none-match", `"nonsense"`)), "timeout")
}

// If-None-Match is a list of tags, weak or not, which may have been changed on the way;
// what is no tag of ours is as good as none.
func TestTags(t *testing.T) {
	p := open(t, hub.Config{}, longpoll.Config{})
	at := p.start("a")
	b := p.start("b")
	if at == b {
		t.Fatal("one cursor")
	}
	for field, known := range map[string]bool{
		`"` + at + `"`: true, `W/"` + at + `"`: true, ` "` + at + `" `: true,
		`"x", "` + at + `"`: true, `W/"x" , W/"` + at + `"`: true, `"","` + at + `"`: true, `"a,b", "` + at + `"`: true,
		`"` + b + `", "` + at + `"`: true, `"` + at + `", "` + b + `"`: true,
		`"` + at + `-gzip"`: true, `W/"` + at + `--gzip"`: true, `"` + at + `;br"`: true, `"` + at + `;gzip"`: true, `"` + at + `-zstd"`: true,
		`*`: false, ``: false, `"`: false, `,`: false, `"x"`: false, at: false, `"` + b + `"`: false, `"` + at + `-else"`: false, `W/`: false,
		`"` + at: true, // its end was lost, but not the cursor's
		`"1","2","3","4","5","6","7","8","` + at + `"`: false, // of so many nobody looks at all
	} {
		want := "timeout"
		if known {
			want = "304"
		}
		if a := p.poll("ch=a&wait=0", header("if-none-match", field)); a.got() != want {
			t.Errorf("%s: %s, want %s", field, a.got(), want)
		}
	}
	// In several fields, and what is new comes.
	p.publish("a", "x")
	p.want(p.poll("ch=a&wait=0", header("if-none-match", `"x"`), header("if-none-match", `W/"`+at+`-gzip"`)), "x data")
}

// A poll that supersedes another one has its place, at every limit.
func TestSupersededAtTheLimit(t *testing.T) {
	for _, limits := range []hub.Config{{MaxClientsPerUser: 1}, {MaxClients: 1}, {}} {
		p := open(t, limits, longpoll.Config{PollRate: -1, Authenticate: byToken, MaxParked: 1})
		at := p.poll("ch=a&wait=0&token=ann").Cursor
		older := p.park(with("a", at) + "&sid=tab")
		for range 3 {
			if a := p.poll(with("a", at) + "&sid=other"); a.got() != "503 too_many" {
				t.Errorf("another poll: %s", a.got())
			}
			p.parked(older)
			newer := p.park(with("a", at) + "&sid=tab")
			p.want(p.answered(older), "superseded")
			older = newer
		}
		if n := p.hub.Stats().Clients; n != 1 {
			t.Errorf("%d clients", n)
		}
	}
}

func TestSuperseded(t *testing.T) {
	p := open(t, hub.Config{}, longpoll.Config{PollRate: -1, Authenticate: byToken})
	at := p.poll("ch=a&wait=0&token=ann").Cursor
	bobs := p.poll("ch=a&wait=0&token=bob").Cursor
	alone := p.park(with("a", at))
	other := p.park(with("a", at) + "&sid=other")
	bob := p.park(with("a", bobs) + "&sid=tab")
	older := p.park(with("a", at) + "&sid=tab")
	newer := p.park(with("a", at) + "&sid=tab")
	a := p.answered(older)
	p.want(a, "superseded")
	if a.RetryMS < 2000 || a.RetryMS > 3000 {
		t.Errorf("retry_ms is %d", a.RetryMS)
	}
	for _, x := range []*asgitest.Exchange{alone, other, bob, newer} {
		p.parked(x)
	}
	p.want(p.poll(with("a", at)+"&sid=tab&wait=0"), "timeout")
	if n := p.polls.Sessions(); n != 2 { // of other, and of bob's tab
		t.Errorf("%d sessions", n)
	}
	p.want(p.answered(newer), "superseded")
	// One that has gone is nobody's predecessor.
	newest := p.park(with("a", a.Cursor) + "&sid=tab")
	newest.Deliver(&asgi.HTTPDisconnect{})
	last := p.park(with("a", a.Cursor) + "&sid=tab")
	p.publish("a", "x")
	for _, x := range []*asgitest.Exchange{alone, other, bob, last} {
		p.want(p.answered(x), "x data")
	}
	if s := p.polls.Stats(); s.Superseded != 2 || s.Parked != 0 || p.polls.Sessions() != 0 {
		t.Errorf("%+v, and %d sessions", s, p.polls.Sessions())
	}
}

func TestPacing(t *testing.T) {
	p := open(t, hub.Config{}, longpoll.Config{PollRate: 5, PollBurst: 2})
	at := p.start("a")
	query := with("a", at) + "&sid=s"
	p.park(query)
	p.clock.add(time.Millisecond)
	x := p.park(query)
	a := p.poll(query) // the third
	p.want(a, "timeout")
	if a.RetryMS < 199 || a.RetryMS > 400 {
		t.Errorf("retry_ms is %d", a.RetryMS)
	}
	p.answered(x)
	p.publish("a", "x") // data comes all the same
	a = p.poll(query)
	p.want(a, "x data")
	if a.RetryMS < 199 || a.RetryMS > 400 {
		t.Errorf("retry_ms is %d", a.RetryMS)
	}
	tagged := p.poll("ch=a&sid=s", header("if-none-match", `"`+a.Cursor+`"`))
	if tagged.got() != "304" || tagged.response.Header("retry-after") != "1" {
		t.Errorf("%s %v", tagged.got(), tagged.response.Headers)
	}
	p.clock.add(time.Duration(a.RetryMS) * time.Millisecond)
	p.park(with("a", a.Cursor) + "&sid=s")
	// Others are not concerned, nor who has no name.
	p.park(with("a", a.Cursor) + "&sid=t")
	for range 10 {
		p.park(with("a", a.Cursor))
	}
	if s := p.polls.Stats(); s.Paced != 3 {
		t.Errorf("%+v", s)
	}
	p.clock.add(time.Hour)
	p.park(with("a", p.start("a")) + "&sid=s")
}

func TestDrain(t *testing.T) {
	p := open(t, hub.Config{}, longpoll.Config{})
	at := p.start("a")
	for _, deadline := range []time.Duration{0, 8 * time.Second} {
		window, spread := 10*time.Second, 2*time.Second
		ev := &asgi.Drain{}
		if deadline > 0 {
			ev.Deadline = p.clock.Now().Add(deadline)
			window = deadline
		}
		most := int64(0)
		early := 0
		for range 30 {
			x := p.park(with("a", at))
			x.Deliver(ev)
			x.Advance(spread / 2)
			if x.Response().Complete {
				early++
			}
			x.Advance(spread / 2)
			a := p.answered(x)
			p.want(a, "draining")
			most = max(most, a.RetryMS)
			if a.RetryMS >= window.Milliseconds() {
				t.Errorf("retry_ms is %d", a.RetryMS)
			}
		}
		if early == 0 || early == 30 {
			t.Errorf("%d of 30 are answered in the first half", early)
		}
		if most < window.Milliseconds()/2 {
			t.Errorf("no retry_ms is above %d", most)
		}
	}
	// What comes until then comes.
	x := p.park(with("a", at))
	x.Deliver(&asgi.Drain{Deadline: p.clock.Now().Add(8 * time.Second)})
	p.publish("a", "x")
	if a := p.answered(x); a.got() != "x data" && a.got() != "x draining" {
		t.Errorf("%+v", a)
	}
	x.Advance(time.Minute)
}

func TestHubCloses(t *testing.T) {
	p := open(t, hub.Config{}, longpoll.Config{})
	at := p.start("a")
	x := p.park(with("a", at))
	if err := p.hub.Close(); err != nil {
		t.Fatal(err)
	}
	a := p.answered(x)
	p.want(a, "draining")
	if a.Cursor == "" {
		t.Error("no cursor")
	}
	p.want(p.poll(with("a", at)), "503 draining")
}

func TestDisconnected(t *testing.T) {
	p := open(t, hub.Config{}, longpoll.Config{Authenticate: byToken, PollRate: -1})
	at := p.poll("ch=a&wait=0&token=ann").Cursor
	x := p.park(with("a", at))
	if n := p.hub.Disconnect("ann", &hub.Error{Code: hub.Disconnected, Text: "out"}); n != 1 {
		t.Fatalf("%d clients of ann", n)
	}
	p.want(p.answered(x), "403 disconnected")
	// The cursor shows that somebody was let in before, which is no more.
	p.want(p.poll(with("a", at)), "401 token_expired")
	p.clock.add(time.Second)
	at = p.poll(with("a", at) + "&wait=0&token=ann").Cursor
	x = p.park(with("a", at))
	p.hub.Unsubscribe("ann", "a", &hub.Error{Code: hub.NotAllowed, Text: "no more"})
	if a := p.answered(x); a.got() != "403 not_allowed" || a.Channel != "a" {
		t.Errorf("%s about %q", a.got(), a.Channel)
	}
	p.want(p.poll(with("a", at)), "403 not_allowed")
	p.clock.add(time.Second)
	p.want(p.poll(with("a", at)+"&wait=0&token=ann"), "timeout")
	if s := p.hub.Stats(); s.Clients != 0 {
		t.Errorf("%+v", s)
	}
}

func TestLinger(t *testing.T) {
	p := open(t, hub.Config{}, longpoll.Config{Linger: 10 * time.Millisecond})
	x := p.park(with("a", p.start("a")))
	p.publish("a", "x")
	p.parked(x)
	p.publish("a", "y")
	x.Advance(9 * time.Millisecond)
	p.parked(x)
	x.Advance(time.Millisecond)
	p.want(p.answered(x), "x y data")
	// What was there already does not wait.
	p.want(p.poll("ch=a&last=1"), "y data")
}

func TestMaxParked(t *testing.T) {
	p := open(t, hub.Config{}, longpoll.Config{MaxParked: 2})
	at := p.start("a")
	p.park(with("a", at))
	x := p.park(with("a", at))
	a := p.poll(with("a", at))
	p.want(a, "503 too_many")
	if after := a.response.Header("retry-after"); after < "1" || after > "5" || len(after) != 1 || a.RetryMS < 1000 || a.RetryMS > 5000 {
		t.Errorf("Retry-After is %q, retry_ms %d", after, a.RetryMS)
	}
	p.want(p.poll(with("a", at)+"&wait=0"), "timeout")
	x.Deliver(&asgi.HTTPDisconnect{})
	x = p.park(with("a", at))
	p.publish("a", "x")
	p.want(p.poll(with("a", at)), "x data")
	p.want(p.answered(x), "x data")
}

// byToken is an Authenticate for which the token is the user's name.
func byToken(_ *asgi.Scope, token string) (hub.Identity, error) {
	switch token {
	case "":
		return hub.Identity{}, &hub.Error{Code: hub.BadToken, Text: "who are you?"}
	case "late":
		return hub.Identity{}, &hub.Error{Code: hub.TokenExpired, Text: "too late"}
	case "broken":
		return hub.Identity{}, fmt.Errorf("a secret of the server")
	}
	return hub.Identity{User: token, Grants: hub.Grants{Subscribe: []string{"a", "b", token + ":*"}}}, nil
}
