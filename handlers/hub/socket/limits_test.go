package socket_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/socket"
)

func TestBadCommands(t *testing.T) {
	p := newPlace(t, hub.Config{MaxPublishBytes: 1000}, socket.Config{MaxFaults: 1000, CommandBurst: 1000})
	ada := p.enter("Ada", "there")
	tags := func(bytes int) string { return `{"k":"` + strings.Repeat("v", bytes-2) + `","l":""}` }
	long := strings.Repeat("x", 256)
	for _, c := range []struct {
		message string
		id      int // 0: none
		code    hub.ErrorCode
	}{
		{``, 0, hub.BadRequest},
		{` `, 0, hub.BadRequest},
		{`{`, 0, hub.BadRequest},
		{`"ping"`, 0, hub.BadRequest},
		{`7`, 0, hub.BadRequest},
		{`null`, 0, hub.BadRequest},
		{`[]`, 0, hub.BadRequest},
		{`[7]`, 0, hub.BadRequest},
		{`[[{"id":7,"ping":{}}]]`, 0, hub.BadRequest},
		{`{"id":7,"ping":{}} {"id":8,"ping":{}}`, 0, hub.BadRequest},
		{`{"id":7,"ping":{},}`, 0, hub.BadRequest},
		{strings.Repeat("[", 65) + strings.Repeat("]", 65), 0, hub.BadRequest},
		{strings.Repeat("[", 3000), 0, hub.BadRequest},
		{`{"id":7,"publish":{"channel":"a","data":` + strings.Repeat("[", 65) + strings.Repeat("]", 65) + `}}`, 7, hub.BadRequest},

		{`{}`, 0, hub.BadRequest},
		{`{"ping":{}}`, 0, hub.BadRequest},
		{`{"id":0,"ping":{}}`, 0, hub.BadRequest},
		{`{"id":-1,"ping":{}}`, 0, hub.BadRequest},
		{`{"id":1.5,"ping":{}}`, 0, hub.BadRequest},
		{`{"id":1e3,"ping":{}}`, 0, hub.BadRequest},
		{`{"id":9007199254740993,"ping":{}}`, 0, hub.BadRequest},
		{`{"id":99999999999999999999,"ping":{}}`, 0, hub.BadRequest},
		{`{"id":"7","ping":{}}`, 0, hub.BadRequest},
		{`{"id":null,"ping":{}}`, 0, hub.BadRequest},
		{`{"id":7,"id":7,"ping":{}}`, 0, hub.BadRequest},
		{`{"ID":7,"ping":{}}`, 0, hub.BadRequest},
		{`{"id":7}`, 7, hub.BadRequest},
		{`{"id":7,"ping":{},"ping":{}}`, 7, hub.BadRequest},
		{`{"ping":{},"id":7,"members":{}}`, 7, hub.BadRequest},
		{`{"id":7,"Ping":{}}`, 7, hub.BadRequest},
		{`{"id":7,"p\u0069ng":{}}`, 7, hub.BadRequest},
		{`{"id":7,"dance":{}}`, 7, hub.BadRequest},
		{`{"id":7,"":{}}`, 7, hub.BadRequest},
		{`{"id":7,"ping":null}`, 7, hub.BadRequest},
		{`{"id":7,"ping":[]}`, 7, hub.BadRequest},
		{`{"id":7,"ping":"{}"}`, 7, hub.BadRequest},
		{`{"id":7,"ping":{"channel":"a"}}`, 7, hub.BadRequest},
		{`{"id":7,"connect":{}}`, 7, hub.BadRequest}, // a second one

		{`{"id":7,"subscribe":{}}`, 7, hub.BadChannel},
		{`{"id":7,"subscribe":{"channel":7}}`, 7, hub.BadRequest},
		{`{"id":7,"subscribe":{"channel":""}}`, 7, hub.BadChannel},
		{`{"id":7,"subscribe":{"channel":"a b"}}`, 7, hub.BadChannel},
		{`{"id":7,"subscribe":{"channel":"a\u0000b"}}`, 7, hub.BadChannel},
		{`{"id":7,"subscribe":{"channel":"a*b"}}`, 7, hub.BadChannel},
		{`{"id":7,"subscribe":{"channel":"` + long + `"}}`, 7, hub.BadChannel},
		{`{"id":7,"subscribe":{"channel":"\ud800"}}`, 7, hub.BadRequest},
		{`{"id":7,"subscribe":{"channel":"\udc00\ud800"}}`, 7, hub.BadRequest},
		{`{"id":7,"subscribe":{"channel":"\ud800\ud800\udc00"}}`, 7, hub.BadRequest},
		{`{"id":7,"subscribe":{"channel":"there"}}`, 7, hub.BadRequest},
		{`{"id":7,"subscribe":{"channel":"a","channel":"a"}}`, 7, hub.BadRequest},
		{`{"id":7,"subscribe":{"channel":"a","after":5}}`, 7, hub.BadRequest},
		{`{"id":7,"subscribe":{"channel":"a","after":{"offset":5}}}`, 7, hub.BadRequest},
		{`{"id":7,"subscribe":{"channel":"a","after":{"epoch":"e","offset":-5}}}`, 7, hub.BadRequest},
		{`{"id":7,"subscribe":{"channel":"a","after":{"epoch":"e","offset":"5"}}}`, 7, hub.BadRequest},
		{`{"id":7,"subscribe":{"channel":"a","after":{"epoch":"e","epoch":"f","offset":5}}}`, 7, hub.BadRequest},
		{`{"id":7,"subscribe":{"channel":"a","after":{"epoch":7,"offset":5}}}`, 7, hub.BadRequest},
		{`{"id":7,"subscribe":{"channel":"a","after":{"epoch":"e","offset":5,"x":1}}}`, 7, hub.BadRequest},
		{`{"id":7,"subscribe":{"channel":"a","last":-1}}`, 7, hub.BadRequest},
		{`{"id":7,"subscribe":{"channel":"a","last":"1"}}`, 7, hub.BadRequest},
		{`{"id":7,"subscribe":{"channel":"a","presence":1}}`, 7, hub.BadRequest},
		{`{"id":7,"subscribe":{"channel":"a","member":"true"}}`, 7, hub.BadRequest},
		{`{"id":7,"subscribe":{"channel":"a","tags":[]}}`, 7, hub.BadRequest},
		{`{"id":7,"subscribe":{"channel":"a","tags":{"k":1}}}`, 7, hub.BadRequest},
		{`{"id":7,"subscribe":{"channel":"a","tags":{"k":"1","\u006b":"2"}}}`, 7, hub.BadRequest},
		{`{"id":7,"subscribe":{"channel":"a","tags":` + tags(1025) + `}}`, 7, hub.TooLarge},
		{`{"id":7,"subscribe":{"channel":"a","tags":{"` + strings.Repeat("x", 1024) + `":"v"}}}`, 7, hub.TooLarge},
		{`{"id":7,"subscribe":{"channel":"p:*","presence":true}}`, 7, hub.NotFound},

		{`{"id":7,"publish":{"channel":"a"}}`, 7, hub.BadRequest},
		{`{"id":7,"publish":{"channel":"a","text":null}}`, 7, hub.BadRequest},
		{`{"id":7,"publish":{"channel":"a","text":"a","data":"a"}}`, 7, hub.BadRequest},
		{`{"id":7,"publish":{"channel":"a","text":"a","text":"a"}}`, 7, hub.BadRequest},
		{`{"id":7,"publish":{"channel":"a","text":7}}`, 7, hub.BadRequest},
		{`{"id":7,"publish":{"channel":"a","text":"\udfff"}}`, 7, hub.BadRequest},
		{`{"id":7,"publish":{"channel":"a","base64":"gA"}}`, 7, hub.BadRequest},
		{`{"id":7,"publish":{"channel":"a","base64":"gB=="}}`, 7, hub.BadRequest},
		{`{"id":7,"publish":{"channel":"a","base64":["gA=="]}}`, 7, hub.BadRequest},
		{`{"id":7,"publish":{"channel":"a","data":1,"ttl":-1}}`, 7, hub.BadRequest},
		{`{"id":7,"publish":{"channel":"a","data":1,"ttl":99999999999999}}`, 7, hub.BadRequest},
		{`{"id":7,"publish":{"channel":"a","data":1,"key":"` + long + `"}}`, 7, hub.TooLarge},
		{`{"id":7,"publish":{"channel":"a","data":1,"tags":` + tags(1025) + `}}`, 7, hub.TooLarge},
		{`{"id":7,"publish":{"channel":"a","data":1,"last":1}}`, 7, hub.BadRequest},
		{`{"id":7,"publish":{"channel":"a*","data":1}}`, 7, hub.BadChannel},
		{`{"id":7,"publish":{"channel":"a","data":"` + strings.Repeat("x", 999) + `"}}`, 7, hub.TooLarge},
		{`{"id":7,"publish":{"channel":"a","text":"` + strings.Repeat("x", 1001) + `"}}`, 7, hub.TooLarge},

		{`{"id":7,"unsubscribe":{}}`, 7, hub.NotThere},
		{`{"id":7,"unsubscribe":{"channel":"a"}}`, 7, hub.NotThere},
		{`{"id":7,"members":{"channel":"a b"}}`, 7, hub.BadChannel},
		{`{"id":7,"members":{"channel":"a","limit":{}}}`, 7, hub.BadRequest},
		{`{"id":7,"history":{"channel":"a*"}}`, 7, hub.BadChannel},
		{`{"id":7,"history":{"channel":"a","after":{},"last":1}}`, 7, hub.BadRequest},
		{`{"id":7,"refresh":{"token":7}}`, 7, hub.BadRequest},
		{`{"id":7,"refresh":{"token":"Eve"}}`, 7, hub.BadToken},
	} {
		ada.say("%s", c.message)
		got := ada.next()
		if len(got) != 1 {
			t.Errorf("%.200s was answered with %s", c.message, show(got))
			continue
		}
		id, _ := got[0]["id"].(float64)
		failure, _ := got[0]["error"].(map[string]any)
		if int(id) != c.id || failure["code"] != string(c.code) || failure["text"] == "" {
			t.Errorf("%.200s was answered with %s, want %d and %s", c.message, show(got[0]), c.id, c.code)
		}
	}
	for _, good := range []string{
		`{"id":7,"publish":{"channel":"a","data":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `}}`,
		`{"id":7,"publish":{"channel":"a","data":{"[":"]]}}\\"}}}`,
		`{"id":9007199254740992,"publish":{"channel":"a","text":"` + strings.Repeat("x", 1000) + `"}}`,
		`{"id":7,"publish":{"channel":"a","data":"\ud83d\ude00","tags":` + tags(1024) + `,"key":"` + long[:255] + `"}}`,
	} {
		ada.say("%s", good)
		ada.want(`{"published":{}}`)
	}
}

func TestConnectComesFirst(t *testing.T) {
	p := newPlace(t, hub.Config{}, socket.Config{MaxFaults: 100})
	who := p.dial()
	for _, message := range []string{
		`{"id":1,"ping":{}}`,
		`{"id":1,"subscribe":{"channel":"a"}}`,
		`{"id":1,"publish":{"channel":"a","data":1}}`,
		`{"id":1,"refresh":{"token":"Ada"}}`,
		`{"id":1,"history":{"channel":"a"}}`,
		`{"id":1,"connect":{"token":"Ada","session":"short"}}`,
		`{"id":1,"connect":{"token":"Ada","session":"0123456789 abcdef"}}`,
		`{"id":1,"connect":{"token":"Ada","session":"` + strings.Repeat("x", 129) + `"}}`,
		`{"id":1,"connect":{"user":"Ada"}}`,
	} {
		who.say("%s", message)
		who.want(`{"id":1,"error":{"code":"bad_request"}}`)
	}
	who.say(`[{"id":1,"connect":{"token":"Ada"}},{"id":2,"ping":{}}]`)
	who.want(`{"id":1,"connected":{}}`, `{"id":2,"pong":{}}`)
}

func TestSubscriptionsAreBounded(t *testing.T) {
	p := newPlace(t, hub.Config{MaxSubscriptions: 2}, socket.Config{})
	ada := p.enter("Ada", "a", "b")
	ada.say(`{"id":4,"subscribe":{"channel":"c"}}`)
	ada.want(`{"id":4,"error":{"code":"too_many"}}`)
	ada.say(`[{"id":5,"unsubscribe":{"channel":"a"}},{"id":6,"subscribe":{"channel":"c"}}]`)
	ada.want(`{"id":5,"unsubscribed":{}}`, `{"id":6,"subscribed":{}}`)
}

func TestFaultsCloseTheConnection(t *testing.T) {
	p := newPlace(t, hub.Config{}, socket.Config{MaxFaults: 3, FaultPeriod: time.Second})
	ada := p.enter("Ada", "a")
	for range 3 {
		ada.say(`{`)
		ada.want(`{"error":{"code":"bad_request"}}`)
	}
	p.clock.add(time.Second) // forgives one
	ada.say(`{`)
	ada.want(`{"error":{"code":"bad_request"}}`)
	for range 5 {
		ada.say(`{"id":2,"subscribe":{"channel":"NO WAY"}}`) // refused, but no fault
		ada.want(`{"id":2,"error":{"code":"bad_channel"}}`)
	}
	ada.say(`[{"id":2},{"id":3,"ping":{}}]`)
	ada.want(`{"id":2,"error":{"code":"bad_request"}}`, `{"close":1008,"reason":"bad_request"}`)
	ada.say(`{"id":4,"ping":{}}`) // under way when we closed
	p.publish("a", "1")
	ada.want()
	if s := p.hub.Stats(); s.Clients != 0 || s.Subscriptions != 0 {
		t.Errorf("left behind: %+v", s)
	}
}

func TestCommandRate(t *testing.T) {
	p := newPlace(t, hub.Config{}, socket.Config{CommandRate: 2, CommandBurst: 5, MaxFaults: 2, FaultPeriod: time.Hour})
	ada := p.enter("Ada") // the connect was the first
	for range 4 {
		ada.say(`{"id":2,"ping":{}}`)
		ada.want(`{"pong":{}}`)
	}
	ada.say(`{"id":3,"ping":{}}`)
	ada.want(`{"id":3,"error":{"code":"too_fast","retry":501}}`)
	p.clock.add(499 * time.Millisecond)
	ada.say(`{"id":4,"ping":{}}`)
	ada.want(`{"id":4,"error":{"code":"too_fast","retry":2}}`)
	p.clock.add(time.Millisecond)
	ada.say(`{"id":5,"ping":{}}`)
	ada.want(`{"id":5,"pong":{}}`)
	p.clock.add(time.Minute) // the burst has a bound
	for range 5 {
		ada.say(`{"id":6,"ping":{}}`)
		ada.want(`{"pong":{}}`)
	}
	ada.say(`{"id":7,"ping":{}}`)
	ada.want(`{"id":7,"error":{"code":"too_fast"}}`, `{"close":1008,"reason":"bad_request"}`)
}

// pings sends as many, and returns how many were answered.
func (c *client) pings(n int) (answered int) {
	for range n {
		c.say(`{"id":2,"ping":{}}`)
		for _, o := range c.next() {
			if o["pong"] != nil {
				answered++
			}
		}
	}
	return answered
}

// A new connection has no more commands at once than the one before of its user has
// left, but half of the burst. What it is refused because of others is no fault.
func TestCommandRateOutlivesConnections(t *testing.T) {
	p := newPlace(t, hub.Config{}, socket.Config{CommandRate: 1, CommandBurst: 6, MaxFaults: 1, FaultPeriod: time.Hour})
	ada := p.enter("Ada") // the connect was the first
	if n := ada.pings(5); n != 5 {
		t.Fatalf("%d pings", n)
	}
	ada.x.Deliver(&asgi.WebSocketDisconnect{})
	ada, bob := p.enter("Ada"), p.enter("Bob")
	if n := ada.pings(5); n != 3 {
		t.Errorf("%d pings after all are spent", n)
	}
	if n := bob.pings(5); n != 5 {
		t.Errorf("%d pings of another", n)
	}
	p.clock.add(time.Second)
	if n := ada.pings(1); n != 1 {
		t.Error("no ping a second later: its connection was closed, or has no rate")
	}
	for range 2 { // of six and one, as many as one connection may have: now they are its own
		ada.say(`{"id":3,"ping":{}}`)
	}
	ada.want(`{"id":3,"error":{"code":"too_fast"}}`, `{"id":3,"error":{"code":"too_fast"}}`, `{"close":1008,"reason":"bad_request"}`)
}

// Who has no name has the rate of no other, who may be anybody behind the same proxy.
func TestCommandRateOfNobody(t *testing.T) {
	p := newPlace(t, hub.Config{}, socket.Config{CommandRate: 1, CommandBurst: 6})
	for range 3 {
		somebody := p.enter("")
		if n := somebody.pings(6); n != 5 {
			t.Errorf("%d pings", n)
		}
		somebody.x.Deliver(&asgi.WebSocketDisconnect{})
	}
}

// A page that has many subscriptions, and loses its connection again and again, has
// them back each time.
func TestCommandRateOfALinkThatFlaps(t *testing.T) {
	p := newPlace(t, hub.Config{}, socket.Config{})
	var channels []string
	for i := range 128 {
		channels = append(channels, fmt.Sprint("c", i))
	}
	for range 5 {
		ada := p.enter("Ada", channels...)
		ada.x.Deliver(&asgi.WebSocketDisconnect{})
	}
}

// Publishing has a rate of its own, above which there is no fault until there have
// been as many as there may be commands.
func TestPublishRate(t *testing.T) {
	p := newPlace(t, hub.Config{PublishRate: 1, PublishBurst: 3}, socket.Config{CommandRate: 0.001, CommandBurst: 3, MaxFaults: 1, FaultPeriod: time.Hour})
	ada := p.enter("Ada")
	for range 3 {
		ada.say(`{"id":2,"publish":{"channel":"a","data":1}}`)
		ada.want(`{"published":{}}`)
	}
	for range 2 {
		ada.say(`{"id":3,"publish":{"channel":"a","data":1}}`)
		ada.want(`{"id":3,"error":{"code":"too_fast","retry":1001}}`)
	}
	ada.say(`{"id":4,"publish":{"channel":"a","data":1}}`)
	ada.want(`{"id":4,"error":{"code":"too_fast"}}`)
	ada.say(`{"id":5,"publish":{"channel":"a","data":1}}`)
	ada.want(`{"id":5,"error":{"code":"too_fast"}}`, `{"close":1008,"reason":"bad_request"}`)
}

func TestBinary(t *testing.T) {
	p := newPlace(t, hub.Config{}, socket.Config{})
	ada := p.enter("Ada")
	ada.x.Deliver(&asgi.WebSocketReceive{Kind: asgi.Binary, Data: []byte(`{"id":2,"ping":{}}`)})
	ada.want(`{"close":1003,"reason":"bad_request"}`)
}

func TestMessageTooLong(t *testing.T) {
	p := newPlace(t, hub.Config{}, socket.Config{MaxMessageBytes: 100})
	ada := p.enter("Ada")
	ping := func(n int) string {
		return `{"id":2,"ping":{}}` + strings.Repeat(" ", n-len(`{"id":2,"ping":{}}`))
	}
	ada.say("%s", ping(100))
	ada.want(`{"pong":{}}`)
	ada.say("%s", ping(101))
	ada.want(`{"close":1009,"reason":"too_large"}`)
}

// What a congested connection does not take waits in the history, and comes
// afterwards in order.
func TestCongestion(t *testing.T) {
	p := newPlace(t, hub.Config{}, socket.Config{})
	ada, bob := p.enter("Ada", "a", "b"), p.enter("Bob", "a")
	ada.x.Congest()
	p.publish("a", "1", "2")
	p.publish("b", "1")
	ada.want()
	if got := bob.next(); !reflect.DeepEqual(offsets(got), upTo(1, 2)) {
		t.Errorf("the other got %s", show(got))
	}
	p.publish("a", "3")
	ada.x.Drain()
	ada.want(`{"message":{"channel":"a","data":1}}`, `{"message":{"channel":"a","data":2}}`, `{"message":{"channel":"a","data":3}}`, `{"message":{"channel":"b","data":1}}`)
	p.publish("a", "4")
	ada.want(`{"message":{"channel":"a","data":4}}`)
}

// A client that is too far behind is closed, by the channel's policy.
func TestTooSlow(t *testing.T) {
	p := newPlace(t, hub.Config{Channels: map[string]hub.Options{"": {MaxLagBytes: 1000}, "l:": {MaxLagBytes: 1000, Slow: hub.SlowLatest}}}, socket.Config{})
	slow, latest := p.enter("Slow", "a"), p.enter("Latest", "l:a")
	slow.x.Congest()
	latest.x.Congest()
	for range 5 {
		p.publish("a", "1")
		p.publish("l:a", "1")
	}
	slow.want(`{"close":4408,"reason":"too_slow"}`)
	latest.want()
	latest.x.Drain()
	latest.want(`{"gap":{"channel":"l:a","from":{"offset":0},"to":{"offset":4},"missing":4}}`, `{"message":{"offset":5}}`)
	if s := p.hub.Stats(); s.Clients != 1 {
		t.Errorf("%d clients, want one", s.Clients)
	}
}

// While the connection is congested no commands are carried out, and none is read.
func TestCommandsWait(t *testing.T) {
	p := newPlace(t, hub.Config{}, socket.Config{})
	ada := p.enter("Ada", "a")
	ada.x.Congest()
	ada.say(`[{"id":10,"ping":{}},{"id":11,"unsubscribe":{"channel":"a"}}]`)
	ada.say(`{"id":12,"ping":{}}`)
	ada.want()
	if !ada.x.Paused() {
		t.Error("more is read")
	}
	p.publish("a", "1")
	ada.x.Drain()
	ada.want(`{"id":10,"pong":{}}`, `{"id":11,"unsubscribed":{}}`, `{"id":12,"pong":{}}`)
	if ada.x.Paused() {
		t.Error("no more is read")
	}
}
