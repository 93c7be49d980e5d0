package chat_test

import (
	"fmt"
	"testing"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/chat"
)

// publish has somebody say the numbers first to last in the lobby.
func publish(c *client, first, last int) {
	for i := first; i <= last; i++ {
		c.say(`{"type":"say","room":"lobby","id":"id-%d","text":"%d"}`, i, i)
	}
	c.p.settle()
}

func TestResume(t *testing.T) {
	p := newParty(t, chat.Config{HistoryMessages: 5})
	ada := p.enter("Ada", "lobby")
	bob := p.enter("Bob")
	bob.say(`{"type":"join","room":"lobby"}`)
	epoch := bob.wantTypes("joined")[0]["epoch"].(string)
	publish(ada, 1, 3)

	for _, c := range []struct {
		what  string
		from  int // publish up to this before the join
		epoch string
		seq   int
		texts string
		gap   int
		last  int
	}{
		{"fresh", 3, "", 0, "1 2 3", 0, 3},
		{"missed nothing", 3, epoch, 3, "", 0, 3},
		{"missed two", 3, epoch, 1, "2 3", 0, 3},
		{"missed all", 3, epoch, 0, "1 2 3", 0, 3},
		{"missed five, just kept", 6, epoch, 1, "2 3 4 5 6", 0, 6},
		{"missed one too many", 6, epoch, 0, "2 3 4 5 6", 1, 6},
		{"fresh after more than is kept", 6, "", 0, "2 3 4 5 6", 0, 6},
		{"another epoch", 6, "elsewhere", 6, "2 3 4 5 6", -1, 6},
		{"a number of the future", 6, epoch, 99, "2 3 4 5 6", -1, 6},
	} {
		for have := 3; have < c.from; have++ {
			publish(ada, have+1, have+1)
		}
		bob.say(`{"type":"leave","room":"lobby"}`)
		bob.next()
		bob.say(`{"type":"join","room":"lobby","epoch":%q,"seq":%d}`, c.epoch, c.seq)
		joined := bob.want(fmt.Sprintf(`{"type":"joined","gap":%d,"epoch":%q}`, c.gap, epoch))[0]
		if got := texts(joined); got != c.texts {
			t.Errorf("%s: got %q, want %q", c.what, got, c.texts)
		}
	}
}

// A message that is published between two events of a member arrives once, after
// what was before it.
func TestNothingTwiceAroundAJoin(t *testing.T) {
	p := newParty(t, chat.Config{})
	ada := p.enter("Ada", "lobby")
	publish(ada, 1, 2)
	bob := p.enter("Bob")
	bob.say(`{"type":"join","room":"lobby"}`)
	ada.say(`{"type":"say","room":"lobby","id":"id-3","text":"3"}`)
	got := bob.wantTypes("joined", "message")
	if texts(got[0]) != "1 2" || got[1]["text"] != "3" || got[0]["seq"] != 2.0 || got[1]["seq"] != 3.0 {
		t.Errorf("got %v", got)
	}
	bob.say(`{"type":"join","room":"lobby","epoch":%q,"seq":1}`, got[0]["epoch"]) // once more is no arrival
	if again := bob.wantTypes("joined")[0]; texts(again) != "2 3" {
		t.Errorf("joined again: %v", again)
	}
	ada.wantTypes("arrived", "message")
}

func TestRepetitionIsNotPublished(t *testing.T) {
	p := newParty(t, chat.Config{HistoryMessages: 2})
	ada := p.enter("Ada", "lobby")
	bob := p.enter("Bob", "lobby")
	publish(ada, 1, 1)
	ada.say(`{"type":"say","room":"lobby","id":"id-1","text":"1 again"}`)
	ada.want(`{"type":"message","seq":1,"text":"1"}`)
	bob.want()
	bob.say(`{"type":"say","room":"lobby","id":"id-1","text":"Bob's"}`) // an id is its author's
	ada.want(`{"type":"message","seq":2,"text":"Bob's"}`)
	p.settle()
	publish(ada, 3, 3) // id-1 falls out of the history
	ada.say(`{"type":"say","room":"lobby","id":"id-1","text":"late"}`)
	bob.want(`{"type":"message","seq":4,"text":"late"}`)
}

// The author comes back on another connection, as the same session.
func TestRepetitionAfterAReconnect(t *testing.T) {
	p := newParty(t, chat.Config{})
	bob := p.enter("Bob", "lobby")
	ada := p.enter("Ada", "lobby")
	publish(ada, 1, 1)
	ada.x.Deliver(&asgi.WebSocketDisconnect{Code: 1006})
	ada = p.enter("Ada", "lobby")
	p.settle()
	ada.say(`{"type":"say","room":"lobby","id":"id-1","text":"1"}`)
	ada.want(`{"type":"message","seq":1}`)
	bob.want()
}

func TestNoHistory(t *testing.T) {
	p := newParty(t, chat.Config{HistoryMessages: -1})
	ada := p.enter("Ada", "lobby")
	bob := p.enter("Bob")
	bob.say(`{"type":"join","room":"lobby"}`)
	epoch := bob.wantTypes("joined")[0]["epoch"]
	publish(ada, 1, 2)
	bob.say(`{"type":"join","room":"lobby","epoch":%q,"seq":1}`, epoch)
	if joined := bob.want(`{"type":"joined","seq":2,"gap":1}`)[0]; texts(joined) != "" {
		t.Errorf("got %v", joined)
	}
}

func TestRoomEndsWithItsLastMember(t *testing.T) {
	p := newParty(t, chat.Config{MaxRooms: 2})
	ada := p.enter("Ada")
	ada.say(`{"type":"join","room":"attic"}`)
	first := ada.wantTypes("joined")[0]["epoch"]
	bob := p.enter("Bob")
	bob.say(`{"type":"join","room":"cellar"}`)
	bob.wantError(chat.TooMany)
	ada.say(`{"type":"say","room":"attic","id":"1","text":"x"}`)
	ada.say(`{"type":"leave","room":"attic"}`)
	ada.wantTypes("message", "parted")
	bob.say(`{"type":"join","room":"cellar"}`)
	bob.wantTypes("joined")
	bob.say(`{"type":"leave","room":"cellar"}`)
	ada.say(`{"type":"join","room":"attic","epoch":%q,"seq":1}`, first)
	joined := ada.want(`{"type":"joined","seq":0,"gap":-1}`)[0]
	if joined["epoch"] == first || texts(joined) != "" {
		t.Errorf("the room lived on: %v", joined)
	}
	ada.say(`{"type":"leave","room":"attic"}`)
	ada.say(`{"type":"join","room":"lobby"}`)
	ada.say(`{"type":"leave","room":"lobby"}`)
	ada.say(`{"type":"rooms"}`)
	all := ada.next()
	if got := fmt.Sprint(all[len(all)-1]["rooms"]); got != "[map[members:0 permanent:true room:lobby]]" {
		t.Errorf("rooms are %v", got)
	}
}
