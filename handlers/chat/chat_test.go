package chat_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/handlers/chat"
)

func TestConversation(t *testing.T) {
	p := newParty(t, chat.Config{})
	ada := p.enter("Ada", "lobby")
	bob := p.enter("Bob", "lobby")
	ada.next()
	bob.say(`{"type":"say","room":"lobby","id":"m1","text":" hi <b>Ada</b>\r\nthere "}`)
	want := `{"type":"message","room":"lobby","seq":1,"time":1000000,"name":"Bob","id":"m1","text":"hi <b>Ada</b>\nthere"}`
	sent := bob.want(want)[0]
	if got := ada.want(want)[0]; got["from"] != sent["from"] || got["from"] == "" {
		t.Errorf("from is %v and %v", got["from"], sent["from"])
	}
	p.clock.add(time.Second)
	ada.say(`{"type":"say","room":"lobby","id":"m2","text":"hi"}`)
	bob.want(`{"type":"message","seq":2,"time":1001000,"name":"Ada","text":"hi"}`)
}

func TestWelcome(t *testing.T) {
	p := newParty(t, chat.Config{Rooms: []string{"zoo", "lobby"}, HistoryMessages: -1})
	p.enter("Ada", "lobby", "attic")
	bob := p.dial()
	bob.say(`{"type":"hello","session":%q,"name":"Bob"}`, session("Bob"))
	w := bob.want(`{"type":"welcome","name":"Bob"}`)[0]
	if id, _ := w["you"].(string); len(id) != 16 || strings.Contains(session("Bob"), id) {
		t.Errorf("you are %q", id)
	}
	wantLimits := map[string]any{"name_runes": 24.0, "text_runes": 2000.0, "rooms": 16.0, "history": 0.0}
	if fmt.Sprint(w["limits"]) != fmt.Sprint(wantLimits) {
		t.Errorf("limits are %v", w["limits"])
	}
	want := "[map[members:0 permanent:true room:zoo] map[members:1 permanent:true room:lobby] map[members:1 permanent:false room:attic]]"
	if got := fmt.Sprint(w["rooms"]); got != want {
		t.Errorf("rooms are %v", got)
	}
	bob.say(`{"type":"rooms"}`)
	if got := fmt.Sprint(bob.want(`{"type":"rooms"}`)[0]["rooms"]); got != want {
		t.Errorf("rooms are %v", got)
	}
}

func TestPresence(t *testing.T) {
	p := newParty(t, chat.Config{})
	ada := p.enter("Ada", "lobby")
	bob := p.enter("Bob")
	bob.say(`{"type":"join","room":"lobby"}`)
	joined := bob.want(`{"type":"joined","room":"lobby","seq":0,"gap":0}`)[0]
	if got := names(joined); got != "Ada, Bob" {
		t.Errorf("members are %s", got)
	}
	came := ada.want(`{"type":"arrived","room":"lobby","name":"Bob"}`)[0]

	bob.say(`{"type":"name","name":"Robert"}`)
	bob.want(`{"type":"named","name":"Robert"}`, `{"type":"named","room":"lobby","name":"Robert"}`)
	if named := ada.want(`{"type":"named","room":"lobby","name":"Robert"}`)[0]; named["id"] != came["id"] {
		t.Errorf("named %v, arrived %v", named, came)
	}

	ada.say(`{"type":"join","room":"lobby"}`)
	if got := names(ada.wantTypes("joined")[0]); got != "Ada, Robert" {
		t.Errorf("members are %s", got)
	}

	bob.say(`{"type":"leave","room":"lobby"}`)
	bob.want(`{"type":"parted","room":"lobby"}`)
	if left := ada.want(`{"type":"left","room":"lobby","name":"Robert"}`)[0]; left["id"] != came["id"] {
		t.Errorf("left %v, arrived %v", left, came)
	}
	bob.say(`{"type":"join","room":"lobby"}`)
	p.settle()
	bob.x.Deliver(&asgi.WebSocketDisconnect{Code: 1006})
	ada.want(`{"type":"left","name":"Robert"}`)
	ada.say(`{"type":"rooms"}`)
	ada.want(`{"type":"rooms","rooms":[{"room":"lobby","members":1,"permanent":true}]}`)
}

func TestRoomsAreApart(t *testing.T) {
	p := newParty(t, chat.Config{})
	ada := p.enter("Ada", "lobby", "attic")
	bob := p.enter("Bob", "lobby")
	p.settle()
	ada.say(`{"type":"say","room":"attic","id":"1","text":"alone"}`)
	ada.want(`{"type":"message","room":"attic","seq":1}`)
	bob.want()
	ada.say(`{"type":"say","room":"lobby","id":"2","text":"together"}`)
	bob.want(`{"type":"message","room":"lobby","seq":1}`)
}

