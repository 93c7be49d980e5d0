package chat_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/chat"
)

func TestBadRequests(t *testing.T) {
	p := newParty(t, chat.Config{MaxFaults: 1000, MessageBurst: 1000})
	ada := p.enter("Ada", "lobby")
	for _, c := range []struct {
		message string
		code    chat.ErrorCode
	}{
		{``, chat.BadRequest},
		{`{`, chat.BadRequest},
		{`[]`, chat.BadRequest},
		{`"hello"`, chat.BadRequest},
		{`{"type":7}`, chat.BadRequest},
		{`{"type":"ping"} {}`, chat.BadRequest},
		{`{}`, chat.BadRequest},
		{`{"type":"dance"}`, chat.BadRequest},
		{`{"type":"hello","session":"0123456789abcdef","name":"x"}`, chat.BadRequest}, // a second one
		{`{"type":"join","room":"lobby","seq":-1}`, chat.BadRequest},
		{`{"type":"join"}`, chat.BadRoom},
		{`{"type":"join","room":"Lobby"}`, chat.BadRoom},
		{`{"type":"join","room":"a/b"}`, chat.BadRoom},
		{`{"type":"join","room":"` + strings.Repeat("a", 33) + `"}`, chat.BadRoom},
		{`{"type":"leave","room":"attic"}`, chat.NotMember},
		{`{"type":"say","room":"attic","id":"1","text":"x"}`, chat.NotMember},
		{`{"type":"say","room":"lobby","text":"x"}`, chat.BadRequest},
		{`{"type":"say","room":"lobby","id":"a b","text":"x"}`, chat.BadRequest},
		{`{"type":"say","room":"lobby","id":"` + strings.Repeat("a", 65) + `","text":"x"}`, chat.BadRequest},
		{`{"type":"say","room":"lobby","id":"1"}`, chat.BadText},
		{`{"type":"say","room":"lobby","id":"1","text":" \n "}`, chat.BadText},
		{`{"type":"say","room":"lobby","id":"1","text":"a\u0000b"}`, chat.BadText},
		{`{"type":"say","room":"lobby","id":"1","text":"` + strings.Repeat("é", 2001) + `"}`, chat.BadText},
	} {
		ada.say("%s", c.message)
		ada.wantError(c.code)
	}
	ada.say(`{"type":"say","room":"lobby","id":"1","text":"%s"}`, strings.Repeat("é", 2000))
	ada.wantTypes("message")
	ada.x.Deliver(&asgi.WebSocketReceive{Kind: asgi.Binary, Data: []byte(`{"type":"ping"}`)})
	ada.wantError(chat.BadRequest)
	ada.say(`{"type":"say","room":"attic","id":"m7","text":"x"}`)
	ada.want(`{"type":"error","code":"not_member","room":"attic","id":"m7"}`)
}

func TestHelloComesFirst(t *testing.T) {
	p := newParty(t, chat.Config{})
	who := p.dial()
	for _, message := range []string{
		`{"type":"join","room":"lobby"}`,
		`{"type":"ping"}`,
		`{"type":"hello","name":"x"}`,
		`{"type":"hello","name":"x","session":"short"}`,
		`{"type":"hello","name":"x","session":"` + strings.Repeat("a", 65) + `"}`,
		`{"type":"hello","name":"x","session":"0123456789 abcdef"}`,
	} {
		who.say("%s", message)
		who.wantError(chat.BadRequest)
	}
	who.say(`{"type":"hello","name":"x","session":"0123456789abcdef"}`)
	who.wantTypes("welcome")
}

func TestHelloTimeout(t *testing.T) {
	p := newParty(t, chat.Config{HelloTimeout: 3 * time.Second})
	late, timely := p.dial(), p.enter("Ada")
	late.x.Advance(2 * time.Second)
	late.want()
	late.x.Advance(time.Second)
	late.want(`{"type":"close","code":1008}`)
	timely.x.Advance(time.Minute)
	timely.want()
	late.say(`{"type":"hello","session":"0123456789abcdef","name":"Late"}`) // under way when we closed
	late.want()
	bob := p.dial()
	bob.say(`{"type":"hello","session":%q,"name":"Late"}`, session("Bob"))
	bob.want(`{"type":"welcome","name":"Late"}`)
}

func TestFaultsCloseTheConnection(t *testing.T) {
	p := newParty(t, chat.Config{MaxFaults: 3, FaultPeriod: time.Second})
	watcher := p.enter("Watcher", "lobby")
	ada := p.enter("Ada", "lobby")
	p.settle()
	for range 3 {
		ada.say(`{`)
		ada.wantError(chat.BadRequest)
	}
	p.clock.add(time.Second) // forgives one
	ada.say(`{`)
	ada.wantError(chat.BadRequest)
	for range 5 {
		ada.say(`{"type":"join","room":"NO"}`) // refused, but no fault
		ada.wantError(chat.BadRoom)
	}
	ada.say(`{`)
	ada.want(`{"type":"error","code":"bad_request"}`, `{"type":"close","code":1008,"reason":"too many mistakes"}`)
	watcher.want(`{"type":"left","name":"Ada"}`)
	ada.say(`{"type":"ping"}`) // under way when we closed
	ada.want()
}

