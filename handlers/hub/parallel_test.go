package hub_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/hubtest"
	"github.com/gale-server/gale/internal/longtest"
)

// What is true of one order of things is true of loops and publishers that run at
// once, too.
func TestParallel(t *testing.T) {
	asgitest.CheckLeaks(t)
	for seed := range longtest.Count(2, 2) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { parallel(t, uint64(seed)) })
	}
}

func parallel(t *testing.T, seed uint64) {
	const publishers, batches = 4, 300
	rec := &record{}
	memory := hub.NewMemory(hub.MemoryConfig{Options: func(channel string) hub.Options { return modelChannels[channel] }})
	h := newHub(t, hub.Config{Channels: modelChannels, MaxBacklog: 100, Broker: &recorder{Broker: memory, record: rec}})

	names := modelNames()
	var loops []*island
	for i := range 3 {
		p := &island{t: t, h: h, rand: rand.New(rand.NewPCG(seed, uint64(i))), visits: map[*reader]*visit{}}
		for _, name := range append([]string{"*", "s*"}, names...) {
			for n := range 4 {
				r := modelReader(name, n)
				r.record, r.now, r.lost, r.fail, r.exact = rec, time.Now, lostIn(memory), t.Errorf, true
				p.readers = append(p.readers, r)
			}
		}
		p.Go(t)
		p.Post(p.live)
		loops = append(loops, p)
	}

	var all sync.WaitGroup
	var places atomic.Int64
	for i := range publishers {
		all.Go(func() {
			random := rand.New(rand.NewPCG(seed, 100+uint64(i)))
			for n := range batches {
				batch := make([]hub.Publication, random.IntN(4)+1)
				for j := range batch {
					batch[j] = hub.Publication{Channel: names[random.IntN(len(names))], Data: fmt.Appendf(nil, "%d %d %d", i, n, j), Tags: modelTags[random.IntN(4)]}
				}
				h.Publish(batch, func(results []hub.Result) {
					for j, r := range results {
						if r.Err != nil {
							t.Errorf("publish: %v", r.Err)
						}
						if r.Epoch == "" {
							continue
						}
						places.Add(1)
						if m := rec.find(batch[j].Channel, r.Position); m == nil || string(m.Data) != string(batch[j].Data) {
							t.Errorf("published %q at %v, which is %+v", batch[j].Data, r.Position, m)
						}
					}
				})
				if random.IntN(100) == 0 {
					h.Forget(names[random.IntN(len(names))])
				}
				runtime.Gosched()
			}
		})
	}
	all.Wait()
	if int(places.Load()) != rec.placed {
		t.Errorf("%d places for %d messages", places.Load(), rec.placed)
	}
	got, gaps := 0, 0
	for _, p := range loops {
		p.Do(func() { p.quiet = true })
		p.Do(p.finish) // behind the last turn of live
		// What was handed out runs before what is posted now, but in several tasks.
		for limit := time.Now().Add(longtest.Patience); ; {
			behind := ""
			p.Do(func() { behind = p.behind() })
			if behind == "" {
				break
			}
			if time.Now().After(limit) {
				t.Fatal(behind)
			}
			runtime.Gosched()
		}
		p.Do(func() {
			for _, r := range p.readers {
				p.visits[r].client.Close()
				r.done()
				got += r.got
				gaps += r.gaps
			}
		})
	}
	t.Logf("%d messages, %d came, %d gaps, %+v", rec.placed, got, gaps, h.Stats())
	if s := h.Stats(); s.Clients != 0 || s.Subscriptions != 0 {
		t.Errorf("left: %+v", s)
	}
}

// island is a loop, and readers that come and go on it.
//
// Loop-owned: call only from its event loop.
type island struct {
	hubtest.Loop
	t       *testing.T
	h       *hub.Hub
	rand    *rand.Rand
	readers []*reader
	visits  map[*reader]*visit // of those that are here
	quiet   bool
}

// visit is a connection of one reader.
type visit struct {
	p      *island
	r      *reader
	client *hub.Client
	sub    *hub.Subscription
	room   int
	full   bool
}

// live does something odd, and goes on in another turn.
func (p *island) live() {
	if p.quiet {
		return
	}
	for range 5 {
		r := p.readers[p.rand.IntN(len(p.readers))]
		v := p.visits[r]
		switch {
		case v == nil:
			p.connect(r)
		case v.sub == nil: // another loop is about to have the channel watched
		case p.rand.IntN(5) == 0:
			v.r.moved(v.sub.Position())
			v.client.Close()
			delete(p.visits, r)
		default:
			v.open(p.rand.IntN(10) - 1)
		}
	}
	p.Post(p.live)
}

func (p *island) connect(r *reader) {
	v := &visit{p: p, r: r, room: -1}
	var err error
	if v.client, err = p.h.Connect(p.Exchange(), hub.Identity{Grants: hub.Everything}, v); err != nil {
		p.t.Error(err)
		return
	}
	p.visits[r] = v
	o := hub.SubscribeOptions{Filter: r.filter}
	if r.begun && !r.wide {
		at := r.at
		o.After = &at
	}
	v.client.Subscribe(r.channel, o, func(s *hub.Subscription, begun hub.Subscribed, err error) {
		if err != nil {
			p.t.Error(err)
			return
		}
		v.sub = s
		r.start(begun)
	})
}

// finish has all readers come and take everything.
func (p *island) finish() {
	for _, r := range p.readers {
		if p.visits[r] == nil {
			p.connect(r)
		}
		p.visits[r].open(-1)
	}
}

// behind names a reader that has not got everything.
func (p *island) behind() string {
	for _, r := range p.readers {
		v := p.visits[r]
		if v == nil { // it was too slow
			p.connect(r)
			return r.name + " has just come back"
		}
		if v.sub == nil {
			return r.name + " has not begun"
		}
		v.open(-1)
		if top := r.record.top(r.channel); !r.wide && v.sub.Position() != top && v.sub.Position().Offset != 0 {
			return fmt.Sprintf("%s is at %v, the top is %v", r.name, v.sub.Position(), top)
		}
		r.moved(v.sub.Position())
	}
	return ""
}

func (v *visit) open(room int) {
	v.room = room
	if v.full && room != 0 {
		v.full = false
		v.client.Writable()
	}
}

func (v *visit) Messages(_ *hub.Subscription, batch []*hub.Message) (taken int) {
	for _, m := range batch {
		if v.room == 0 {
			v.full = true
			break
		}
		v.room--
		taken++
		v.r.message(m)
	}
	return taken
}

func (v *visit) Gap(_ *hub.Subscription, g hub.Gap) {
	v.r.lose(g, modelChannels[v.r.channel].Slow != hub.SlowLatest)
}

func (v *visit) Presence(*hub.Subscription, hub.PresenceChange) { v.p.t.Error("presence") }

func (v *visit) Ended(_ *hub.Subscription, reason *hub.Error) { v.p.t.Error(reason) }

func (v *visit) Close(reason *hub.Error) {
	if reason.Code != hub.TooSlow {
		v.p.t.Error(reason)
	}
	if v.sub != nil {
		v.r.moved(v.sub.Position())
	}
	delete(v.p.visits, v.r)
}
