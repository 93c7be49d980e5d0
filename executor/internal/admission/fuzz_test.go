package admission

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/gale-server/gale/internal/longtest"
)

// play runs a queue and its model side by side through the operations script says,
// byte by byte, and returns where they part.
func play(script []byte) error {
	read := func() int {
		if len(script) == 0 {
			return 0
		}
		b := script[0]
		script = script[1:]
		return int(b)
	}
	c := Config{Workers: 1 + read()%4, Jobs: read() % 40}
	switch flags := read(); {
	case flags&1 != 0:
		c.Bytes = int64(10 * (1 + read()%32))
		fallthrough
	case flags&2 != 0:
		c.RunBytes = int64(10 * (1 + read()%32))
		fallthrough
	case flags&4 != 0:
		c.ClientJobs = 1 + read()%8
		fallthrough
	case flags&8 != 0:
		c.TurnBytes = int64(1 + read()%32)
		fallthrough
	case flags&16 != 0:
		c.Target = time.Duration(read()-20) * time.Millisecond
		c.Interval = time.Duration(read()-20) * time.Millisecond
	}
	q, m := New(c), &model{config: c}
	now := time.Unix(1e9, 0)
	var known []*Item
	pick := func() *Item {
		if len(known) == 0 {
			return nil
		}
		return known[read()%len(known)]
	}
	for step := 0; len(script) > 0; step++ {
		now = now.Add(time.Nanosecond) // arrivals differ
		op := read()
		fault := func(format string, args ...any) error {
			return fmt.Errorf("step %d, operation %d: %s", step, op%8, fmt.Sprintf(format, args...))
		}
		switch op % 8 {
		case 0, 1, 2:
			it := &Item{Value: len(known), Band: read() % bands, Cost: int64(read() % 64), RunCost: int64(read() % 64)}
			if who := read() % 16; who > 0 {
				it.Client = fmt.Sprint(who)
			}
			it.Patient = read()%3 == 0
			if wait := read(); wait%2 == 0 {
				it.Expires = now.Add(time.Duration(wait) * 10 * time.Millisecond)
			}
			got, want := q.Offer(it, now), Accepted
			it.arrived, it.since = now, now // for the model, should the queue refuse
			if want = m.offer(it, now); got != want {
				return fault("offer: %v, want %v", got, want)
			}
			known = append(known, it)
		case 3, 4:
			got, dropped := q.Take(now)
			want, wantDropped := m.take(now)
			if got != want {
				return fault("took %v, want %v", got, want)
			}
			if !same(dropped, wantDropped) {
				return fault("dropped %v, want %v", dropped, wantDropped)
			}
			if q.Blocked() != (got == nil && q.Waiting() > 0) {
				return fault("blocked: %v", q.Blocked())
			}
		case 5:
			if len(m.running) > 0 {
				it := m.running[read()%len(m.running)]
				ran := time.Duration(read()) * time.Millisecond
				q.Done(it, ran)
				m.done(it, ran)
			}
		case 6:
			switch it, what := pick(), read(); {
			case it == nil:
			case what%2 == 0:
				waits := slices.Contains(m.waiting(), it)
				if got := q.Remove(it); got != waits || got && q.Blocked() {
					return fault("remove: %v, want %v; blocked %v", got, waits, q.Blocked())
				}
				m.remove(it)
			default:
				band := what / 2 % bands
				if slices.Contains(m.waiting(), it) && band < it.Band {
					m.remove(it)
					m.enter(it, band, now)
				}
				q.Promote(it, band, now)
			}
		case 7:
			now = now.Add(time.Duration(read()) * time.Millisecond)
			if got, want := q.Expire(now), m.expire(now); !same(got, want) {
				return fault("expired %v, want %v", got, want)
			}
		}
		if err := m.check(q, now); err != nil {
			return fault("%v", err)
		}
	}
	return nil
}

func same(a, b []*Item) bool {
	if len(a) != len(b) {
		return false
	}
	for _, it := range a {
		if !slices.Contains(b, it) || it.Waiting() || it.Reason == Accepted {
			return false
		}
	}
	return true
}

func TestQueueIsItsModel(t *testing.T) {
	rounds := longtest.Count(300, 1500)
	for seed := range uint64(rounds) {
		random := rand.New(rand.NewPCG(seed, 1))
		script := make([]byte, 50+random.IntN(1500))
		for i := range script {
			script[i] = byte(random.Uint32())
		}
		if err := play(script); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func FuzzQueue(f *testing.F) {
	f.Add([]byte{1, 4, 31, 3, 5, 2, 1, 40, 30, 0, 1, 10, 10, 1, 1, 1, 3, 3, 5, 0, 9, 7, 200, 3})
	f.Add([]byte{0, 39, 0, 0, 1, 0, 0, 1, 1, 1, 0, 1, 0, 0, 2, 1, 1, 3, 3, 6, 0, 0})
	f.Add([]byte{3, 20, 2, 9, 2, 0, 1, 60, 60, 2, 1, 0, 1, 60, 60, 3, 1, 0, 3, 3, 3, 5, 0, 1, 3, 3})
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) > 4096 {
			return
		}
		if err := play(script); err != nil {
			t.Error(err)
		}
	})
}
