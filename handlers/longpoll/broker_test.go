package longpoll_test

import (
	"sync"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/longpoll"
)

// distant is a broker that answers later: what it is asked waits until a test lets
// it through.
type distant struct {
	*hub.Memory
	mu    sync.Mutex
	asked []func()
}

func (d *distant) later(fn func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, fn)
}

// answer lets through what was asked, and reports whether there was something.
func (d *distant) answer() bool {
	d.mu.Lock()
	asked := d.asked
	d.asked = nil
	d.mu.Unlock()
	for _, fn := range asked {
		fn()
	}
	return len(asked) > 0
}

func (d *distant) Watch(channel string, done func(error)) {
	d.later(func() { d.Memory.Watch(channel, done) })
}

func (d *distant) Read(channel string, after hub.Position, limit hub.Limit, done func(hub.History, error)) {
	d.later(func() { d.Memory.Read(channel, after, limit, done) })
}

// settle has the broker answer until nothing is asked any more.
func (d *distant) settle(x *asgitest.Exchange) {
	for d.answer() {
		x.Run()
	}
}

// openDistant makes a place with a broker that answers later.
func openDistant(t *testing.T) (*place, *distant) {
	d := &distant{Memory: hub.NewMemory(hub.MemoryConfig{})}
	return open(t, hub.Config{Broker: d}, longpoll.Config{PollRate: -1}), d
}

func TestDistantBroker(t *testing.T) {
	asgitest.CheckLeaks(t)
	p, d := openDistant(t)
	x := p.park("ch=a,b&wait=0")
	d.settle(x)
	first := p.answered(x)
	p.want(first, "timeout")
	p.publish("a", "x")
	x = p.park(with("a,b", first.Cursor))
	d.answer() // it watches
	p.parked(x)
	p.publish("b", "y") // between watching and reading
	p.parked(x)
	d.settle(x)
	a := p.answered(x)
	if got := a.got(); got != "x y data" && got != "y x data" {
		t.Errorf("got %q", got)
	}
	x = p.park(with("a,b", a.Cursor))
	d.settle(x)
	p.parked(x)
	if n := p.polls.Stats().Parked; n != 1 {
		t.Errorf("%d are parked", n)
	}
	p.publish("a", "z")
	p.want(p.answered(x), "z data")
}

// What ends a poll while the broker thinks.
func TestDistantBrokerEnds(t *testing.T) {
	for what, tc := range map[string]struct {
		end  func(p *place, x *asgitest.Exchange)
		want string
	}{
		"nothing comes":  {func(_ *place, x *asgitest.Exchange) { x.Advance(10 * time.Second) }, "503 unavailable"},
		"drain":          {func(_ *place, x *asgitest.Exchange) { x.Deliver(&asgi.Drain{}); x.Advance(2 * time.Second) }, "503 draining"},
		"superseded":     {func(p *place, _ *asgitest.Exchange) { p.park("ch=a,b&sid=s") }, "409 replaced"},
		"the hub closes": {func(p *place, _ *asgitest.Exchange) { p.hub.Close() }, "503 draining"},
		"it leaves":      {func(_ *place, x *asgitest.Exchange) { x.Deliver(&asgi.HTTPDisconnect{}) }, ""},
	} {
		t.Run(what, func(t *testing.T) {
			p, d := openDistant(t)
			x := p.park("ch=a,b&sid=s")
			d.answer()
			p.parked(x)
			tc.end(p, x)
			if tc.want == "" {
				p.parked(x)
			} else {
				p.want(p.answered(x), tc.want)
			}
			d.settle(x) // what comes now comes too late
			x.Advance(time.Minute)
			if s := p.hub.Stats(); what != "superseded" && (s.Clients != 0 || s.Subscriptions != 0) {
				t.Errorf("%+v", s)
			}
		})
	}
}

// An error of the broker.
func TestBrokerFails(t *testing.T) {
	p := open(t, hub.Config{Broker: failing{hub.NewMemory(hub.MemoryConfig{})}}, longpoll.Config{})
	a := p.poll("ch=a")
	p.want(a, "503 unavailable")
	if s := p.hub.Stats(); s.Clients != 0 || s.Subscriptions != 0 {
		t.Errorf("%+v", s)
	}
}

type failing struct{ *hub.Memory }

func (failing) Read(_ string, _ hub.Position, _ hub.Limit, done func(hub.History, error)) {
	done(hub.History{}, errNoBroker)
}

var errNoBroker = &hub.Error{Code: hub.Unavailable, Text: "no broker", RetryAfter: time.Second}
