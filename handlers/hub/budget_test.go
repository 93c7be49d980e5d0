package hub_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/hubtest"
)

// encoder is an outlet that has messages encoded as a transport does.
type encoder struct {
	hubtest.Outlet
	format *hub.Format
	gaps   int
}

func (e *encoder) Messages(_ *hub.Subscription, batch []*hub.Message) int {
	for _, m := range batch {
		m.Encoded(e.format)
	}
	return len(batch)
}

func (e *encoder) Gap(*hub.Subscription, hub.Gap) { e.gaps++ }

// formats are those of as many transports.
func formats() (all []*hub.Format) {
	for range 3 {
		all = append(all, hub.NewFormat(hub.JSON.Encode))
	}
	return all
}

// budgeted publishes in many channels, of which each has subscribers on several
// transports, until the hub has dropped as much as it may keep, and returns what it
// takes of the heap. With every publication the hub is within its bound.
func budgeted(t *testing.T, most int64, publication func(i int) hub.Publication) (h *hub.Hub, size int64) {
	const channels = 200
	h = newHub(t, hub.Config{MaxBytes: most, Channels: map[string]hub.Options{"": {HistoryMessages: 1 << 20, HistoryBytes: 1 << 30}}})
	before := int64(heap())
	l := &hubtest.Loop{}
	for _, format := range formats() {
		c, err := h.Connect(l.Exchange(), hub.Identity{Grants: hub.Everything}, &encoder{format: format})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		for i := range channels / 2 {
			c.Subscribe(fmt.Sprint("channel", i), hub.SubscribeOptions{}, func(_ *hub.Subscription, _ hub.Subscribed, err error) {
				if err != nil {
					t.Fatal(err)
				}
			})
		}
	}
	for i := 0; h.Stats().Evicted < 2000; i++ {
		p := publication(i)
		p.Channel = fmt.Sprint("channel", i%channels)
		if _, err := h.PublishOne(p); err != nil {
			t.Fatal(err)
		}
		if i%10 == 0 {
			l.Run()
		}
		if s := h.Stats(); s.Bytes > s.MaxBytes || s.MaxBytes != most {
			t.Fatalf("%d bytes of %d", s.Bytes, s.MaxBytes)
		}
	}
	l.Run()
	return h, int64(heap()) - before
}

// What a hub takes of the heap is what it counts, and within its bound: whether
// messages are large or small, and with keys, tags and what transports encode.
func TestMaxBytes(t *testing.T) {
	const most = 8 << 20
	for name, publication := range map[string]func(i int) hub.Publication{
		"small":  func(i int) hub.Publication { return hub.Publication{Data: fmt.Append(nil, i)} },
		"large":  func(i int) hub.Publication { return hub.Publication{Data: make([]byte, 40_000)} },
		"binary": func(i int) hub.Publication { return hub.Publication{Data: []byte(strings.Repeat("\xff", 3000))} },
		"keys": func(i int) hub.Publication {
			return hub.Publication{Data: []byte("x"), Key: fmt.Sprint("a key ", i), KeyScope: fmt.Sprint("user ", i), Publisher: fmt.Sprint("u", i)}
		},
		"tags": func(i int) hub.Publication {
			tags := map[string]string{}
			for k := range i % 20 {
				tags[fmt.Sprint("tag", k, "of", i)] = fmt.Sprint(i)
			}
			return hub.Publication{Data: []byte("x"), Tags: tags}
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, size := budgeted(t, most, publication)
			used := h.Stats().Bytes
			t.Logf("%d bytes counted, %d of the heap", used, size)
			if size > used*3/2+1<<20 {
				t.Errorf("%d bytes of the heap, and %d are counted", size, used)
			}
			if used < most/2 {
				t.Errorf("%d bytes are counted of a hub that is full", used)
			}
			runtime.KeepAlive(h)
		})
	}
}

// A subscriber that has not taken what made room for others is told a gap.
func TestEvictedIsAGap(t *testing.T) {
	h := newHub(t, hub.Config{MaxBytes: 1 << 20, MaxPublishBytes: 10_000, Channels: map[string]hub.Options{"": {MaxLagBytes: 1 << 30}}})
	p := connect(t, h, &hubtest.Loop{}, "ann")
	p.subscribe("slow", hub.SubscribeOptions{})
	p.Loop.Run()
	p.Got, p.Room = nil, 0
	for i := range 3 {
		publish(t, h, "slow", fmt.Sprint(i))
	}
	p.Loop.Run()
	for i := range 200 {
		publish(t, h, fmt.Sprint("other", i%5), strings.Repeat("x", 9000))
	}
	if h.Stats().Evicted == 0 {
		t.Fatal("nothing had to make room")
	}
	p.Room = -1
	p.Client.Writable()
	p.Loop.Run()
	p.expect("slow gap 3")
}

