package admission

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

var start = time.Unix(1e9, 0)

// item is written "name", "client/name" or, with a band before it, "low:client/name".
func item(s string) *Item {
	it := &Item{Value: s, Band: Normal}
	for band, prefix := range []string{High: "high:", Normal: "normal:", Low: "low:"} {
		if rest, ok := strings.CutPrefix(s, prefix); ok {
			it.Band, s = band, rest
		}
	}
	if client, _, ok := strings.Cut(s, "/"); ok {
		it.Client = client
	}
	return it
}

func offer(t *testing.T, q *Queue, now time.Time, names ...string) (items []*Item) {
	t.Helper()
	for _, name := range names {
		it := item(name)
		if why := q.Offer(it, now); why != Accepted {
			t.Fatalf("%s was refused: %v", name, why)
		}
		items = append(items, it)
	}
	return items
}

// run takes and ends jobs until none is left, and returns their names.
func run(q *Queue, now time.Time) string {
	var order []string
	for {
		it, _ := q.Take(now)
		if it == nil {
			return strings.Join(order, " ")
		}
		order = append(order, it.Value.(string))
		q.Done(it, time.Millisecond)
	}
}

func TestOrder(t *testing.T) {
	for _, tt := range []struct{ name, offered, want string }{
		{"oldest first", "a b c", "a b c"},
		{"bands are strict", "low:a b high:c low:d e high:f", "high:c high:f b e low:a low:d"},
		{"clients take turns", "x/1 x/2 x/3 y/1 y/2 z/1", "x/1 y/1 z/1 x/2 y/2 x/3"},
		{"without a name is a client too", "1 2 3 x/1", "1 x/1 2 3"},
		{"turns are per band", "x/1 high:y/1 x/2 high:x/3 y/2", "high:y/1 high:x/3 x/1 y/2 x/2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q := New(Config{Workers: 1, Jobs: 100})
			items := offer(t, q, start, strings.Fields(tt.offered)...)
			slices.SortFunc(items, func(a, b *Item) int { return q.Position(a) - q.Position(b) })
			var places []string
			for i, it := range items {
				if q.Position(it) != i+1 {
					t.Errorf("%s has position %d, want %d", it.Value, q.Position(it), i+1)
				}
				places = append(places, it.Value.(string))
			}
			if got := strings.Join(places, " "); got != tt.want {
				t.Errorf("positions %s, want %s", got, tt.want)
			}
			if got := run(q, start); got != tt.want {
				t.Errorf("ran %s, want %s", got, tt.want)
			}
		})
	}
}

func TestClientWithOneJobIsNext(t *testing.T) {
	q := New(Config{Workers: 1, Jobs: 20000})
	for i := range 10000 {
		offer(t, q, start, fmt.Sprint("many/", i))
	}
	for range 3 {
		it, _ := q.Take(start)
		q.Done(it, time.Millisecond)
	}
	it := offer(t, q, start, "one/1")[0]
	if p := q.Position(it); p != 1 {
		t.Errorf("position %d, want 1", p)
	}
	if next, _ := q.Take(start); next != it {
		t.Errorf("next is %v", next.Value)
	}
}

func TestComingBackGainsNothing(t *testing.T) {
	q := New(Config{Workers: 1, Jobs: 100})
	offer(t, q, start, "old/1", "old/2", "old/3", "old/4")
	var order []string
	for i := range 4 {
		offer(t, q, start, fmt.Sprint("back/", i))
		it, _ := q.Take(start)
		order = append(order, it.Client)
		q.Done(it, time.Millisecond)
	}
	if got := strings.Join(order, " "); got != "old back old back" {
		t.Errorf("order %s", got)
	}
}

