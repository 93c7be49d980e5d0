package eventloop

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

const tick = time.Duration(1) << tickShift

// item is a timed of its own.
type item struct {
	node wheelNode
	at   time.Duration
}

func (i *item) due() time.Duration { return i.at }

func newItem(w *wheel, at time.Duration) *item {
	i := &item{at: at}
	i.node.owner = i
	w.file(&i.node, at)
	return i
}

// popAll takes everything that is due.
func popAll(w *wheel, now time.Duration) []*item {
	var items []*item
	for due := w.pop(now); due != nil; due = w.pop(now) {
		items = append(items, due.(*item))
	}
	return items
}

func TestWheelFiresWithinATick(t *testing.T) {
	for _, at := range []time.Duration{1, tick - 1, tick, tick + 1, 63 * tick, 64*tick + 5, time.Second,
		(wheelSlots - 1) * tick, wheelSlots * tick, (wheelSlots+1)*tick - 1, time.Hour, 24 * time.Hour} {
		for _, step := range []time.Duration{tick, 7*tick + 3, 1000 * tick} {
			if at/step > 1e6 {
				continue // for the sake of time
			}
			var w wheel
			i := newItem(&w, at)
			now := time.Duration(0)
			for ; len(popAll(&w, now)) == 0; now += step {
				if now >= at+tick {
					t.Fatalf("due %v, step %v: not fired at %v", at, step, now)
				}
			}
			if now < at {
				t.Fatalf("due %v, step %v: fired early, at %v", at, step, now)
			}
			if i.node.list != 0 {
				t.Fatalf("due %v: still filed", at)
			}
		}
	}
}

// TestWheelAlarm follows only the alarm, as a loop does.
func TestWheelAlarm(t *testing.T) {
	for _, at := range []time.Duration{1, tick, 100 * tick, time.Second, time.Hour} {
		var w wheel
		i := newItem(&w, at)
		for visits := 0; ; visits++ {
			now := instant(w.soonest)
			if popped := popAll(&w, now); len(popped) == 1 {
				if now < at || now >= at+tick {
					t.Fatalf("due %v: fired at %v", at, now)
				}
				break
			}
			if rotation := wheelSlots * tick; visits > int(at/rotation) {
				t.Fatalf("due %v: %d visits", at, visits)
			}
			i.at = at
		}
		if w.soonest != never {
			t.Fatalf("due %v: the empty wheel wants a visit at %v", at, instant(w.soonest))
		}
	}
}

func TestWheelLazyDeadline(t *testing.T) {
	var w wheel
	i := newItem(&w, 10*tick)
	filed := i.node.tick
	for at := 20 * tick; at < 1000*tick; at += tick {
		i.at = at
		w.file(&i.node, at)
	}
	if i.node.tick != filed {
		t.Fatal("a later due time moved the node")
	}
	if got := popAll(&w, 998*tick); len(got) != 0 {
		t.Fatal("fired at a due time that was put off")
	}
	if got := popAll(&w, 999*tick); len(got) != 1 {
		t.Fatal("did not fire at the last due time")
	}
	i.at = 2000 * tick
	w.file(&i.node, i.at)
	i.at = 1500 * tick
	w.file(&i.node, i.at)
	if got := popAll(&w, 1500*tick); len(got) != 1 {
		t.Fatal("an earlier due time was not taken up")
	}
	i.at = 3000 * tick
	w.file(&i.node, i.at)
	i.at = 0
	if got := popAll(&w, 4000*tick); len(got) != 0 || i.node.list != 0 {
		t.Fatal("a cleared deadline fired, or stayed")
	}
}

// TestWheelModel compares with a list.
func TestWheelModel(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var w wheel
	var now time.Duration
	items := make([]*item, 300)
	for n := range items {
		items[n] = &item{}
		items[n].node.owner = items[n]
	}
	spans := []time.Duration{tick, 100 * tick, wheelSlots * tick, 5 * wheelSlots * tick}
	for range 20_000 {
		i := items[r.IntN(len(items))]
		switch r.IntN(4) {
		case 0, 1:
			i.at = now + 1 + time.Duration(r.Int64N(int64(spans[r.IntN(len(spans))])))
			w.file(&i.node, i.at)
		case 2:
			i.at = 0
			if r.IntN(2) == 0 {
				w.remove(&i.node)
			}
		case 3:
			now += time.Duration(r.Int64N(int64(spans[r.IntN(len(spans))]))) / 8
			limit := r.IntN(5) // sometimes stop half way, and file others meanwhile
			fired := make(map[*item]bool)
			for due := w.pop(now); due != nil; due = w.pop(now) {
				i := due.(*item)
				if i.at == 0 || i.at > now {
					t.Fatalf("fired at %v, due %v", now, i.at)
				}
				i.at = 0
				fired[i] = true
				if limit--; limit == 0 {
					break
				}
			}
			if limit <= 0 {
				continue
			}
			for _, i := range items {
				if i.at != 0 && i.at <= now-tick {
					t.Fatalf("at %v: due %v and not fired", now, i.at)
				}
			}
			soonest := slices.MinFunc(items, func(a, b *item) int { return int(a.order() - b.order()) }).order()
			if soonest != never && instant(w.soonest) >= time.Duration(soonest)+tick {
				t.Fatalf("at %v: the next visit is at %v, too late for %v", now, instant(w.soonest), time.Duration(soonest))
			}
		}
	}
}

// order is due with nothing after everything.
func (i *item) order() int64 {
	if i.at == 0 {
		return never
	}
	return int64(i.at)
}

func BenchmarkWheelReset(b *testing.B) {
	var w wheel
	items := make([]*item, 100_000)
	for n := range items {
		items[n] = newItem(&w, time.Duration(n+1)*tick/64)
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		i := items[n%len(items)]
		n += 7919
		i.at += time.Second
		w.file(&i.node, i.at)
	}
}

func BenchmarkWheelTick(b *testing.B) {
	var w wheel
	for n := range 100_000 {
		newItem(&w, time.Duration(n+1)*tick/64)
	}
	b.ReportAllocs()
	now := time.Duration(0)
	for b.Loop() {
		now += tick
		for due := w.pop(now); due != nil; due = w.pop(now) {
			i := due.(*item)
			i.at = now + 30*time.Second
			w.file(&i.node, i.at)
		}
	}
}
