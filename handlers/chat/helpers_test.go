package chat_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/handlers/chat"
)

// fakeClock is the clock of a chat under test.
type fakeClock struct{ now time.Time }

func (c *fakeClock) add(d time.Duration) { c.now = c.now.Add(d) }

// party is a chat under test and everybody in it; the test's goroutine is the
// loop of all.
type party struct {
	t       testing.TB
	chat    *chat.Chat
	clock   *fakeClock
	clients []*client
}

func newParty(t testing.TB, config chat.Config) *party {
	t.Helper()
	clock := &fakeClock{now: time.UnixMilli(1_000_000)}
	config.Now = func() time.Time { return clock.now }
	c, err := chat.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return &party{t: t, chat: c, clock: clock}
}

// client is the far end of one connection.
type client struct {
	p    *party
	x    *asgitest.Exchange
	seen int // events looked at
}

// dial opens a connection, without a hello.
func (p *party) dial() *client {
	p.t.Helper()
	c := &client{p: p, x: asgitest.New(p.t, p.chat, asgitest.WebSocketScope("/chat"))}
	p.clients = append(p.clients, c)
	c.x.Deliver(&asgi.WebSocketConnect{})
	if sent := c.x.Sent(); len(sent) != 1 || sent[0].EventType() != "websocket.accept" {
		p.t.Fatalf("the handshake was answered with %v", sent)
	}
	c.seen = 1
	return c
}

// enter opens a connection with a session made of the name, says hello and
// joins rooms.
func (p *party) enter(name string, rooms ...string) *client {
	p.t.Helper()
	c := p.dial()
	c.say(`{"type":"hello","session":%q,"name":%q}`, session(name), name)
	c.wantTypes("welcome")
	for _, room := range rooms {
		c.say(`{"type":"join","room":%q}`, room)
	}
	p.settle()
	return c
}

// session is a valid session that belongs to a name.
func session(name string) string { return fmt.Sprintf("%x-0123456789abcdef", name) }

// settle lets every loop run, and forgets what was sent.
func (p *party) settle() {
	for _, c := range p.clients {
		c.next()
	}
}

// say sends a message to the chat.
func (c *client) say(format string, args ...any) {
	c.p.t.Helper()
	c.x.Deliver(&asgi.WebSocketReceive{Kind: asgi.Text, Data: fmt.Appendf(nil, format, args...)})
}

// object is a message of the chat.
type object map[string]any

func (o object) String() string {
	p, _ := json.Marshal(map[string]any(o))
	return string(p)
}

// next returns the messages sent since the last call; a close is an object of
// the type "close".
func (c *client) next() (messages []object) {
	c.p.t.Helper()
	c.x.Run()
	sent := c.x.Sent()
	for _, ev := range sent[c.seen:] {
		switch ev := ev.(type) {
		case *asgi.WebSocketSend:
			o := object{}
			if err := json.Unmarshal(ev.Data, &o); err != nil || ev.Kind != asgi.Text {
				c.p.t.Fatalf("sent %v %q: %v", ev.Kind, ev.Data, err)
			}
			messages = append(messages, o)
		case *asgi.WebSocketClose:
			messages = append(messages, object{"type": "close", "code": float64(ev.Code), "reason": ev.Reason})
		}
	}
	c.seen = len(sent)
	return messages
}

// want checks the next messages, each given as a part of its JSON: keys that
// are not mentioned may have any value.
func (c *client) want(parts ...string) []object {
	c.p.t.Helper()
	got := c.next()
	if len(got) != len(parts) {
		c.p.t.Fatalf("got %d messages %v, want %d: %v", len(got), got, len(parts), parts)
	}
	for i, part := range parts {
		want := object{}
		if err := json.Unmarshal([]byte(part), &want); err != nil {
			c.p.t.Fatalf("%s: %v", part, err)
		}
		for key, value := range want {
			if fmt.Sprint(got[i][key]) != fmt.Sprint(value) {
				c.p.t.Errorf("message %d is %v, want %v", i, got[i], part)
			}
		}
	}
	return got
}

func (c *client) wantTypes(types ...string) []object {
	c.p.t.Helper()
	got := c.next()
	var have []string
	for _, o := range got {
		have = append(have, o["type"].(string))
	}
	if !slices.Equal(have, types) {
		c.p.t.Fatalf("got %v, want types %v", got, types)
	}
	return got
}

func (c *client) wantError(code chat.ErrorCode) object {
	c.p.t.Helper()
	return c.want(fmt.Sprintf(`{"type":"error","code":%q}`, code))[0]
}

// texts are the texts of the messages in a "joined".
func texts(joined object) string {
	var all []string
	for _, m := range joined["messages"].([]any) {
		all = append(all, m.(map[string]any)["text"].(string))
	}
	return strings.Join(all, " ")
}

// names are the sorted names of the members in a "joined".
func names(joined object) string {
	var all []string
	for _, m := range joined["members"].([]any) {
		all = append(all, m.(map[string]any)["name"].(string))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}
