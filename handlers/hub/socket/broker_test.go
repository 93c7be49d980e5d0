package socket_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/socket"
)

// farBroker is a broker that answers when it is told to.
type farBroker struct {
	*hub.Memory
	here    bool // it answers at once
	answers []func()
}

func (b *farBroker) later(answer func()) {
	if b.here {
		answer()
		return
	}
	b.answers = append(b.answers, answer)
}

func (b *farBroker) Publish(batch []hub.Publication, done func([]hub.Result)) {
	b.Memory.Publish(batch, func(r []hub.Result) { b.later(func() { done(r) }) })
}

func (b *farBroker) Read(channel string, after hub.Position, limit hub.Limit, done func(hub.History, error)) {
	b.Memory.Read(channel, after, limit, func(h hub.History, err error) { b.later(func() { done(h, err) }) })
}

func (b *farBroker) Watch(channel string, done func(error)) {
	b.Memory.Watch(channel, func(err error) { b.later(func() { done(err) }) })
}

func (b *farBroker) Members(channel string, limit int, done func([]hub.Member, int, error)) {
	b.Memory.Members(channel, limit, func(m []hub.Member, n int, err error) { b.later(func() { done(m, n, err) }) })
}

// answer answers what was asked, the last first if that is wanted.
func (b *farBroker) answer(order func([]func())) {
	answers := b.answers
	b.answers = nil
	order(answers)
	for _, a := range answers {
		a()
	}
}

var asAsked = func([]func()) {}

func newFarBroker() *farBroker {
	return &farBroker{Memory: hub.NewMemory(hub.MemoryConfig{Options: func(string) hub.Options {
		return hub.Options{HistoryMessages: 100, HistoryBytes: 1 << 20, HistoryAge: time.Hour, MaxLagBytes: 1 << 19, Presence: true}
	}})}
}

// Replies that come late keep their ids.
func TestLateReplies(t *testing.T) {
	b := newFarBroker()
	p := newPlace(t, hub.Config{Broker: b}, socket.Config{})
	ada := p.enter("Ada")
	ada.say(`[{"id":2,"publish":{"channel":"p:a","data":1}},{"id":3,"history":{"channel":"p:a"}},{"id":4,"members":{"channel":"p:a"}},{"id":5,"ping":{}}]`)
	ada.want(`{"id":5,"pong":{}}`)
	b.answer(slices.Reverse[[]func()])
	ada.want(`{"id":4,"members":{}}`, `{"id":3,"history":{}}`, `{"id":2,"published":{"offset":1}}`)

	ada.say(`{"id":6,"subscribe":{"channel":"p:a","after":{}}}`)
	b.answer(asAsked) // watched
	ada.want()
	b.answer(asAsked) // read
	ada.want(`{"id":6,"subscribed":{}}`, `{"message":{"data":1}}`)

	// Those of a connection that is over go nowhere.
	ada.say(`[{"id":7,"publish":{"channel":"p:a","data":2}},{"id":8,"subscribe":{"channel":"p:b"}}]`)
	ada.want(`{"message":{"data":2}}`)
	ada.x.Deliver(&asgi.WebSocketDisconnect{Code: 1006})
	b.answer(asAsked)
	ada.want()
}

// So much is asked at a time, and no more is read; all is answered in the end.
func TestAskedIsBounded(t *testing.T) {
	b := newFarBroker()
	p := newPlace(t, hub.Config{Broker: b, PublishRate: -1}, socket.Config{})
	ada := p.enter("Ada")
	const n = 50
	var batch []string
	for i := range n {
		batch = append(batch, fmt.Sprintf(`{"id":%d,"publish":{"channel":"a","data":%d}}`, i+2, i))
	}
	ada.say("%s", "["+strings.Join(batch, ",")+"]")
	ada.say(`{"id":100,"ping":{}}`)
	rounds, got := 0, 0
	for ; len(b.answers) > 0; rounds++ {
		if len(b.answers) > 8 || !ada.x.Paused() && got < n-8 {
			t.Fatalf("%d are asked, paused %v", len(b.answers), ada.x.Paused())
		}
		b.answer(asAsked)
		for _, o := range ada.next() {
			if o["published"] != nil {
				if got++; int(o["id"].(float64)) != got+1 {
					t.Fatalf("reply %d is %s", got, show(o))
				}
			} else if o["pong"] == nil || got < n-8 {
				t.Fatalf("got %s after %d", show(o), got)
			}
		}
	}
	if got != n || rounds != 7 || ada.x.Paused() {
		t.Errorf("%d replies in %d rounds, paused %v", got, rounds, ada.x.Paused())
	}
}

// A subscribe that is cancelled, or revoked, before it is answered is answered all
// the same, and no more than once.
func TestPendingSubscribe(t *testing.T) {
	b := newFarBroker()
	p := newPlace(t, hub.Config{Broker: b}, socket.Config{})
	ada := p.enter("Ada")
	ada.say(`[{"id":2,"subscribe":{"channel":"a"}},{"id":3,"subscribe":{"channel":"b"}},{"id":4,"subscribe":{"channel":"c"}}]`)
	ada.say(`{"id":5,"unsubscribe":{"channel":"b"}}`)
	ada.want(`{"id":3,"error":{"code":"not_subscribed"}}`, `{"id":5,"unsubscribed":{"channel":"b"}}`)
	ada.say(`{"id":6,"refresh":{"token":"only-a-Ada"}}`)
	ada.want(`{"id":4,"error":{"code":"not_allowed"}}`, `{"id":6,"refreshed":{}}`)
	for len(b.answers) > 0 {
		b.answer(asAsked)
		ada.x.Run()
	}
	ada.want(`{"id":2,"subscribed":{"channel":"a"}}`)
	// None of them counts as asked any more.
	for i := range 30 {
		ada.say(`{"id":%d,"history":{"channel":"a"}}`, 10+i)
		b.answer(asAsked)
		ada.want(fmt.Sprintf(`{"id":%d,"history":{}}`, 10+i))
	}
	for i := range 30 { // as many as would fill the bound if they were forgotten
		ada.say(`[{"id":50,"subscribe":{"channel":"a:%d"}},{"id":51,"unsubscribe":{"channel":"a:%d"}}]`, i, i)
		ada.want(`{"id":50,"error":{"code":"not_allowed"}}`, `{"id":51,"error":{"code":"not_subscribed"}}`)
		ada.say(`[{"id":52,"unsubscribe":{"channel":"a"}},{"id":53,"subscribe":{"channel":"a"}},{"id":54,"unsubscribe":{"channel":"a"}},{"id":55,"subscribe":{"channel":"a"}}]`)
		for len(b.answers) > 0 {
			b.answer(asAsked)
			ada.x.Run()
		}
		ada.want(`{"id":52,"unsubscribed":{}}`, `{"id":53,"error":{"code":"not_subscribed"}}`, `{"id":54,"unsubscribed":{}}`, `{"id":55,"subscribed":{}}`)
		p.clock.add(time.Second)
	}
}