// What there is no room for, and no history that could make some, is refused.
func TestFull(t *testing.T) {
	h := newHub(t, hub.Config{MaxBytes: 1 << 20, MaxPublishBytes: 1000, MaxSubscriptions: 1 << 20})
	l := &hubtest.Loop{}
	p := connect(t, h, l, "ann")
	refused := false
	for i := 0; i < 10_000 && !refused; i++ {
		p.Subscribe(fmt.Sprint(i), hub.SubscribeOptions{}, func(_ *hub.Subscription, _ hub.Subscribed, err error) {
			refused = code(err) == "too_many"
		})
	}
	if !refused {
		t.Fatal("subscriptions without end")
	}
	if s := h.Stats(); s.Bytes > s.MaxBytes {
		t.Errorf("%d bytes of %d", s.Bytes, s.MaxBytes)
	}
	_, err := h.PublishOne(hub.Publication{Channel: "another", Data: make([]byte, 1000)})
	if code(err) != "too_many" {
		t.Errorf("a publication: %v", err)
	}
	p.Client.Close()
	l.Run()
	if _, err := h.PublishOne(hub.Publication{Channel: "another", Data: make([]byte, 1000)}); err != nil {
		t.Errorf("when there is room: %v", err)
	}
}

// The bound holds, and what is given back is what was taken, also when everybody
// publishes, reads, comes and goes at once.
func TestMaxBytesAtOnce(t *testing.T) {
	const rounds, channels = 400, 30
	h := newHub(t, hub.Config{MaxBytes: 1 << 20, MaxPublishBytes: 8 << 10, Channels: map[string]hub.Options{"p": {Presence: true}, "none": {HistoryMessages: -1}}})
	name := func(i int) string { return fmt.Sprint([]string{"p", "none", "c"}[i%3], i%channels) }
	var everybody sync.WaitGroup
	for w := range 4 {
		l := &hubtest.Loop{}
		l.Go(t)
		format := formats()[0]
		everybody.Go(func() {
			for i := range rounds {
				at := i*7 + w
				_, err := h.PublishOne(hub.Publication{Channel: name(at), Data: make([]byte, 100*(at%60)), Key: fmt.Sprint(i % 50)})
				if err != nil && code(err) != "too_many" {
					t.Error(err)
				}
				h.History(name(at+1), hub.Position{}, hub.Limit{Messages: -1}, func(r hub.History, _ error) {
					for _, m := range r.Messages {
						m.Encoded(format)
					}
				})
				l.Do(func() {
					c, err := h.Connect(l.Exchange(), hub.Identity{Grants: hub.Everything}, &encoder{format: format})
					if err != nil {
						t.Error(err)
						return
					}
					for k := range 3 {
						c.Subscribe(name(at+k), hub.SubscribeOptions{Member: name(at + k)[0] == 'p'}, func(*hub.Subscription, hub.Subscribed, error) {})
					}
					c.Subscribe("*", hub.SubscribeOptions{}, func(*hub.Subscription, hub.Subscribed, error) {})
					if i%3 > 0 {
						l.Post(c.Close)
						return
					}
					c.Close()
				})
				if s := h.Stats(); s.Bytes > s.MaxBytes {
					t.Errorf("%d bytes of %d", s.Bytes, s.MaxBytes)
				}
			}
			for more := true; more; {
				l.Do(func() { more = l.Step() })
			}
		})
	}
	everybody.Wait()
	for i := range channels * 3 {
		h.Forget(name(i))
	}
	if s := h.Stats(); s.Bytes != 0 || s.Subscriptions != 0 {
		t.Errorf("%d bytes and %d subscriptions are left of nothing", s.Bytes, s.Subscriptions)
	}
	if h.Stats().Evicted == 0 {
		t.Error("nothing had to make room")
	}
}