func TestRate(t *testing.T) {
	p := newParty(t, chat.Config{MessageRate: 2, MessageBurst: 5, MaxFaults: 2, FaultPeriod: time.Hour})
	ada := p.enter("Ada") // the hello was the first
	for range 4 {
		ada.say(`{"type":"ping"}`)
		ada.wantTypes("pong")
	}
	ada.say(`{"type":"say","room":"lobby","id":"m1","text":"x"}`)
	ada.want(`{"type":"error","code":"too_fast","room":"lobby","id":"m1","retry":501}`)
	p.clock.add(499 * time.Millisecond)
	ada.say(`{"type":"ping"}`)
	ada.want(`{"type":"error","code":"too_fast","retry":2}`)
	p.clock.add(time.Millisecond)
	ada.say(`{"type":"ping"}`)
	ada.wantTypes("pong")
	p.clock.add(time.Hour) // the burst has a bound
	for range 5 {
		ada.say(`{"type":"ping"}`)
		ada.wantTypes("pong")
	}
	ada.say(`{"type":"ping"}`)
	ada.wantError(chat.TooFast)
	ada.say(`{"type":"ping"}`)
	ada.want(`{"type":"error","code":"too_fast"}`, `{"type":"close","code":1008}`)
}

func TestMessageTooLong(t *testing.T) {
	p := newParty(t, chat.Config{MaxMessageBytes: 100})
	ada := p.enter("Ada")
	ping := func(n int) string {
		return fmt.Sprintf(`{"type":"ping","t":"%s"}`, strings.Repeat("x", n-len(`{"type":"ping","t":""}`)))
	}
	ada.say("%s", ping(100))
	ada.wantTypes("pong")
	ada.say("%s", ping(101))
	ada.want(`{"type":"close","code":1009}`)
}

func TestRoomLimits(t *testing.T) {
	p := newParty(t, chat.Config{MaxRoomsPerMember: 2, MaxMembersPerRoom: 2})
	ada := p.enter("Ada", "a", "b")
	ada.say(`{"type":"join","room":"c"}`)
	ada.wantError(chat.TooMany)
	ada.say(`{"type":"join","room":"b"}`) // is in already
	ada.wantTypes("joined")
	p.enter("Bob", "a")
	eve := p.enter("Eve")
	eve.say(`{"type":"join","room":"a"}`)
	eve.wantError(chat.RoomFull)
	ada.say(`{"type":"leave","room":"a"}`)
	eve.say(`{"type":"join","room":"a"}`)
	eve.wantTypes("joined")
	eve.say(`{"type":"join","room":"a"}`) // a full room has her already
	eve.wantTypes("joined")
	p.settle()
	ada.say(`{"type":"leave","room":"a"}`)
	ada.wantError(chat.NotMember)
	ada.say(`{"type":"join","room":"c"}`)
	ada.wantTypes("joined")
}

func TestSlowMember(t *testing.T) {
	p := newParty(t, chat.Config{MaxPendingBytes: 1000, MessageBurst: 100})
	ada := p.enter("Ada", "lobby")
	slow := p.enter("Slow", "lobby")
	p.settle()
	slow.x.Congest()
	publish(ada, 1, 3)
	slow.want() // waits
	slow.x.Drain()
	if got := slow.wantTypes("message", "message", "message"); got[0]["text"] != "1" || got[2]["text"] != "3" {
		t.Errorf("after a stall: %v", got)
	}

	slow.x.Congest()
	for i := 4; ; i++ {
		ada.say(`{"type":"say","room":"lobby","id":"id-%d","text":"%s"}`, i, strings.Repeat("x", 150))
		if got := slow.next(); len(got) > 0 {
			if len(got) != 1 || got[0]["code"] != 1013.0 || !strings.Contains(got[0]["reason"].(string), "slow") {
				t.Errorf("a slow member got %v", got)
			}
			break
		}
		if i > 10 {
			t.Fatal("what waits has no bound")
		}
	}
	all := ada.next()
	if last := all[len(all)-1]; last["type"] != "left" || last["name"] != "Slow" {
		t.Errorf("the others saw %v", last)
	}
	slow.x.Drain()
	ada.say(`{"type":"say","room":"lobby","id":"after","text":"x"}`)
	slow.want()
}

// One message larger than the bound is no reason to give a member up: a history
// may be.
func TestLargeMessageAlone(t *testing.T) {
	p := newParty(t, chat.Config{MaxPendingBytes: 10})
	ada := p.enter("Ada")
	ada.say(`{"type":"join","room":"lobby"}`)
	ada.wantTypes("joined")
	ada.x.Congest()
	ada.say(`{"type":"rooms"}`)
	ada.x.Drain()
	ada.wantTypes("rooms")
}

// What a panic ends must not stay in its rooms.
func TestPanicLeavesTheRooms(t *testing.T) {
	now := time.UnixMilli(0)
	broken := false
	c, err := chat.New(chat.Config{Now: func() time.Time {
		if broken {
			panic("clock")
		}
		return now
	}})
	if err != nil {
		t.Fatal(err)
	}
	p := &party{t: t, chat: c, clock: &fakeClock{}}
	watcher := p.enter("Watcher", "lobby")
	ada := p.enter("Ada", "lobby")
	p.settle()
	broken = true
	ada.say(`{"type":"ping"}`)
	if ada.x.Err() == nil {
		t.Fatal("the panic was swallowed")
	}
	watcher.want(`{"type":"left","name":"Ada"}`)
}