func TestNewNamesStarveNobody(t *testing.T) {
	q := New(Config{Workers: 1, Jobs: 1000})
	offer(t, q, start, "old/1", "old/2", "old/3")
	it, _ := q.Take(start)
	q.Done(it, time.Millisecond) // from here on old has had its turn
	for i := range 3 * maxFresh {
		offer(t, q, start, fmt.Sprintf("new%d/", i))
	}
	for n := 1; ; n++ {
		it, _ := q.Take(start)
		if it.Client == "old" {
			if n != maxFresh { // one turn was its own
				t.Errorf("it had to wait for %d turns", n)
			}
			return
		}
		q.Done(it, time.Millisecond)
	}
}

func TestLargeJobsTakeSeveralTurns(t *testing.T) {
	q := New(Config{Workers: 1, Jobs: 1000, TurnBytes: 10})
	for i := range 12 {
		it := item(fmt.Sprint("large/", i))
		it.Cost, it.RunCost = 10, 25 // four turns
		q.Offer(it, start)
		offer(t, q, start, fmt.Sprint("small/", i))
	}
	order := strings.Fields(run(q, start))
	small := 0
	for _, name := range order[:10] {
		if strings.HasPrefix(name, "small") {
			small++
		}
	}
	if small != 8 {
		t.Errorf("%d of the first ten jobs were small: %v", small, order)
	}
	huge := item("huge")
	huge.Cost = 1 << 60
	if turns := q.turns(huge); turns != maxTurns {
		t.Errorf("a huge job takes %d turns", turns)
	}
}

func TestLimits(t *testing.T) {
	sized := func(name string, cost, runCost int64) *Item {
		it := item(name)
		it.Cost, it.RunCost = cost, runCost
		return it
	}
	for _, tt := range []struct {
		name   string
		config Config
		items  []*Item
		want   []Reason
	}{
		{"jobs beside those that can run", Config{Workers: 1, Jobs: 1}, []*Item{item("a"), item("b"), item("c")}, []Reason{Accepted, Accepted, Jobs}},
		{"no queue", Config{Workers: 1}, []*Item{item("a"), item("b")}, []Reason{Accepted, Jobs}},
		{"half a queue for low", Config{Workers: 1, Jobs: 3}, []*Item{item("low:a"), item("low:b"), item("low:c"), item("low:d"), item("e"), item("f")},
			[]Reason{Accepted, Accepted, Accepted, Jobs, Accepted, Jobs}},
		{"bytes", Config{Workers: 1, Jobs: 9, Bytes: 10}, []*Item{sized("a", 6, 0), sized("b", 5, 0), sized("c", 4, 0), sized("d", 0, 0)},
			[]Reason{Accepted, Bytes, Accepted, Accepted}},
		{"too large to wait", Config{Workers: 1, Jobs: 9, Bytes: 10}, []*Item{sized("a", 11, 0), sized("b", 1<<62, 0), sized("c", 1, 1<<62)}, []Reason{TooLarge, TooLarge, Accepted}},
		{"too large to run", Config{Workers: 1, Jobs: 9, RunBytes: 10}, []*Item{sized("a", 0, 11), sized("b", 0, 10)}, []Reason{TooLarge, Accepted}},
		{"of one client", Config{Workers: 1, Jobs: 9, ClientJobs: 1}, []*Item{item("x/1"), item("x/2"), item("y/1"), item("1"), item("2")},
			[]Reason{Accepted, Client, Accepted, Accepted, Accepted}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q := New(tt.config)
			for i, it := range tt.items {
				if got := q.Offer(it, start); got != tt.want[i] {
					t.Errorf("%v: %v, want %v", it.Value, got, tt.want[i])
				}
			}
			for _, it := range tt.items {
				q.Remove(it)
			}
			if q.Waiting() != 0 || q.Bytes() != 0 || len(q.held) != 0 {
				t.Errorf("left: %d jobs, %d bytes, %v", q.Waiting(), q.Bytes(), q.held)
			}
		})
	}
}

