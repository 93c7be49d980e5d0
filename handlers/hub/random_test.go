package hub_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/hubtest"
	"github.com/gale-server/gale/internal/longtest"
)

// Whatever happens, in whatever order, subscribers get each message once and in
// order, or a gap that counts what is missing.
func TestRandom(t *testing.T) {
	said, got, gaps, slow, backlogs := 0, 0, 0, uint64(0), uint64(0)
	for seed := range longtest.Count(40, 40) {
		hub.ServeAtOnce(t, []int{1, 3, 64}[seed%3])
		w := newWorld(t, uint64(seed))
		for range 2000 {
			w.step()
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
		w.finish()
		if t.Failed() {
			t.Fatalf("seed %d, at the end", seed)
		}
		w.h.Close()
		for _, r := range w.readers {
			got += r.got
			gaps += r.gaps
		}
		said += w.said
		slow += w.h.Stats().Slow
		backlogs += w.h.Stats().Backlogs
	}
	t.Logf("%d publications, %d came, %d gaps, slow %d times, %d backlogs", said, got, gaps, slow, backlogs)
	if got < said || gaps < said/100 || slow < 10 || backlogs < 10 {
		t.Error("that is too little for a test")
	}
}

// world is a hub and what happens to it.
type world struct {
	t        *testing.T
	rand     *rand.Rand
	now      clock
	h        *hub.Hub
	memory   *hub.Memory
	late     *hubtest.Late // nil if the broker answers at once
	record   *record
	recorder *recorder
	loops    []*hubtest.Loop
	names    []string
	readers  []*reader
	sessions []*session
	said     int // publications
	receipts map[string]map[hub.Position]string
	quiet    bool // nothing odd happens any more
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{
		t: t, rand: rand.New(rand.NewPCG(seed, 1)), record: &record{}, names: modelNames(),
		loops: []*hubtest.Loop{{}, {}, {}}, receipts: map[string]map[hub.Position]string{},
	}
	config := hub.Config{Channels: modelChannels, MaxBacklog: 40, Now: w.now.read, MaxClientsPerUser: 1000}
	w.memory = hub.NewMemory(hub.MemoryConfig{Options: func(channel string) hub.Options { return modelChannels[channel] }, Now: w.now.read})
	tapped := &recorder{Broker: w.memory, record: w.record}
	if seed%5 > 1 {
		tapped.lose = func() bool { return !w.quiet && w.chance(100) }
		tapped.later = func() bool { return w.chance(2) }
	}
	w.recorder = tapped
	config.Broker = tapped
	if seed%2 > 0 {
		w.late = &hubtest.Late{Broker: tapped, Fails: func() error {
			if !w.quiet && w.chance(200) {
				return fmt.Errorf("down")
			}
			return nil
		}}
		config.Broker = w.late
	}
	var err error
	if w.h, err = hub.New(config); err != nil {
		t.Fatal(err)
	}
	for _, name := range append([]string{"*", "s*", "l*"}, w.names...) {
		for n := range 4 {
			r := modelReader(name, n)
			r.record, r.now, r.lost, r.exact = w.record, w.now.read, lostIn(w.memory), tapped.lose == nil
			r.fail = func(format string, args ...any) {
				t.Helper()
				t.Errorf(format, args...)
			}
			w.readers = append(w.readers, r)
		}
	}
	return w
}

// chance is true once in n times.
func (w *world) chance(n int) bool { return w.rand.IntN(n) == 0 }

// session is a client with some readers, and its outlet.
type session struct {
	w      *world
	loop   *hubtest.Loop
	client *hub.Client
	subs   map[*reader]*hub.Subscription // nil while it is asked for
	room   int
	full   bool
	over   bool
}

func (w *world) step() {
	switch n := w.rand.IntN(100); {
	case n < 20:
		w.publish()
	case n < 55:
		l := w.loops[min(w.rand.IntN(6), 2)] // the last one often, the others less
		for range w.rand.IntN(12) {
			l.Step()
		}
	case n < 65:
		w.answer(w.rand.IntN(20))
		w.recorder.pay()
	case n < 78:
		if s := w.any(); s != nil {
			s.open([]int{0, 1, 2, 5, 20, -1, -1}[w.rand.IntN(7)])
		}
	case n < 86:
		w.connect(w.rand.IntN(3) + 1)
	case n < 88:
		if s := w.any(); s != nil {
			s.end()
		}
	case n < 89:
		if s := w.any(); s != nil {
			s.leave()
		}
	case n < 93:
		w.h.Forget(w.names[w.rand.IntN(len(w.names))])
	case n < 94 && w.chance(10):
		w.h.Disconnect("ann", nil)
	case n < 97:
		w.now.pass(time.Duration(w.rand.Int64N(int64(3 * time.Second))))
	case n < 98:
		w.now.pass(time.Duration(w.rand.Int64N(int64(time.Minute))))
		w.memory.Sweep()
	}
}

func (w *world) publish() {
	batch := make([]hub.Publication, w.rand.IntN(4)+1)
	for i := range batch {
		w.said++
		p := hub.Publication{
			Channel: w.names[w.rand.IntN(len(w.names))],
			Data:    fmt.Appendf(nil, "%d %*d", w.said, w.rand.IntN(200), 0),
			Tags:    modelTags[w.rand.IntN(len(modelTags))],
		}
		if w.chance(10) {
			p.TTL = time.Duration(w.rand.IntN(10)+1) * time.Second
		}
		if w.chance(10) {
			p.Key = fmt.Sprint("key", w.rand.IntN(5))
		}
		batch[i] = p
	}
	w.h.Publish(batch, func(results []hub.Result) {
		for i, r := range results {
			p := batch[i]
			if r.Err != nil {
				w.t.Errorf("publish: %v", r.Err)
				continue
			}
			if r.Epoch == "" {
				continue
			}
			m := w.record.find(p.Channel, r.Position)
			if m == nil || m.Key != p.Key || (string(m.Data) == string(p.Data)) == r.Duplicate {
				w.t.Errorf("published %q at %+v, which is %+v", p.Data, r, m)
			}
			if !r.Duplicate {
				if w.receipts[p.Channel] == nil {
					w.receipts[p.Channel] = map[hub.Position]string{}
				}
				w.receipts[p.Channel][r.Position] = string(p.Data)
			}
		}
	})
}

func (w *world) answer(n int) {
	for range n {
		if w.late == nil || !w.late.Answer(w.rand.IntN) {
			return
		}
	}
}

func (w *world) any() *session {
	if len(w.sessions) == 0 {
		return nil
	}
	return w.sessions[w.rand.IntN(len(w.sessions))]
}

// connect connects readers that are away.
func (w *world) connect(n int) {
	away := []*reader{}
	for _, r := range w.readers {
		if !w.here(r) {
			away = append(away, r)
		}
	}
	if len(away) == 0 {
		return
	}
	s := w.any()
	if s == nil || w.chance(2) {
		s = &session{w: w, loop: w.loops[w.rand.IntN(len(w.loops))], subs: map[*reader]*hub.Subscription{}, room: -1}
		var err error
		if s.client, err = w.h.Connect(s.loop.Exchange(), hub.Identity{User: "ann", Grants: hub.Everything}, s); err != nil {
			w.t.Error(err)
			return
		}
		w.sessions = append(w.sessions, s)
	}
	for range n {
		if r := away[w.rand.IntN(len(away))]; !s.over && !w.here(r) {
			s.subscribe(r)
		}
	}
}

// here reports whether a reader has a subscription.
func (w *world) here(r *reader) bool {
	return slices.ContainsFunc(w.sessions, func(s *session) bool {
		_, has := s.subs[r]
		return has
	})
}

func (s *session) subscribe(r *reader) {
	for other := range s.subs {
		if other.channel == r.channel {
			return
		}
	}
	o := hub.SubscribeOptions{Filter: r.filter, Data: r}
	if r.begun && !r.wide {
		at := r.at
		o.After = &at
	}
	s.subs[r] = nil
	s.client.Subscribe(r.channel, o, func(sub *hub.Subscription, begun hub.Subscribed, err error) {
		if err != nil {
			if s.w.late == nil {
				s.w.t.Errorf("%s: %v", r.name, err)
			}
			delete(s.subs, r)
			return
		}
		s.subs[r] = sub
		r.start(begun)
	})
}

// leave ends a subscription.
func (s *session) leave() {
	for _, r := range s.w.readers { // in an order that the seed gives
		if sub, has := s.subs[r]; has {
			if sub != nil {
				r.moved(sub.Position())
			}
			s.client.Unsubscribe(r.channel)
			delete(s.subs, r)
			return
		}
	}
}

// open makes room for messages.
func (s *session) open(room int) {
	s.room = room
	if s.full && room != 0 && !s.over {
		s.full = false
		s.client.Writable()
	}
}

// end is a connection that breaks.
func (s *session) end() {
	for r, sub := range s.subs {
		if sub != nil {
			r.moved(sub.Position())
		}
	}
	s.gone()
	s.client.Close()
}

func (s *session) gone() {
	s.over = true
	s.subs = nil
	for i, other := range s.w.sessions {
		if other == s {
			s.w.sessions = append(s.w.sessions[:i], s.w.sessions[i+1:]...)
			return
		}
	}
}

func (s *session) reader(sub *hub.Subscription) *reader {
	r := sub.Data().(*reader)
	if current, has := s.subs[r]; !has || current != sub || s.over {
		s.w.t.Errorf("%s: called for a subscription that is over", r.name)
	}
	return r
}

func (s *session) Messages(sub *hub.Subscription, batch []*hub.Message) (taken int) {
	r := s.reader(sub)
	for _, m := range batch {
		if s.room == 0 {
			s.full = true
			return taken
		}
		s.room--
		taken++
		r.message(m)
		if s.w.quiet {
			continue
		}
		switch s.w.rand.IntN(500) {
		case 0:
			delete(s.subs, r)
			sub.Cancel()
			return taken
		case 1:
			s.gone()
			s.client.Close()
			return taken
		case 2:
			s.w.publish()
		case 3:
			s.w.connect(1)
		}
	}
	return taken
}

func (s *session) Gap(sub *hub.Subscription, g hub.Gap) {
	r := s.reader(sub)
	r.lose(g, modelChannels[r.channel].Slow != hub.SlowLatest)
}

func (s *session) Presence(sub *hub.Subscription, _ hub.PresenceChange) {
	s.w.t.Errorf("%s is told who is there", s.reader(sub).name)
}

func (s *session) Ended(sub *hub.Subscription, reason *hub.Error) {
	r := s.reader(sub)
	if s.w.late == nil || reason.Code != hub.Unavailable {
		s.w.t.Errorf("%s ended: %v", r.name, reason)
	}
	r.moved(sub.Position())
	delete(s.subs, r)
}

func (s *session) Close(reason *hub.Error) {
	strict := false
	for r, sub := range s.subs {
		strict = strict || modelChannels[r.channel].Slow == hub.SlowDisconnect
		if sub != nil {
			r.moved(sub.Position())
		}
	}
	if reason.Code != hub.Disconnected && (reason.Code != hub.TooSlow || !strict) {
		s.w.t.Errorf("a session ended: %v", reason)
	}
	s.gone()
}

// settle lets everything happen that is to happen.
func (w *world) settle() {
	for more := true; more; {
		more = false
		for _, s := range append([]*session(nil), w.sessions...) {
			s.open(-1)
		}
		for _, l := range w.loops {
			more = l.Run() > 0 || more
		}
		if w.late != nil {
			more = w.late.Answer(w.rand.IntN) || more
		}
	}
}

// finish lets all who are there take everything, then all who are not, and compares.
func (w *world) finish() {
	w.quiet = true
	w.recorder.pay()
	w.settle()
	for range 100 {
		w.connect(len(w.readers))
	}
	w.settle()
	readers := 0
	for _, s := range w.sessions {
		for r, sub := range s.subs {
			readers++
			if sub == nil {
				w.t.Errorf("%s has not begun", r.name)
				continue
			}
			r.moved(sub.Position())
			r.done()
			if !r.wide && sub.Position() != w.record.top(r.channel) && sub.Position().Offset != 0 {
				w.t.Errorf("%s is at %v", r.name, sub.Position())
			}
		}
	}
	if readers < len(w.readers) {
		w.t.Errorf("%d readers of %d are here", readers, len(w.readers))
	}
	receipts := 0
	for _, places := range w.receipts {
		receipts += len(places)
	}
	if receipts != w.record.placed {
		w.t.Errorf("%d receipts for %d messages", receipts, w.record.placed)
	}
	for _, s := range append([]*session(nil), w.sessions...) {
		s.end()
	}
	w.settle()
	if stats, left := w.h.Stats(), w.h.Left(); stats.Clients != 0 || stats.Subscriptions != 0 || left != 0 {
		w.t.Errorf("left: %+v, and %d", stats, left)
	}
}
