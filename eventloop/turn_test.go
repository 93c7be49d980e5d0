package eventloop_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gale-server/gale/eventloop"
	"github.com/gale-server/gale/eventloop/looptest"
)

// What takes its time leaves the turn early, whatever kind it is of, so that the
// poller is asked again; what is quick does not.
func TestTimePerTurn(t *testing.T) {
	const many = 1500
	kinds := map[string]struct {
		most  int // in one turn, of what is quick
		begin func(l *looptest.Loop, work func())
	}{
		"tasks": {512, func(l *looptest.Loop, work func()) {
			for range many {
				l.EventLoop().Post(work)
			}
		}},
		"timers": {1024, func(l *looptest.Loop, work func()) {
			for range many {
				l.EventLoop().AfterFunc(0, work)
			}
		}},
		"conns": {64, func(l *looptest.Loop, work func()) {
			var conns []*looptest.Conn
			for range many {
				c := l.Open(func(eventloop.Conn) eventloop.Protocol { return worker{work} })
				c.PauseRead()
				c.Feed("x")
				conns = append(conns, c)
			}
			for _, c := range conns {
				c.ResumeRead() // there is input: the conn goes to the ready list
			}
		}},
		"turns": {many, func(l *looptest.Loop, work func()) {
			for range many {
				c := l.Open(func(eventloop.Conn) eventloop.Protocol { return worker{work} })
				defer c.Schedule()
			}
		}},
	}
	for _, test := range []struct {
		takes time.Duration
		most  int // in one turn, where the kind allows as many
	}{
		{time.Nanosecond, many},
		{5 * time.Microsecond, 32},
		{50 * time.Microsecond, 2},
		{time.Second, 1},
	} {
		for name, kind := range kinds {
			t.Run(fmt.Sprint(name, test.takes), func(t *testing.T) {
				l := looptest.NewLoop(t, eventloop.Config{})
				turns := make(map[time.Time]int)
				done := 0
				kind.begin(l, func() {
					turns[l.EventLoop().Now()]++
					l.Spend(test.takes)
					done++
				})
				for l.Advance(10 * time.Millisecond); done < many; l.Advance(10 * time.Millisecond) {
					if l.Now().After(looptest.Start.Add(2 * many * time.Second)) {
						t.Fatalf("%d of %d were done", done, many)
					}
				}
				most := 0
				for _, n := range turns {
					most = max(most, n)
				}
				if want := min(kind.most, test.most); most != want {
					t.Errorf("a turn did %d, want %d", most, want)
				}
			})
		}
	}
}

// Conns that want a Turn again and again share what time there is.
func TestTurnsShareTheTime(t *testing.T) {
	const many, rounds = 10, 5
	l := looptest.NewLoop(t, eventloop.Config{})
	var turns [many]int
	var conns [many]*looptest.Conn
	for i := range conns {
		conns[i] = l.Open(func(eventloop.Conn) eventloop.Protocol {
			return worker{func() {
				turns[i]++
				l.Spend(time.Millisecond)
				if turns[i] < rounds {
					conns[i].Schedule()
				}
				if slices.Max(turns[:]) > slices.Min(turns[:])+1 {
					t.Errorf("turns so far: %v", turns)
				}
			}}
		})
	}
	for _, c := range conns {
		c.Schedule()
	}
	if l.Run(); slices.Min(turns[:]) != rounds {
		t.Errorf("turns in the end: %v", turns)
	}
}

// A conn whose Turn was put off gets nothing else before it: it may not be ready
// for more input, or have answered what a deadline is about.
func TestTurnComesFirst(t *testing.T) {
	for name, happens := range map[string]func(c *looptest.Conn){
		"data":     func(c *looptest.Conn) { c.Feed("x") },
		"eof":      func(c *looptest.Conn) { c.HalfClose() },
		"deadline": func(c *looptest.Conn) {},
		"ready":    func(c *looptest.Conn) { c.ResumeRead() },
	} {
		t.Run(name, func(t *testing.T) {
			l := looptest.NewLoop(t, eventloop.Config{})
			busy := l.Open(func(eventloop.Conn) eventloop.Protocol {
				return worker{func() { l.Spend(50 * time.Millisecond) }}
			})
			r := &recorder{}
			c := l.Open(func(eventloop.Conn) eventloop.Protocol { return r })
			c.PauseRead()
			if name == "ready" {
				c.Feed("x")
			} else {
				c.ResumeRead()
			}
			l.EventLoop().Post(func() {
				busy.Schedule()
				c.Schedule()
				c.SetDeadline(l.Now().Add(20 * time.Millisecond))
				happens(c)
			})
			for range 10 {
				l.Advance(50 * time.Millisecond)
			}
			if len(r.calls) < 2 || r.calls[0] != "turn" {
				t.Errorf("calls: %v, want the turn first and another behind it", r.calls)
			}
		})
	}
}

// recorder notes what is called.
type recorder struct{ calls []string }

func (r *recorder) Data([]byte)  { r.calls = append(r.calls, "data") }
func (r *recorder) EOF()         { r.calls = append(r.calls, "eof") }
func (r *recorder) PeerEnded()   { r.calls = append(r.calls, "peer ended") }
func (r *recorder) Turn()        { r.calls = append(r.calls, "turn") }
func (r *recorder) Drained()     { r.calls = append(r.calls, "drained") }
func (r *recorder) Deadline()    { r.calls = append(r.calls, "deadline") }
func (r *recorder) Closed(error) {}

// What is posted while a loop goes through a long batch is not forgotten when the
// batch ends as a turn does.
func TestPostBehindFullTurns(t *testing.T) {
	const perTurn = 512
	for _, n := range []int{perTurn - 1, perTurn, perTurn + 1, 2*perTurn - 1, 2 * perTurn, 2*perTurn + 1, 4 * perTurn} {
		l := looptest.NewLoop(t, eventloop.Config{})
		loop, ran := l.EventLoop(), false
		loop.Post(func() { loop.Post(func() { ran = true }) })
		for range n - 1 {
			loop.Post(func() {})
		}
		if l.Run(); !ran {
			t.Errorf("behind %d tasks, the next one never runs", n)
		}
	}
}

// worker works when there is input.
type worker struct{ work func() }

func (w worker) Data([]byte)  { w.work() }
func (w worker) EOF()         {}
func (w worker) PeerEnded()   {}
func (w worker) Turn()        { w.work() }
func (w worker) Drained()     {}
func (w worker) Deadline()    {}
func (w worker) Closed(error) {}