func TestLargestIsNotOvertaken(t *testing.T) {
	q := New(Config{Workers: 4, Jobs: 9, RunBytes: 10})
	var items []*Item
	for _, n := range []int64{4, 8, 1} {
		it := &Item{Value: fmt.Sprint(n), RunCost: n}
		q.Offer(it, start)
		items = append(items, it)
	}
	first, _ := q.Take(start)
	if second, _ := q.Take(start); second != nil || !q.Blocked() {
		t.Fatalf("took %v, blocked %v", second, q.Blocked())
	}
	q.Done(first, time.Millisecond)
	if q.Blocked() {
		t.Error("blocked after the end of what blocked")
	}
	for _, want := range items[1:] {
		if it, _ := q.Take(start); it != want {
			t.Errorf("took %v, want %v", it.Value, want.Value)
		}
	}
}

func TestExpiry(t *testing.T) {
	q := New(Config{Workers: 1, Jobs: 100})
	var items []*Item
	for _, ms := range []int{50, 10, 90, 0, 30} {
		it := &Item{Value: fmt.Sprint(ms), Band: ms % 3}
		if ms > 0 {
			it.Expires = start.Add(time.Duration(ms) * time.Millisecond)
		}
		q.Offer(it, start)
		items = append(items, it)
	}
	if next := q.NextExpiry(); !next.Equal(start.Add(10 * time.Millisecond)) {
		t.Errorf("next expiry at %v", next.Sub(start))
	}
	dropped := q.Expire(start.Add(50 * time.Millisecond))
	var names []string
	for _, it := range dropped {
		if it.Reason != Expired {
			t.Errorf("%v: %v", it.Value, it.Reason)
		}
		names = append(names, it.Value.(string))
	}
	if got := strings.Join(names, " "); got != "10 30 50" {
		t.Errorf("expired %s", got)
	}
	q.Remove(items[2])
	if !q.NextExpiry().IsZero() {
		t.Error("something is to expire")
	}
}

// A queue that is never empty for an interval, and never short, stands.
func TestStandingQueue(t *testing.T) {
	const target, interval = 50 * time.Millisecond, time.Second
	q := New(Config{Workers: 1, Jobs: 1000, Target: target, Interval: interval})
	patient := item("patient")
	patient.Patient = true
	q.Offer(patient, start)
	it, _ := q.Take(start)
	if it != patient {
		t.Fatalf("took %v", it.Value)
	}
	q.Done(it, 0)

	now := start
	dropped := 0
	step := func() (taken *Item) { // 10 ms, three jobs come and one runs
		now = now.Add(10 * time.Millisecond)
		for i := range 3 {
			offer(t, q, now, fmt.Sprint(now.Sub(start), "-", i))
		}
		taken, gone := q.Take(now)
		for _, it := range gone {
			if it.Reason != Standing || now.Sub(it.arrived) <= 2*target {
				t.Errorf("%v was dropped after %v: %v", it.Value, now.Sub(it.arrived), it.Reason)
			}
		}
		dropped += len(gone)
		q.Done(taken, 10*time.Millisecond)
		return taken
	}
	for now.Sub(start) < interval {
		step()
		if q.Standing() {
			t.Fatalf("the queue stands after %v", now.Sub(start))
		}
	}
	if dropped > 0 {
		t.Errorf("a burst had %d jobs dropped", dropped)
	}
	for range 150 { // the first interval may have begun with a short queue
		step()
	}
	if !q.Standing() {
		t.Fatal("the queue does not stand")
	}
	late := item("late")
	late.Patient = true
	q.Offer(late, now)
	for range 100 {
		if it := step(); now.Sub(it.arrived) > 0 {
			t.Errorf("%v waited for %v", it.Value, now.Sub(it.arrived))
		}
		if oldest := q.bands[Normal].impatient.head; now.Sub(oldest.since) > 2*target {
			t.Errorf("%v waits since %v", oldest.Value, now.Sub(oldest.since))
		}
	}
	if dropped == 0 || !late.Waiting() {
		t.Errorf("%d dropped; the patient one waits: %v", dropped, late.Waiting())
	}
	// The load goes away.
	run(q, now)
	if q.Standing() || late.Waiting() {
		t.Errorf("an empty queue stands: %v; the patient one waits: %v", q.Standing(), late.Waiting())
	}
	offer(t, q, now, "a", "b", "c")
	if got := run(q, now); got != "a b c" {
		t.Errorf("ran %s", got)
	}
}

