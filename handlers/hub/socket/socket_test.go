package socket_test

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/socket"
)

func TestConversation(t *testing.T) {
	p := newPlace(t, hub.Config{MaxSubscriptions: 7}, socket.Config{PingInterval: 9 * time.Second})
	ada := p.dial()
	ada.say(`{"id":1,"connect":{"token":"Ada"}}`)
	got := ada.want(`{"id":1,"connected":{"user":"Ada","ping":9000,"limits":{"publish_bytes":65536,"subscriptions":7}}}`)
	if c := got[0]["connected"].(map[string]any); c["client"] == "" || c["expires"] != nil || c["expires_in"] != nil {
		t.Errorf("connected is %v", c)
	}
	ada.say(` [ {"id":2,"subscribe":{"channel":"a"}} , {"subscribe":{"channel":"b"},"id":3} ] `)
	ada.want(`{"id":2,"subscribed":{"channel":"a","position":{"offset":0},"top":{"offset":0},"missing":0}}`,
		`{"id":3,"subscribed":{"channel":"b"}}`)
	ada.say(`{"id":4,"publish":{"channel":"a","data":{"n":[1, null]},"key":"k","ttl":5000,"tags":{"x":"<y>"}}}`)
	ada.want(`{"id":4,"published":{"offset":1}}`,
		`{"message":{"channel":"a","offset":1,"time":1000000,"from":"Ada","key":"k","tags":{"x":"<y>"},"data":{"n":[1,null]}}}`)
	ada.say(`{"id":5,"publish":{"channel":"a","text":"again","key":"k"}}`)
	ada.want(`{"id":5,"published":{"offset":1,"duplicate":true}}`)
	ada.say(`[{"id":6,"publish":{"channel":"b","text":"gr\u00fc\ud83d\ude00 \\ud800"}},{"id":7,"publish":{"channel":"b","base64":"gAA="}},
		{"id":8,"publish":{"channel":"b","data":null}},{"id":9,"publish":{"channel":"b","text":"","data":null}}]`)
	ada.want(`{"id":6,"published":{"offset":1}}`, `{"id":7,"published":{"offset":2}}`, `{"id":8,"published":{"offset":3}}`,
		`{"id":9,"error":{"code":"bad_request"}}`,
		`{"message":{"text":"grü😀 \\ud800"}}`, `{"message":{"base64":"gAA="}}`, `{"message":{"data":null}}`)
	ada.say(`{"id":10,"unsubscribe":{"channel":"a"}}`)
	ada.want(`{"id":10,"unsubscribed":{"channel":"a"}}`)
	p.publish("a", "2")
	ada.say(`{"id":11,"unsubscribe":{"channel":"a"}}`)
	ada.want(`{"id":11,"error":{"code":"not_subscribed"}}`)
	ada.say(`{"id":12,"ping":{}}`)
	ada.want(`{"id":12,"pong":{}}`)
}

