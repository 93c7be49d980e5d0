package socket_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/socket"
	"github.com/gale-server/gale/internal/longtest"
)

// follower is a client that comes back whenever it is cut off, and checks that it
// sees each message of a channel once and in order, or is told what is lost.
type follower struct {
	*client
	p     *place
	at    hub.Position // nothing before the first subscription
	begun bool         // the subscription is confirmed
	seen  int
	gaps  int
}

func (f *follower) dial() {
	f.client = f.p.enter("")
	f.begun = false
	after := ""
	if f.at.Epoch != "" {
		after = fmt.Sprintf(`,"after":{"epoch":%q,"offset":%d}`, f.at.Epoch, f.at.Offset)
	}
	f.say("%s", `{"id":2,"subscribe":{"channel":"a"`+after+`}}`)
}

func positionOf(v any) hub.Position {
	o := v.(map[string]any)
	return hub.Position{Epoch: o["epoch"].(string), Offset: uint64(o["offset"].(float64))}
}

// move moves to a place, of which so many messages before are lost.
func (f *follower) move(to hub.Position, missing float64) {
	f.p.t.Helper()
	switch {
	case missing != 0:
		f.gaps++
	case f.at.Epoch != "" && to != f.at:
		f.p.t.Fatalf("from %v to %v without a word", f.at, to)
	}
	if missing > 0 && (to.Epoch != f.at.Epoch || to.Offset != f.at.Offset+uint64(missing)) {
		f.p.t.Fatalf("from %v to %v, and %v are said to be lost", f.at, to, missing)
	}
	f.at = to
}

// look takes what has come. It reports whether the connection is over.
func (f *follower) look() (over bool) {
	f.p.t.Helper()
	for _, o := range f.next() {
		switch {
		case o["subscribed"] != nil:
			s := o["subscribed"].(map[string]any)
			f.move(positionOf(s["position"]), s["missing"].(float64))
			f.begun = true
		case o["gap"] != nil:
			g := o["gap"].(map[string]any)
			if from := positionOf(g["from"]); from != f.at {
				f.p.t.Fatalf("a gap from %v at %v", from, f.at)
			}
			f.move(positionOf(g["to"]), g["missing"].(float64))
		case o["message"] != nil:
			m := o["message"].(map[string]any)
			at := positionOf(m)
			if !f.begun || at.Epoch != f.at.Epoch || at.Offset != f.at.Offset+1 || m["data"] != float64(at.Offset) {
				f.p.t.Fatalf("got %s at %v", show(o), f.at)
			}
			f.at = at
			f.seen++
		case o["close"] != nil:
			return true
		default:
			f.p.t.Fatalf("got %s", show(o))
		}
	}
	return false
}

// TestRandom has clients come and go, and stall, while messages are published and
// the broker answers late. GALE_TEST=20x makes it twenty times as long.
func TestRandom(t *testing.T) {
	for seed := range uint64(longtest.Count(6, 6)) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 0))
			b := newFarBroker()
			options := hub.Options{HistoryMessages: 20, HistoryBytes: 1 << 20, HistoryAge: time.Hour, MaxLagBytes: 200 * 30, Slow: hub.SlowPolicy(seed % 3)}
			b.Memory = hub.NewMemory(hub.MemoryConfig{Options: func(string) hub.Options { return options }})
			p := newPlace(t, hub.Config{Broker: b, Channels: map[string]hub.Options{"": options}}, socket.Config{})
			published := 0
			publish := func(n int) {
				for range n {
					published++
					b.Memory.Publish([]hub.Publication{{Channel: "a", Data: fmt.Append(nil, published)}}, func([]hub.Result) {})
				}
			}
			var all []*follower
			for range 5 {
				f := &follower{p: p}
				f.dial()
				all = append(all, f)
			}
			for range 300 {
				f := all[r.IntN(len(all))]
				switch r.IntN(8) {
				case 0, 1:
					publish(1 + r.IntN(5))
				case 2:
					publish(r.IntN(40))
				case 3:
					f.x.Congest()
				case 4:
					f.x.Drain()
				case 5:
					f.look()
					f.x.Deliver(&asgi.WebSocketDisconnect{Code: 1006})
					f.dial()
				case 6:
					b.answer(slices.Reverse)
				case 7:
					b.here = !b.here
				}
				for _, f := range all {
					if r.IntN(2) == 0 && f.look() {
						f.dial()
					}
				}
			}
			b.here = true
			for _, f := range all {
				f.x.Drain()
			}
			publish(1)
			for range 10 { // an answer may lead to another question
				b.answer(asAsked)
				for _, f := range all {
					if f.look() {
						f.dial()
					}
				}
			}
			seen, gaps := 0, 0
			for i, f := range all {
				if f.at.Offset != uint64(published) {
					t.Errorf("follower %d is at %v of %d", i, f.at, published)
				}
				seen, gaps = seen+f.seen, gaps+f.gaps
			}
			if seen < published || gaps == 0 {
				t.Errorf("%d messages were seen and %d gaps: nothing was tried", seen, gaps)
			}
		})
	}
}