// What the workers can take in one go is run, however late they come for it.
func TestShortQueueDoesNotStand(t *testing.T) {
	q := New(Config{Workers: 3, Jobs: 100})
	offer(t, q, start, "a", "b", "c")
	if got := run(q, start.Add(time.Hour)); got != "a b c" {
		t.Errorf("ran %s", got)
	}
	offer(t, q, start, "a", "b", "c", "d", "e")
	_, dropped := q.Take(start.Add(time.Hour))
	if len(dropped) != 2 || dropped[0].Value != "a" {
		t.Errorf("%d were dropped", len(dropped))
	}
}

func TestLimitsFollowTheRunTimes(t *testing.T) {
	for _, tt := range []struct {
		config           Config
		ran              time.Duration
		target, interval time.Duration
	}{
		{Config{}, 0, 5 * time.Millisecond, 100 * time.Millisecond},
		{Config{}, 100 * time.Microsecond, 5 * time.Millisecond, 100 * time.Millisecond},
		{Config{}, 100 * time.Millisecond, 500 * time.Millisecond, 10 * time.Second},
		{Config{Target: time.Second}, 100 * time.Millisecond, time.Second, 20 * time.Second},
		{Config{Target: time.Second, Interval: time.Minute}, time.Hour, time.Second, time.Minute},
	} {
		tt.config.Workers = 1
		q := New(tt.config)
		offer(t, q, start, "a")
		it, _ := q.Take(start)
		q.Done(it, tt.ran)
		if target, interval := q.limits(); target != tt.target || interval != tt.interval {
			t.Errorf("%+v after %v: %v, %v, want %v, %v", tt.config, tt.ran, target, interval, tt.target, tt.interval)
		}
	}
	q := New(Config{Workers: 1, Jobs: 9})
	for range 50 {
		for _, ran := range []time.Duration{10, 30} {
			offer(t, q, start, "a")
			it, _ := q.Take(start)
			q.Done(it, ran)
		}
	}
	if mean := q.MeanRun(); mean < 18 || mean > 24 {
		t.Errorf("the mean of 10 and 30 is %d", mean)
	}
}

func TestPromote(t *testing.T) {
	q := New(Config{Workers: 1, Jobs: 100})
	items := offer(t, q, start, "low:a", "b", "low:c", "high:d")
	q.Promote(items[2], High, start)
	q.Promote(items[1], Low, start) // no promotion
	if got := run(q, start); got != "high:d low:c b low:a" {
		t.Errorf("ran %s", got)
	}
	q.Promote(items[0], High, start)
	if q.Waiting() != 0 || q.Remove(items[0]) {
		t.Error("what has run waits again")
	}
}

func TestTakeAllocates(t *testing.T) {
	q := New(Config{Workers: 1, Jobs: 100, ClientJobs: 5})
	it := &Item{Client: "x", Expires: start.Add(time.Hour)}
	cycle := func() {
		q.Offer(it, start)
		q.Take(start)
		q.Done(it, time.Millisecond)
	}
	cycle()
	if n := testing.AllocsPerRun(100, cycle); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkQueue(b *testing.B) {
	for _, clients := range []int{1, 1000} {
		b.Run(fmt.Sprint(clients, "-clients"), func(b *testing.B) {
			q := New(Config{Workers: 1, Jobs: 10000})
			now := start
			for i := range 5000 {
				q.Offer(&Item{Client: fmt.Sprint(i % clients), Expires: now.Add(time.Hour)}, now)
			}
			b.ReportAllocs()
			for b.Loop() {
				it, _ := q.Take(now)
				q.Done(it, 0)
				q.Offer(it, now)
			}
		})
	}
}
