package socket_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/socket"
)

// clock is the time of a place under test.
type clock struct{ now time.Time }

func (c *clock) add(d time.Duration) { c.now = c.now.Add(d) }

// place is a hub with a handler under test, and its clients; the test's goroutine
// is the loop of all.
type place struct {
	t       testing.TB
	hub     *hub.Hub
	handler *socket.Handler
	clock   *clock
	clients []*client
	raw     bool // numbers are left as they are: they need not fit
}

// options are what channels of the tests are like: those whose names begin with
// "p:" keep who is there.
var options = map[string]hub.Options{"p:": {Presence: true}}

// authenticate takes a token that is the name of a user, after "ro-" for one who
// may not publish, or after "until <milliseconds> ".
func authenticate(clock *clock) hub.Authenticate {
	return func(_ *asgi.Scope, token string) (hub.Identity, error) {
		who := hub.Identity{User: token, Grants: hub.Everything}
		var ms int64
		switch n, _ := fmt.Sscanf(token, "until %d %s", &ms, &who.User); {
		case token == "panic":
			panic("authenticate")
		case token == "broken":
			return who, fmt.Errorf("a secret of the server")
		case token == "bad":
			return who, &hub.Error{Code: hub.BadToken, Text: "this is no token"}
		case n == 2:
			who.Expires = time.UnixMilli(ms)
		}
		if name, only := strings.CutPrefix(who.User, "only-a-"); only {
			who.User, who.Grants = name, hub.Grants{Subscribe: []string{"a"}}
		}
		if who.User != "" {
			who.Info, _ = json.Marshal(map[string]string{"name": who.User})
		}
		return who, nil
	}
}

func newPlace(t testing.TB, hubs hub.Config, config socket.Config) *place {
	t.Helper()
	p := &place{t: t, clock: &clock{time.UnixMilli(1_000_000)}}
	hubs.Now = func() time.Time { return p.clock.now }
	if hubs.Channels == nil {
		hubs.Channels = options
	}
	var err error
	if p.hub, err = hub.New(hubs); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.hub.Close(); err != nil {
			t.Error(err)
		}
	})
	config.Hub = p.hub
	if config.Authenticate == nil {
		config.Authenticate = authenticate(p.clock)
	}
	if p.handler, err = socket.New(config); err != nil {
		t.Fatal(err)
	}
	return p
}

// client is the far end of one connection.
type client struct {
	p      *place
	x      *asgitest.Exchange
	seen   int // events looked at
	frames int // messages of the last call of next, arrays as one
}

// dial opens a connection.
func (p *place) dial(headers ...asgi.Header) *client {
	p.t.Helper()
	headers = append(headers, asgi.Header{Name: "sec-websocket-protocol", Value: "other, " + socket.Subprotocol})
	c := &client{p: p, x: asgitest.New(p.t, p.handler, asgitest.WebSocketScope("/hub/ws", headers...))}
	p.clients = append(p.clients, c)
	c.x.Deliver(&asgi.WebSocketConnect{})
	sent := c.x.Sent()
	if accept, ok := sent[0].(*asgi.WebSocketAccept); len(sent) != 1 || !ok || accept.Subprotocol != socket.Subprotocol {
		p.t.Fatalf("the handshake was answered with %v", sent)
	}
	c.seen = 1
	return c
}

// enter opens a connection and connects as a user, with subscriptions.
func (p *place) enter(user string, channels ...string) *client {
	p.t.Helper()
	c := p.dial()
	c.say(`{"id":1,"connect":{"token":%q}}`, user)
	c.want(`{"id":1,"connected":{}}`)
	for i, channel := range channels {
		c.say(`{"id":%d,"subscribe":{"channel":%q}}`, i+2, channel)
		c.want(fmt.Sprintf(`{"id":%d,"subscribed":{"channel":%q}}`, i+2, channel))
	}
	return c
}

// say sends a message to the server.
func (c *client) say(format string, args ...any) {
	c.p.t.Helper()
	if len(args) > 0 {
		format = fmt.Sprintf(format, args...)
	}
	c.x.Deliver(&asgi.WebSocketReceive{Kind: asgi.Text, Data: []byte(format)})
}

// next returns the objects sent since the last call; a close frame is
// {"close":code,"reason":word}.
func (c *client) next() (objects []map[string]any) {
	c.p.t.Helper()
	c.x.Run()
	sent := c.x.Sent()
	c.frames = len(sent) - c.seen
	for _, ev := range sent[c.seen:] {
		switch ev := ev.(type) {
		case *asgi.WebSocketSend:
			var all []map[string]any
			text := ev.Data
			if text[0] != '[' {
				text = []byte("[" + string(text) + "]")
			}
			d := json.NewDecoder(bytes.NewReader(text))
			if c.p.raw {
				d.UseNumber()
			}
			if err := d.Decode(&all); err != nil || ev.Kind != asgi.Text {
				c.p.t.Fatalf("sent %v %q: %v", ev.Kind, ev.Data, err)
			}
			objects = append(objects, all...)
		case *asgi.WebSocketClose:
			objects = append(objects, map[string]any{"close": float64(ev.Code), "reason": ev.Reason})
		}
	}
	c.seen = len(sent)
	return objects
}

// want checks the next objects, each given as a part of its JSON: keys that are
// not mentioned may have any value.
func (c *client) want(parts ...string) []map[string]any {
	c.p.t.Helper()
	got := c.next()
	if len(got) != len(parts) {
		c.p.t.Fatalf("got %s, want %d: %v", show(got), len(parts), parts)
	}
	for i, part := range parts {
		var want map[string]any
		if err := json.Unmarshal([]byte(part), &want); err != nil {
			c.p.t.Fatalf("%s: %v", part, err)
		}
		if !contains(got[i], want) {
			c.p.t.Errorf("object %d is %s, want %s", i, show(got[i]), part)
		}
	}
	return got
}

// contains reports whether got is want, or has more keys.
func contains(got, want any) bool {
	wantMap, ok := want.(map[string]any)
	gotMap, both := got.(map[string]any)
	if !ok || !both {
		return reflect.DeepEqual(got, want)
	}
	for key, value := range wantMap {
		if have, there := gotMap[key]; !there || !contains(have, value) {
			return false
		}
	}
	return true
}

func show(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v)
	return strings.TrimSpace(b.String())
}

// publish publishes JSON in the server's name.
func (p *place) publish(channel string, data ...string) (last hub.Receipt) {
	p.t.Helper()
	for _, text := range data {
		r, err := p.hub.PublishOne(hub.Publication{Channel: channel, Data: []byte(text)})
		if err != nil {
			p.t.Fatal(err)
		}
		last = r
	}
	return last
}

// offsets are those of the messages among objects.
func offsets(objects []map[string]any) (all []int) {
	for _, o := range objects {
		if m, ok := o["message"].(map[string]any); ok {
			all = append(all, int(m["offset"].(float64)))
		}
	}
	return all
}

// upTo is the numbers from first to last.
func upTo(first, last int) (all []int) {
	for n := first; n <= last; n++ {
		all = append(all, n)
	}
	return all
}
