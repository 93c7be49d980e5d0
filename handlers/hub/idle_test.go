package hub_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/hubtest"
)

// costs reports an error if the heap has grown by more than so many bytes meanwhile.
func costs(t *testing.T, most int64, what string, meanwhile func()) {
	t.Helper()
	before := heap()
	meanwhile()
	if grown := int64(heap()) - int64(before); grown > most {
		t.Errorf("%s: the heap has grown by %d bytes", what, grown)
	}
}

// A channel without subscribers and without a history costs nothing: neither one
// that is published in, nor one that subscribers have left, nor one whose history is
// too old.
func TestChannelOfNobody(t *testing.T) {
	const channels, each = 50_000, 100
	var now clock
	broker := hub.NewMemory(hub.MemoryConfig{Now: now.read, Options: func(channel string) hub.Options {
		if strings.HasPrefix(channel, "kept") {
			return hub.Options{HistoryMessages: 1, HistoryBytes: 1000, HistoryAge: time.Minute}
		}
		return hub.Options{HistoryMessages: -1, HistoryAge: time.Minute}
	}})
	h := newHub(t, hub.Config{Broker: broker, Now: now.read, PublishRate: -1, Channels: map[string]hub.Options{"": {PublishRate: 1000}}})
	l := &hubtest.Loop{}
	p := connect(t, h, l, "ann") // clients publish, within the rates of channels
	nothing := func(what string) {
		t.Helper()
		now.pass(time.Hour)
		broker.Sweep()
		l.Run()
		if s, left := h.Stats(), h.Left(); s.Channels != 0 || s.Subscriptions != 0 || left > 2 { // a feed and a user
			t.Errorf("%s: %d channels, %d subscriptions, and %d other things are left", what, s.Channels, s.Subscriptions, left)
		}
	}
	before := heap()
	for i := range channels {
		publish(t, h, fmt.Sprint("kept", i), "x")
	}
	if n := h.Stats().Channels; n != channels {
		t.Fatalf("%d channels", n)
	}
	kept := int64(heap()) - int64(before) // to compare with
	nothing("with a history")
	if left := int64(heap()) - int64(before); left > kept/20 {
		t.Errorf("%d bytes of %d are left of histories", left, kept)
	}
	costs(t, kept/20, "published in", func() {
		for i := range channels {
			publish(t, h, fmt.Sprint("free", i), "x")
		}
		if n := h.Stats().Channels; n != 0 {
			t.Errorf("%d channels in which somebody has published", n)
		}
	})
	const buckets = 10_000 * 200 // of rates; there are some for a while, however many channels
	costs(t, buckets, "published in by a client", func() {
		for i := range channels {
			p.Publish(hub.Publication{Channel: fmt.Sprint("free", i)}, func(r hub.Result) {
				if r.Err != nil {
					t.Error(r.Err)
				}
			})
			now.pass(time.Millisecond) // the bucket of the channel is full again
		}
		nothing("published in by a client")
	})
	costs(t, kept/20, "left by subscribers", func() {
		for i := range channels / each {
			c, err := h.Connect(l.Exchange(), hub.Identity{Grants: hub.Everything}, &counter{})
			if err != nil {
				t.Fatal(err)
			}
			for k := range each {
				c.Subscribe(fmt.Sprint("free", i, "/", k), hub.SubscribeOptions{}, func(*hub.Subscription, hub.Subscribed, error) {})
			}
			c.Close()
		}
		nothing("left by subscribers")
	})
}

// What a publication does is the same whether there are few channels besides, or
// many with a history and with subscribers: so much memory, so many tasks for loops,
// so many looks at the clock and at options. BenchmarkChannels has the time.
func TestIdleChannels(t *testing.T) {
	const rounds = 200
	type effort struct{ allocs, clocks, options, tasks float64 }
	measure := func(channels int) (e effort) {
		var clocks, options atomic.Int64
		at := time.Unix(1_700_000_000, 0)
		read := func() time.Time { clocks.Add(1); return at }
		broker := hub.NewMemory(hub.MemoryConfig{Now: read, Options: func(string) hub.Options {
			options.Add(1)
			return hub.Options{HistoryMessages: 16, HistoryBytes: 1 << 20, HistoryAge: time.Hour}
		}})
		h := newHub(t, hub.Config{Broker: broker, Now: read, MaxSubscriptions: channels + 1})
		l := &hubtest.Loop{}
		audience(t, h, l, "a", 1)
		c, err := h.Connect(l.Exchange(), hub.Identity{Grants: hub.Everything}, &counter{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		for i := range channels {
			name := fmt.Sprint("idle", i)
			publish(t, h, name, "x")
			if i%10 == 0 {
				c.Subscribe(name, hub.SubscribeOptions{}, func(*hub.Subscription, hub.Subscribed, error) {})
			}
		}
		l.Run()
		batch := []hub.Publication{{Channel: "a", Data: []byte("x")}}
		for range 16 { // until the history is full
			h.Publish(batch, nil)
			l.Run()
		}
		clocks.Store(0)
		options.Store(0)
		tasks := 0
		e.allocs = testing.AllocsPerRun(rounds-1, func() { // and once before
			h.Publish(batch, nil)
			tasks += l.Run()
		})
		e.clocks, e.options, e.tasks = float64(clocks.Load())/rounds, float64(options.Load())/rounds, float64(tasks)/rounds
		return e
	}
	if few, many := measure(1), measure(20_000); many.allocs > few.allocs || many.clocks > few.clocks+0.1 || many.options > few.options || many.tasks > few.tasks {
		t.Errorf("with one channel besides: %+v; with many: %+v", few, many)
	}
}

// However much is published, and however many subscribers take nothing of it, a
// channel holds no more bytes than its history may, and a loop's feed no more
// messages than may wait.
func TestBytesHold(t *testing.T) {
	const (
		history     = 1 << 20
		subscribers = 500
		payload     = 32 << 10
	)
	h := newHub(t, hub.Config{
		MaxBacklog: 16,
		Channels:   map[string]hub.Options{"": {HistoryMessages: 1 << 20, HistoryBytes: history, Slow: hub.SlowDropOldest}},
	})
	busy, l := &hubtest.Loop{}, &hubtest.Loop{}
	stuck := connect(t, h, busy, "") // whose loop does nothing
	stuck.subscribe("a", hub.SubscribeOptions{})
	for range subscribers {
		p := connect(t, h, l, "")
		p.subscribe("a", hub.SubscribeOptions{})
		p.Room = 0
	}
	l.Run()
	busy.Run()
	costs(t, 3*history, "64 MiB to subscribers that take nothing", func() {
		for i := range 64 << 20 / payload {
			data := make([]byte, payload)
			if _, err := h.PublishOne(hub.Publication{Channel: "a", Data: data, Key: fmt.Sprint(i)}); err != nil {
				t.Fatal(err)
			}
			l.Run()
		}
	})
	if s := h.Stats(); s.Subscriptions != subscribers+1 || s.Slow == 0 || s.Backlogs == 0 {
		t.Errorf("%+v", s)
	}
	stuck.Run()
	stuck.Take()
}