// What is larger than all that may be kept costs nobody a history.
func TestTooLargeForTheBudget(t *testing.T) {
	b := hub.NewBudget(64 << 10)
	m := hub.NewMemory(hub.MemoryConfig{})
	if err := m.Start(nobody{}, b); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	publish := func(p hub.Publication) (err error) {
		m.Publish([]hub.Publication{p}, func(r []hub.Result) { err = r[0].Err })
		return err
	}
	if err := publish(hub.Publication{Channel: "a", Data: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	if err := publish(hub.Publication{Channel: "b", Data: make([]byte, 64<<10)}); code(err) != "too_many" {
		t.Errorf("a message larger than the budget: %v", err)
	}
	m.Read("a", hub.Position{}, hub.Limit{Messages: -1}, func(h hub.History, err error) {
		if len(h.Messages) != 1 || err != nil {
			t.Errorf("%d messages are left in the history, %v", len(h.Messages), err)
		}
	})
}

// So is it with what messages are encoded to.
func TestTooLargeToKeepEncoded(t *testing.T) {
	b := hub.NewBudget(64 << 10)
	encoded := 0
	format := hub.NewFormat(func(m *hub.Message) []byte {
		encoded++
		return append([]byte(nil), m.Data...)
	})
	small := b.Message(hub.Publication{Data: []byte("x")}, hub.Position{}, time.Time{})
	large := b.Message(hub.Publication{Data: make([]byte, 64<<10)}, hub.Position{}, time.Time{})
	for _, m := range []*hub.Message{small, large, small} {
		m.Encoded(format)
	}
	if encoded != 2 {
		t.Errorf("encoded %d times: what is too large to be kept has dropped something else", encoded)
	}
}

// A message that waits for many loops is there once, and costs little more: who
// subscribes to a pattern gets all of a burst, with a loop for each subscriber as with
// one for all. When it has been handed out, it costs nothing there.
func TestWaitingForManyLoops(t *testing.T) {
	const loops, burst = 100, 20
	h := newHub(t, hub.Config{MaxBytes: 64 << 20, Channels: map[string]hub.Options{"": {HistoryMessages: -1}}})
	var peers []*peer
	for range loops {
		p := connect(t, h, &hubtest.Loop{}, "")
		p.subscribe("a*", hub.SubscribeOptions{})
		p.Take()
		peers = append(peers, p)
	}
	before := h.Stats().Bytes
	text := strings.Repeat("x", 16<<10)
	for range burst {
		publish(t, h, "ab", text)
	}
	waiting := h.Stats().Bytes - before
	if once, each := int64(burst*len(text)), int64(burst*loops*8); waiting < once+each || waiting > 2*once+4*each {
		t.Errorf("%d messages of %d bytes cost %d while they wait for %d loops", burst, len(text), waiting, loops)
	}
	for i, p := range peers {
		if p.Run(); len(p.Got) != burst {
			t.Errorf("subscriber %d got %d messages", i, len(p.Got))
		}
	}
	if left := h.Stats().Bytes - before; left != 0 {
		t.Errorf("%d bytes wait for nobody", left)
	}
}

// What is dropped because a loop is too far behind costs nothing either.
func TestWaitingDropped(t *testing.T) {
	h := newHub(t, hub.Config{MaxBacklog: 3, Channels: map[string]hub.Options{"": {HistoryMessages: -1}}})
	p, q := connect(t, h, &hubtest.Loop{}, ""), connect(t, h, &hubtest.Loop{}, "")
	p.subscribe("a*", hub.SubscribeOptions{})
	q.subscribe("a*", hub.SubscribeOptions{})
	p.Take()
	q.Take()
	before := h.Stats().Bytes
	for i := range 10 {
		publish(t, h, "ab", fmt.Sprint(i))
		q.Run()
	}
	if n := len(q.Got); n != 10 {
		t.Errorf("%d messages", n)
	}
	if left := h.Stats().Bytes - before; left != 0 {
		t.Errorf("%d bytes of what was dropped", left)
	}
	p.expect("a* gap -1")
}

// A message that is none of the budget's may wait for several hubs: each counts for
// itself.
func TestWaitingForTwoHubs(t *testing.T) {
	m := &hub.Message{Publication: hub.Publication{Channel: "ab", Data: []byte("x")}}
	var peers []*peer
	var hubs []*hub.Hub
	var before []int64
	for range 2 {
		b := &outside{Memory: hub.NewMemory(hub.MemoryConfig{})}
		h := newHub(t, hub.Config{Broker: b})
		p := connect(t, h, &hubtest.Loop{}, "")
		p.subscribe("a*", hub.SubscribeOptions{})
		p.Take()
		peers, hubs, before = append(peers, p), append(hubs, h), append(before, h.Stats().Bytes)
		b.events.Messages("ab", []*hub.Message{m})
	}
	for i, p := range peers {
		if h := hubs[i]; h.Stats().Bytes <= before[i] {
			t.Errorf("hub %d: what waits costs nothing", i)
		}
		p.expect("ab 0 x")
		if left := hubs[i].Stats().Bytes - before[i]; left != 0 {
			t.Errorf("hub %d: %d bytes wait for nobody", i, left)
		}
	}
}

// outside is a broker that tells of what comes from elsewhere.
type outside struct {
	*hub.Memory
	events hub.Events
}

func (o *outside) Start(e hub.Events, b *hub.Budget) error {
	o.events = e
	return o.Memory.Start(e, b)
}