func TestHistory(t *testing.T) {
	p := newPlace(t, hub.Config{Channels: map[string]hub.Options{"a": {HistoryMessages: 5}}}, socket.Config{})
	ada := p.enter("Ada")
	top := p.publish("a", "1", "2", "3", "4", "5", "6", "7")
	for _, c := range []struct {
		ask     string
		data    string
		missing int
	}{
		{`{"channel":"a"}`, "[3 4 5 6 7]", 0},
		{`{"channel":"a","limit":2}`, "[6 7]", 0},
		{`{"channel":"a","last":2,"limit":null}`, "[6 7]", 0},
		{`{"channel":"a","last":3,"limit":1}`, "[7]", 0},
		{`{"channel":"a","after":{}}`, "[3 4 5 6 7]", 0},
		{`{"channel":"a","after":{"epoch":"E","offset":5}}`, "[6 7]", 0},
		{`{"channel":"a","after":{"epoch":"E","offset":3},"limit":2}`, "[4 5]", 0},
		{`{"channel":"a","after":{"epoch":"E","offset":7}}`, "[]", 0},
		{`{"channel":"a","after":{"epoch":"E","offset":1}}`, "[3 4 5 6 7]", 1},
		{`{"channel":"a","after":{"epoch":"another","offset":1}}`, "[3 4 5 6 7]", -1},
	} {
		ada.say(`{"id":2,"history":%s}`, strings.ReplaceAll(c.ask, `"E"`, `"`+top.Epoch+`"`))
		got := ada.want(fmt.Sprintf(`{"id":2,"history":{"channel":"a","top":{"epoch":%q,"offset":7},"missing":%d}}`, top.Epoch, c.missing))
		data := []any{}
		for _, m := range got[0]["history"].(map[string]any)["messages"].([]any) {
			data = append(data, m.(map[string]any)["data"])
		}
		if fmt.Sprint(data) != c.data {
			t.Errorf("%s: %v, want %v", c.ask, data, c.data)
		}
	}
	ada.say(`{"id":3,"history":{"channel":"nothing"}}`)
	ada.want(`{"id":3,"history":{"channel":"nothing","messages":[],"top":{"epoch":"","offset":0},"missing":0}}`)
	ada.say(`{"id":3,"history":{"channel":"\"ü\\\\"}}`)
	ada.want(`{"id":3,"history":{"channel":"\"ü\\\\","messages":[]}}`)
	if _, err := p.hub.PublishOne(hub.Publication{Channel: "short", Data: []byte("1"), TTL: time.Second}); err != nil {
		t.Fatal(err)
	}
	p.clock.add(2 * time.Second)
	ada.say(`{"id":4,"history":{"channel":"short"}}`)
	ada.want(`{"id":4,"history":{"channel":"short","messages":[],"top":{"offset":1}}}`)
}

// What was missed comes in one frame, then what is new.
func TestRecovery(t *testing.T) {
	p := newPlace(t, hub.Config{Channels: map[string]hub.Options{"a": {HistoryMessages: 5}}}, socket.Config{})
	first := p.publish("a", "1")
	p.publish("a", "2", "3")
	ada := p.enter("Ada")
	ada.say(`{"id":2,"subscribe":{"channel":"a","after":{"epoch":%q,"offset":1}}}`, first.Epoch)
	ada.want(`{"id":2,"subscribed":{"position":{"offset":1},"top":{"offset":3},"missing":0}}`,
		`{"message":{"offset":2,"data":2}}`, `{"message":{"offset":3,"data":3}}`)
	if ada.frames != 2 {
		t.Errorf("%d frames, want the reply and one for the messages", ada.frames)
	}
	p.publish("a", "4")
	ada.want(`{"message":{"offset":4}}`)

	bob := p.enter("Bob")
	bob.say(`{"id":2,"subscribe":{"channel":"a","last":2}}`)
	bob.want(`{"id":2,"subscribed":{"position":{"offset":2},"top":{"offset":4},"missing":0}}`, `{"message":{"offset":3}}`, `{"message":{"offset":4}}`)

	p.publish("a", "5", "6", "7", "8")
	eve := p.enter("Eve")
	eve.say(`{"id":2,"subscribe":{"channel":"a","after":{"epoch":%q,"offset":1}}}`, first.Epoch)
	got := eve.next()
	if !contains(got[0]["subscribed"], map[string]any{"missing": 2.0, "position": map[string]any{"epoch": first.Epoch, "offset": 3.0}}) ||
		!reflect.DeepEqual(offsets(got), upTo(4, 8)) {
		t.Errorf("got %s", show(got))
	}
	old := p.enter("Old")
	old.say(`{"id":2,"subscribe":{"channel":"a","after":{"epoch":"gone","offset":77}}}`)
	if got := old.next(); got[0]["subscribed"].(map[string]any)["missing"] != -1.0 || !reflect.DeepEqual(offsets(got), upTo(4, 8)) {
		t.Errorf("got %s", show(got))
	}
}

