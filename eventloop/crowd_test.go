package eventloop_test

import (
	"slices"
	"testing"
	"time"

	"github.com/gale-server/gale/eventloop"
	"github.com/gale-server/gale/eventloop/looptest"
)

// busy is a protocol that does something when there is input, and when it ends.
type busy struct{ data, closed func() }

func (b busy) Data([]byte)  { b.data() }
func (b busy) EOF()         {}
func (b busy) PeerEnded()   {}
func (b busy) Turn()        {}
func (b busy) Drained()     {}
func (b busy) Deadline()    {}
func (b busy) Closed(error) { b.closed() }

// openMany opens conns that do this when there is input, and when they end. They
// have got input before, which took no time, unless they are to be new.
func openMany(l *looptest.Loop, n int, fresh bool, data, closed func(i int)) (conns []*looptest.Conn) {
	greeting := !fresh
	for i := range n {
		conns = append(conns, l.Open(func(eventloop.Conn) eventloop.Protocol {
			return busy{
				data: func() {
					if !greeting {
						data(i)
					}
				},
				closed: func() { closed(i) },
			}
		}))
		if greeting {
			conns[i].Feed("hello")
		}
	}
	greeting = false
	return conns
}

func nothing(int) {}

// When the poller reports very many at once, it is asked again before all of them
// are served, and each of them is, once and in order.
func TestManyReports(t *testing.T) {
	const many = 300
	for _, test := range []struct {
		takes  time.Duration
		atOnce int
	}{
		{0, many},
		{10 * time.Microsecond, 16 + 9},
		{50 * time.Microsecond, 16 + 1},
		{time.Second, 16},
	} {
		l := looptest.NewLoop(t, eventloop.Config{})
		var served []int
		conns := openMany(l, many, false, func(i int) {
			served = append(served, i)
			l.Spend(test.takes)
		}, nothing)
		l.Together(func() {
			for _, c := range conns {
				c.Feed("x")
			}
			if len(served) != test.atOnce {
				t.Errorf("%d of one list that take %v each are served at once, want %d", len(served), test.takes, test.atOnce)
			}
		})
		if len(served) != many || !slices.IsSorted(served) {
			t.Errorf("served were: %v", served)
		}
	}
}

// Thousands who come or go at the same time do not keep those waiting who stay.
func TestWhoStaysComesFirst(t *testing.T) {
	const many, takes = 1000, 20 * time.Microsecond
	for _, name := range []string{"who come", "who go"} {
		t.Run(name, func(t *testing.T) {
			l := looptest.NewLoop(t, eventloop.Config{})
			others, before := 0, -1
			work := func(int) {
				others++
				l.Spend(takes)
			}
			stays := openMany(l, 1, false, func(int) { before = others }, nothing)[0]
			conns := openMany(l, many, name == "who come", work, work)
			l.Together(func() {
				for _, c := range conns {
					if name == "who come" {
						c.Feed("hello")
					} else {
						c.Reset()
					}
				}
				stays.Feed("x")
			})
			if others != many {
				t.Errorf("%d of %d were served", others, many)
			}
			// Those who were served at once, and what one turn has time for.
			if most := 16 + 5 + 2*5; before < 0 || before > most {
				t.Errorf("%d come before who stays, want at most %d", before, most)
			}
		})
	}
}

// What ends at the same time is closed a few at a time.
func TestManyEnds(t *testing.T) {
	const many, takes = 300, 20 * time.Microsecond
	l := looptest.NewLoop(t, eventloop.Config{})
	turns := make(map[time.Time]int)
	closed := 0
	conns := openMany(l, many, false, nothing, func(int) {
		closed++
		turns[l.EventLoop().Now()]++
		l.Spend(takes)
	})
	l.EventLoop().Post(func() {
		for _, c := range conns {
			c.Abort()
		}
	})
	if l.Run(); closed != many {
		t.Errorf("%d of %d were closed", closed, many)
	}
	for _, n := range turns {
		if n > 8 { // the clock is looked at after 1, 2, 4 and 8
			t.Fatalf("a turn closes %d", n)
		}
	}
}

// A turn begins nothing more once many conns have output: to flush it is what takes
// time.
func TestTouchedPerTurn(t *testing.T) {
	const many, perTurn = 300, 64
	l := looptest.NewLoop(t, eventloop.Config{})
	conns := openMany(l, many, false, nothing, nothing)
	for _, c := range conns {
		l.EventLoop().Post(func() {
			c.Write([]byte("x"))
		})
	}
	l.EventLoop().Post(func() {
		for i, c := range conns {
			if flushed := c.Writes() > 0; flushed != (i < many/perTurn*perTurn) {
				t.Errorf("conn %d was flushed: %v", i, flushed)
			}
		}
	})
	l.Run()
	for i, c := range conns {
		if got := c.Output(); got != "x" || c.Writes() != 1 {
			t.Errorf("conn %d got %q in %d writes", i, got, c.Writes())
		}
	}
}

// What a peer sent before it was gone is read, though there is output for it that can
// only fail, and though it all is reported in a crowd.
func TestLastWordsInACrowd(t *testing.T) {
	l := looptest.NewLoop(t, eventloop.Config{})
	crowd := openMany(l, 20, false, func(int) { l.Spend(time.Millisecond) }, nothing)
	heard := 0
	leaves := openMany(l, 1, false, func(int) { heard++ }, nothing)[0]
	leaves.Stall()
	leaves.Write([]byte("x"))
	l.Run()
	l.Together(func() {
		for _, c := range crowd {
			c.Feed("x")
		}
		leaves.Feed("bye")
		leaves.Reset()
	})
	if over, err := leaves.Closed(); heard != 1 || !over || err != eventloop.ErrReset {
		t.Errorf("heard %d times, over %v, with %v", heard, over, err)
	}
}