func TestNames(t *testing.T) {
	p := newParty(t, chat.Config{MaxNameRunes: 10})
	for _, c := range []struct{ asked, got string }{
		{"Ada", "Ada"},
		{"ada", "ada 2"},
		{" Ada ", "Ada 3"},
		{"Ada 2", "Ada 2 2"},
		{"Zoë\u00a0 Ü", "Zoë Ü"},
		{"李 小龙", "李 小龙"},
		{"👩‍💻", "👩‍💻"},
		{"1234567890", "1234567890"},
	} {
		who := p.dial()
		who.say(`{"type":"hello","session":"0123456789abcdef-%x","name":%q}`, c.asked, c.asked)
		who.want(fmt.Sprintf(`{"type":"welcome","name":%q}`, c.got))
	}
	for _, name := range []string{"", "  ", "12345678901", `a\u0007`, `a\u202eb`, `a\u200bb`, `\u200d`, `\ud800`} {
		who := p.dial()
		who.say(`{"type":"hello","session":"0123456789abcdef","name":"%s"}`, name)
		if name == `\ud800` { // JSON decoding makes U+FFFD of it, which can be seen
			who.want(`{"type":"welcome"}`)
			continue
		}
		who.wantError(chat.BadName)
		who.say(`{"type":"hello","session":%q,"name":"fine"}`, session(name))
		who.wantTypes("welcome")
		who.say(`{"type":"name","name":"%s"}`, name)
		who.wantError(chat.BadName)
	}
}

func TestNameIsFreeAgain(t *testing.T) {
	p := newParty(t, chat.Config{})
	p.enter("Ada").x.Deliver(&asgi.WebSocketDisconnect{Code: 1000})
	bob := p.dial()
	bob.say(`{"type":"hello","session":%q,"name":"ADA"}`, session("Bob"))
	bob.want(`{"type":"welcome","name":"ADA"}`)
	bob.say(`{"type":"name","name":"Ada"}`) // one's own name is not taken
	bob.want(`{"type":"named","name":"Ada"}`)
	bob.say(`{"type":"name","name":"Bob"}`)
	bob.want(`{"type":"named","name":"Bob"}`)
	p.enter("Ada") // wantTypes in enter
	bob.say(`{"type":"name","name":"ada"}`)
	bob.want(`{"type":"named","name":"ada 2"}`)
}

func TestCrowdOfOneName(t *testing.T) {
	p := newParty(t, chat.Config{})
	seen := map[string]bool{}
	for i := range 120 {
		who := p.dial()
		who.say(`{"type":"hello","session":"0123456789abcdef-%d","name":"Bot"}`, i)
		seen[who.wantTypes("welcome")[0]["name"].(string)] = true
	}
	if len(seen) != 120 || !seen["Bot 99"] || seen["Bot 100"] {
		t.Errorf("%d names", len(seen))
	}
}

func TestTakeover(t *testing.T) {
	p := newParty(t, chat.Config{})
	watcher := p.enter("Watcher", "lobby")
	old := p.enter("Ada", "lobby")
	p.settle()

	again := p.dial()
	again.say(`{"type":"hello","session":%q,"name":"Ada"}`, session("Ada"))
	again.want(`{"type":"welcome","name":"Ada"}`)
	again.say(`{"type":"join","room":"lobby"}`)
	if got := names(again.wantTypes("joined")[0]); got != "Ada, Watcher" {
		t.Errorf("members are %s", got)
	}
	watcher.want() // the same member: nobody came
	old.want(`{"type":"close","code":4001}`)
	watcher.want() // and nobody left
	old.x.Deliver(&asgi.WebSocketReceive{Data: []byte(`{"type":"say","room":"lobby","id":"1","text":"ghost"}`)}, &asgi.WebSocketDisconnect{Code: 4001})
	watcher.want()

	again.say(`{"type":"say","room":"lobby","id":"1","text":"me"}`)
	watcher.want(`{"type":"message","name":"Ada","text":"me"}`)
	again.wantTypes("message")
	other := p.dial() // the name is still Ada's
	other.say(`{"type":"hello","session":%q,"name":"Ada"}`, session("other"))
	other.want(`{"type":"welcome","name":"Ada 2"}`)

	third := p.dial()
	third.say(`{"type":"hello","session":%q,"name":"Ada"}`, session("Ada"))
	third.want(`{"type":"welcome","name":"Ada"}`)
	again.want(`{"type":"close","code":4001}`)
}

func TestDrain(t *testing.T) {
	p := newParty(t, chat.Config{})
	ada := p.enter("Ada", "lobby")
	ada.x.Deliver(&asgi.Drain{})
	ada.want(`{"type":"drain"}`)
	ada.say(`{"type":"say","room":"lobby","id":"1","text":"still here"}`)
	ada.wantTypes("message")
}

func TestPing(t *testing.T) {
	p := newParty(t, chat.Config{})
	ada := p.enter("Ada")
	ada.say(`{"type":"ping","t":12.75}`)
	ada.want(`{"type":"pong","t":12.75,"time":1000000}`)
	ada.say(`{"type":"ping"}`)
	ada.want(`{"type":"pong","t":null}`)
}

func TestOtherScopesAreRefused(t *testing.T) {
	p := newParty(t, chat.Config{})
	if x := asgitest.New(t, p.chat, asgitest.HTTPScope("GET", "/")); x.Err() != asgi.ErrUnsupportedScope {
		t.Errorf("ended with %v", x.Err())
	}
}

func TestNewRefusesConfigs(t *testing.T) {
	for _, config := range []chat.Config{
		{Rooms: []string{"No Room"}},
		{Rooms: []string{"a", "b"}, MaxRooms: 1},
		{MaxRooms: -1},
		{MessageRate: -1},
		{FaultPeriod: -1},
		{MaxPendingBytes: -1},
	} {
		if _, err := chat.New(config); err == nil {
			t.Errorf("accepted %+v", config)
		}
	}
}