// A recovery larger than a frame comes in several, and stops at a full outbox.
func TestFramesAreBounded(t *testing.T) {
	p := newPlace(t, hub.Config{}, socket.Config{})
	text := `"` + strings.Repeat("x", 20_000) + `"`
	first := p.publish("a", text)
	for range 10 {
		p.publish("a", text)
	}
	ada := p.enter("Ada")
	ada.say(`{"id":2,"subscribe":{"channel":"a","after":{"epoch":%q,"offset":1}}}`, first.Epoch)
	if got := ada.next(); !reflect.DeepEqual(offsets(got), upTo(2, 11)) || ada.frames != 1+4 {
		t.Errorf("%v in %d frames, want the reply and 3, 3, 3 and 1 in four", offsets(got), ada.frames)
	}
	ada.say(`{"id":3,"history":{"channel":"a","after":{}}}`)
	if got := ada.next()[0]["history"].(map[string]any)["messages"].([]any); len(got) != 3 {
		t.Errorf("a history of %d messages, want 3", len(got))
	}
}

func TestTags(t *testing.T) {
	p := newPlace(t, hub.Config{}, socket.Config{})
	ada := p.enter("Ada")
	ada.say(`{"id":2,"subscribe":{"channel":"a","tags":{"k":"v","l\u0031":"w"}}}`)
	ada.want(`{"id":2,"subscribed":{}}`)
	for i, tags := range []map[string]string{{"k": "v", "l1": "w"}, {"k": "v"}, nil, {"k": "v", "l1": "x"}, {"k": "v", "l1": "w", "z": ""}} {
		if _, err := p.hub.PublishOne(hub.Publication{Channel: "a", Data: fmt.Append(nil, i), Tags: tags}); err != nil {
			t.Fatal(err)
		}
	}
	ada.want(`{"message":{"data":0}}`, `{"message":{"data":4}}`)
}

func TestPattern(t *testing.T) {
	p := newPlace(t, hub.Config{}, socket.Config{})
	ada := p.enter("Ada", "news:*")
	p.publish("news:x", "1")
	p.publish("old", "2")
	p.publish("news:y", "3")
	ada.want(`{"message":{"channel":"news:x","data":1}}`, `{"message":{"channel":"news:y","data":3}}`)
}

func TestPresence(t *testing.T) {
	p := newPlace(t, hub.Config{}, socket.Config{})
	ada := p.enter("Ada")
	ada.say(`{"id":2,"subscribe":{"channel":"p:a","presence":true,"member":true}}`)
	ada.want(`{"id":2,"subscribed":{}}`, `{"joined":{"channel":"p:a","user":"Ada","info":{"name":"Ada"}}}`)
	bob := p.enter("Bob")
	bob.say(`{"id":2,"subscribe":{"channel":"p:a","presence":false,"member":true}}`)
	bob.want(`{"id":2,"subscribed":{}}`)
	joined := ada.want(`{"joined":{"channel":"p:a","user":"Bob","info":{"name":"Bob"}}}`)[0]["joined"].(map[string]any)
	bob.say(`{"id":3,"members":{"channel":"p:a"}}`)
	if got := bob.want(`{"id":3,"members":{"channel":"p:a","total":2}}`)[0]["members"].(map[string]any)["members"].([]any); len(got) != 2 {
		t.Errorf("members are %v", got)
	}
	bob.say(`{"id":4,"members":{"channel":"p:a","limit":1}}`)
	if got := bob.want(`{"id":4,"members":{"total":2}}`)[0]["members"].(map[string]any)["members"].([]any); len(got) != 1 {
		t.Errorf("members are %v", got)
	}
	bob.x.Deliver(&asgi.WebSocketDisconnect{Code: 1006})
	left := ada.want(`{"left":{"channel":"p:a","user":"Bob","info":{"name":"Bob"}}}`)[0]["left"].(map[string]any)
	if left["client"] != joined["client"] || left["client"] == "" {
		t.Errorf("joined %v, left %v", joined, left)
	}
	ada.x.Congest()
	eve := p.enter("Eve")
	eve.say(`{"id":2,"subscribe":{"channel":"p:a","member":true}}`)
	ada.want()
	ada.x.Drain()
	ada.say(`{"id":3,"members":{"channel":"p:a"}}`)
	ada.want(`{"id":3,"members":{"total":2}}`)
	ada.say(`{"id":4,"subscribe":{"channel":"quiet","presence":true}}`)
	ada.want(`{"id":4,"error":{"code":"not_found"}}`)
	ada.say(`{"id":5,"members":{"channel":"quiet"}}`)
	ada.want(`{"id":5,"error":{"code":"not_found"}}`)
}

