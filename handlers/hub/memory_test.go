package hub_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/hubtest"
)

func newMemory(_ *testing.T, s hubtest.Setup) hub.Broker {
	return hub.NewMemory(hub.MemoryConfig{Options: s.Options, MaxChannels: s.MaxChannels, Now: s.Now})
}

func TestMemory(t *testing.T) { hubtest.TestBroker(t, newMemory) }

// nobody wants to be told anything.
type nobody struct{}

func (nobody) Messages(string, []*hub.Message)     {}
func (nobody) Presence(string, hub.PresenceChange) {}
func (nobody) Lost(string)                         {}

func startMemory(t testing.TB, config hub.MemoryConfig) *hub.Memory {
	t.Helper()
	m := hub.NewMemory(config)
	if err := m.Start(nobody{}, hub.NewBudget(1<<30)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}

// A channel that nothing keeps any more costs nothing, nor do many.
func TestMemoryOfNothing(t *testing.T) {
	const channels = 50_000
	var now clock
	m := startMemory(t, hub.MemoryConfig{Now: now.read})
	before := heap()
	for i := range channels {
		m.Publish([]hub.Publication{{Channel: fmt.Sprint(i)}}, func([]hub.Result) {})
	}
	if n := m.Channels(); n != channels {
		t.Fatalf("%d channels", n)
	}
	full := heap() - before
	now.pass(time.Hour)
	m.Sweep()
	if n := m.Channels(); n != 0 {
		t.Fatalf("%d channels after all is too old", n)
	}
	if left := int64(heap()) - int64(before); left > int64(full)/20 {
		t.Errorf("%d bytes of %d are left", left, full)
	}
	runtime.KeepAlive(m)
}

// Where there are as many channels as may be, those of which only the place is kept
// make room.
func TestMemoryMakesRoom(t *testing.T) {
	const channels = 2000
	m := startMemory(t, hub.MemoryConfig{MaxChannels: channels})
	for i := range channels {
		m.Watch(fmt.Sprint(i), func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		})
		m.Unwatch(fmt.Sprint(i))
	}
	if n := m.Channels(); n != channels {
		t.Fatalf("%d places are kept", n)
	}
	for i := range channels - 10 {
		m.Publish([]hub.Publication{{Channel: fmt.Sprint("new", i)}}, func(r []hub.Result) {
			if r[0].Err != nil {
				t.Fatalf("channel %d: %v", i, r[0].Err)
			}
		})
	}
	if n := m.Channels(); n != channels {
		t.Errorf("%d channels", n)
	}
}

// Who polls a channel in which nothing happens misses nothing, and is not told so.
func TestNoGapBetweenPolls(t *testing.T) {
	var now clock
	broker := hub.NewMemory(hub.MemoryConfig{Now: now.read})
	h := newHub(t, hub.Config{Broker: broker, Now: now.read})
	p := connect(t, h, &hubtest.Loop{}, "")
	var at hub.Position
	for i := range 10 {
		p.Subscribe("a", hub.SubscribeOptions{After: &at}, func(s *hub.Subscription, begun hub.Subscribed, err error) {
			if err != nil || begun.Missing != 0 {
				t.Errorf("poll %d: %d missing, %v", i, begun.Missing, err)
			}
		})
		now.pass(25 * time.Second)
		broker.Sweep()
		p.Run()
		at = p.Subscriptions()[0].Position()
		p.Unsubscribe("a")
		now.pass(4 * time.Minute)
		broker.Sweep()
	}
}

// changes are the presence changes that a broker tells of.
type changes struct {
	nobody
	all []hub.PresenceChange
}

func (c *changes) Presence(_ string, change hub.PresenceChange) { c.all = append(c.all, change) }

// Who enters a channel that is watched is there, and others are told, although the
// budget has no byte left.
func TestEnterWithoutRoom(t *testing.T) {
	b, told := hub.NewBudget(1<<20), &changes{}
	m := hub.NewMemory(hub.MemoryConfig{})
	if err := m.Start(told, b); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	m.Watch("a", func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	})
	for bytes := int64(1 << 20); bytes > 0; bytes /= 2 {
		for b.Take(bytes) {
		}
	}
	m.Enter("a", hub.Member{Client: "1", User: "ann"})
	m.Leave("a", hub.Member{Client: "1", User: "ann"})
	if len(told.all) != 2 || told.all[0].Left || !told.all[1].Left {
		t.Errorf("told of %+v", told.all)
	}
}