func TestSubprotocol(t *testing.T) {
	p := newPlace(t, hub.Config{}, socket.Config{})
	x := asgitest.New(t, p.handler, asgitest.WebSocketScope("/"))
	x.Deliver(&asgi.WebSocketConnect{})
	if accept, ok := x.Sent()[0].(*asgi.WebSocketAccept); !ok || accept.Subprotocol != "" {
		t.Errorf("no offer was answered with %v", x.Sent())
	}
	x = asgitest.New(t, p.handler, asgitest.WebSocketScope("/", asgi.Header{Name: "sec-websocket-protocol", Value: "gale.hub.v2"}))
	x.Deliver(&asgi.WebSocketConnect{})
	if denial, ok := x.Sent()[0].(*asgi.WebSocketDenialStart); !ok || denial.Status != 400 {
		t.Errorf("another offer was answered with %v", x.Sent())
	}
	x = asgitest.New(t, p.handler, asgitest.HTTPScope("GET", "/"))
	if x.Err() != asgi.ErrUnsupportedScope {
		t.Errorf("HTTP ended with %v", x.Err())
	}
}

func TestNew(t *testing.T) {
	h, err := hub.New(hub.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	anyone := hub.Anyone(hub.Everything)
	for name, c := range map[string]struct {
		config socket.Config
		ok     bool
	}{
		"no hub":            {socket.Config{Authenticate: anyone}, false},
		"no authentication": {socket.Config{Hub: h}, false},
		"negative":          {socket.Config{Hub: h, Authenticate: anyone, MaxFaults: -1}, false},
		"no number":         {socket.Config{Hub: h, Authenticate: anyone, CommandRate: math.NaN()}, false},
		"negative timeout":  {socket.Config{Hub: h, Authenticate: anyone, ConnectTimeout: -1}, false},
		"negative rate":     {socket.Config{Hub: h, Authenticate: anyone, CommandRate: -1}, false},
		"defaults":          {socket.Config{Hub: h, Authenticate: anyone}, true},
	} {
		if _, err := socket.New(c.config); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestConnect(t *testing.T) {
	for _, c := range []struct {
		name, message string
		header        string
		want          []string
	}{
		{"a token", `{"id":7,"connect":{"token":"Ada"}}`, "Bearer Bob", []string{`{"id":7,"connected":{"user":"Ada"}}`}},
		{"that of the handshake", `{"id":7,"connect":{}}`, "Bearer Bob", []string{`{"id":7,"connected":{"user":"Bob"}}`}},
		{"nobody", `{"id":7,"connect":{}}`, "", []string{`{"id":7,"connected":{"user":""}}`}},
		{"a bad one", `{"id":7,"connect":{"token":"bad"}}`, "", []string{`{"id":7,"error":{"code":"bad_token","text":"this is no token"}}`, `{"close":4401,"reason":"bad_token"}`}},
		{"an old one", `{"id":7,"connect":{"token":"until 1000000 Ada"}}`, "", []string{`{"id":7,"error":{"code":"token_expired"}}`, `{"close":4401,"reason":"token_expired"}`}},
		{"one that is good for a while", `{"id":7,"connect":{"token":"until 1000001 Ada"}}`, "", []string{`{"id":7,"connected":{"expires":1000001,"expires_in":1}}`}},
		{"a secret", `{"id":7,"connect":{"token":"broken"}}`, "", []string{`{"id":7,"error":{"code":"unavailable","text":"the server cannot do it now","retry":1001}}`, `{"close":1013,"reason":"unavailable"}`}},
		{"too many", `{"id":7,"connect":{"token":"Full"}}`, "", []string{`{"id":7,"error":{"code":"too_many"}}`, `{"close":1013,"reason":"too_many"}`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPlace(t, hub.Config{MaxClientsPerUser: 1}, socket.Config{})
			p.enter("Full")
			var headers []asgi.Header
			if c.header != "" {
				headers = append(headers, asgi.Header{Name: "authorization", Value: c.header})
			}
			who := p.dial(headers...)
			who.say("%s", c.message)
			who.want(c.want...)
		})
	}
}

func TestConnectTimeout(t *testing.T) {
	p := newPlace(t, hub.Config{}, socket.Config{ConnectTimeout: 3 * time.Second})
	late, timely := p.dial(), p.enter("Ada")
	late.x.Advance(2999 * time.Millisecond)
	late.want()
	late.x.Advance(time.Millisecond)
	late.want(`{"close":1008,"reason":"bad_request"}`)
	timely.x.Advance(time.Minute)
	timely.want()
	late.say(`{"id":1,"connect":{}}`) // under way when we closed
	late.want()
	if n := p.hub.Stats().Clients; n != 1 {
		t.Errorf("%d clients, want 1", n)
	}
}

func TestExpiry(t *testing.T) {
	p := newPlace(t, hub.Config{}, socket.Config{})
	pass := func(c *client, d time.Duration) { p.clock.add(d); c.x.Advance(d) }
	ada := p.enter("until 1003000 Ada", "a", "b")
	pass(ada, 2*time.Second)
	ada.say(`{"id":4,"refresh":{"token":"until 1001000 Ada"}}`)
	ada.want(`{"id":4,"error":{"code":"token_expired"}}`)
	ada.say(`{"id":5,"refresh":{"token":"until 1009000 Bob"}}`)
	ada.want(`{"id":5,"error":{"code":"bad_token"}}`)
	ada.say(`{"id":6,"refresh":{"token":"bad"}}`)
	ada.want(`{"id":6,"error":{"code":"bad_token"}}`)
	ada.say(`{"id":7,"refresh":{"token":"until 1005000 only-a-Ada"}}`)
	ada.want(`{"ended":{"channel":"b","code":"not_allowed"}}`, `{"id":7,"refreshed":{"expires":1005000,"expires_in":3000}}`)
	p.publish("b", "1")
	p.publish("a", "1")
	ada.want(`{"message":{"channel":"a"}}`)
	pass(ada, 2999*time.Millisecond)
	ada.want()
	ada.say(`{"id":8,"publish":{"channel":"a","data":1}}`)
	ada.want(`{"id":8,"error":{"code":"not_allowed"}}`)
	pass(ada, time.Millisecond)
	ada.want(`{"close":4401,"reason":"token_expired"}`)
	if s := p.hub.Stats(); s.Clients != 0 || s.Subscriptions != 0 {
		t.Errorf("left behind: %+v", s)
	}

	long := p.enter("until 400000000 Long") // 4.6 days: longer than a timer
	for range 4 {
		pass(long, 24*time.Hour)
		long.want()
	}
	pass(long, 24*time.Hour)
	long.want(`{"close":4401}`)

	ever := p.enter("until 500000000 Ever")
	ever.say(`{"id":2,"refresh":{"token":"Ever"}}`)
	if got := ever.want(`{"id":2,"refreshed":{}}`); len(got[0]["refreshed"].(map[string]any)) > 0 {
		t.Errorf("got %s", show(got))
	}
	pass(ever, 500*time.Hour)
	ever.want()
}

func TestSession(t *testing.T) {
	p := newPlace(t, hub.Config{}, socket.Config{})
	enter := func(user, session string) *client {
		c := p.dial()
		c.say(`{"id":1,"connect":{"token":%q,"session":%q}}`, user, session)
		c.want(`{"id":1,"connected":{}}`)
		return c
	}
	const secret, other = "0123456789abcdef", "0123456789abcdeg"
	old, apart, bob := enter("Ada", secret), enter("Ada", other), enter("Bob", secret)
	newer := enter("Ada", secret)
	old.want(`{"close":4409,"reason":"replaced"}`)
	apart.want()
	bob.want()
	newer.want()
	old.x.Deliver(&asgi.WebSocketDisconnect{Code: 4409})
	newest := enter("Ada", secret) // the old one's end has not freed the session
	newer.want(`{"close":4409,"reason":"replaced"}`)
	newest.x.Deliver(&asgi.WebSocketDisconnect{Code: 1006})
	last := enter("Ada", secret)
	newest.want()
	if n := p.handler.Sessions(); n != 3 {
		t.Errorf("%d sessions, want 3", n)
	}
	for _, c := range []*client{apart, bob, last} {
		c.x.Deliver(&asgi.WebSocketDisconnect{Code: 1006})
	}
	full := p.dial()
	full.say(`{"id":1,"connect":{"token":"bad","session":%q}}`, secret)
	full.want(`{"error":{"code":"bad_token"}}`, `{"close":4401}`)
	if n := p.handler.Sessions(); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}

// A connection that takes a session over has the place of the old one among those of
// its user, and among all; if it may not come in, the old one stays.
func TestSessionAtTheLimit(t *testing.T) {
	for _, limits := range []hub.Config{{MaxClientsPerUser: 1}, {MaxClients: 1}} {
		p := newPlace(t, limits, socket.Config{})
		enter := func(user, session, part string) *client {
			c := p.dial()
			c.say(`{"id":1,"connect":{"token":%q,"session":%q}}`, user, session)
			if got := c.next(); len(got) == 0 || !contains(got[0], map[string]any{part: map[string]any{}}) {
				t.Fatalf("%+v: got %s, want %s", limits, show(got), part)
			}
			return c
		}
		const secret, other = "0123456789abcdef", "0123456789abcdeg"
		old := enter("Ada", secret, "connected")
		for range 3 {
			enter("Ada", other, "error")
			old.want()
			newer := enter("Ada", secret, "connected")
			old.want(`{"close":4409,"reason":"replaced"}`)
			old.x.Deliver(&asgi.WebSocketDisconnect{Code: 4409})
			if n := p.hub.Stats().Clients; n != 1 {
				t.Errorf("%d clients", n)
			}
			old = newer
		}
		if err := p.hub.Close(); err != nil {
			t.Fatal(err)
		}
		old.want(`{"close":1012}`)
		enter("Ada", secret, "error")
	}
}

func TestDrain(t *testing.T) {
	p := newPlace(t, hub.Config{}, socket.Config{})
	ada, early := p.enter("Ada"), p.dial()
	for _, c := range []*client{ada, early} {
		c.x.Deliver(&asgi.Drain{})
		c.want(`{"drain":{}}`)
	}
	ada.say(`{"id":2,"ping":{}}`)
	ada.want(`{"id":2,"pong":{}}`)
	x := asgitest.New(t, p.handler, asgitest.WebSocketScope("/"))
	x.Deliver(&asgi.WebSocketConnect{})
	if err := p.hub.Close(); err != nil {
		t.Fatal(err)
	}
	ada.want(`{"close":1012,"reason":"draining"}`)
	early.say(`{"id":1,"connect":{}}`)
	early.want(`{"id":1,"error":{"code":"draining"}}`, `{"close":1012,"reason":"draining"}`)
}

func TestDisconnect(t *testing.T) {
	p := newPlace(t, hub.Config{}, socket.Config{})
	ada, bob := p.enter("Ada", "a"), p.enter("Bob", "a", "b")
	if n := p.hub.Disconnect("Ada", &hub.Error{Code: hub.Disconnected, Text: "go"}); n != 1 {
		t.Errorf("%d clients of Ada", n)
	}
	ada.want(`{"close":4410,"reason":"disconnected"}`)
	p.hub.Unsubscribe("Bob", "a", &hub.Error{Code: hub.Disconnected, Text: "leave"})
	bob.want(`{"ended":{"channel":"a","code":"disconnected","text":"leave"}}`)
	p.publish("a", "1")
	p.publish("b", "1")
	bob.want(`{"message":{"channel":"b"}}`)
}

// A panic costs the connection, and leaves nothing behind.
func TestPanic(t *testing.T) {
	p := newPlace(t, hub.Config{}, socket.Config{})
	ada := p.enter("Ada", "a")
	ada.say(`{"id":9,"refresh":{"token":"panic"}}`)
	if ada.x.Err() == nil {
		t.Error("the panic was swallowed")
	}
	if s := p.hub.Stats(); s.Clients != 0 || s.Subscriptions != 0 {
		t.Errorf("left behind: %+v", s)
	}
}
