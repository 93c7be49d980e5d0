package eventloop_test

import (
	"strings"
	"testing"

	"github.com/gale-server/gale/eventloop"
	"github.com/gale-server/gale/eventloop/looptest"
)

// A conn reads 256 KiB, and the rest of one read, before others have their turn.
func TestDefaultReadBytesPerTurn(t *testing.T) {
	l := looptest.NewLoop(t, eventloop.Config{})
	total, before := 0, -1
	c := l.Open(func(c eventloop.Conn) eventloop.Protocol {
		return &counting{data: func(n int) {
			if total == 0 {
				c.Post(func() { before = total })
			}
			total += n
		}}
	})
	c.Feed(strings.Repeat("x", 1<<20))
	if before < 256<<10 || before > 256<<10+64<<10 || total != 1<<20 {
		t.Errorf("%d bytes in the first turn, %d in all", before, total)
	}
}

// A conn writes 128 KiB before others have their turn.
func TestDefaultWriteBytesPerTurn(t *testing.T) {
	l := looptest.NewLoop(t, eventloop.Config{})
	c := l.Open(func(eventloop.Conn) eventloop.Protocol { return &counting{} })
	first := 0
	l.EventLoop().Post(func() {
		c.Write(make([]byte, 1<<20))
		first = 1<<20 - c.Buffered()
	})
	l.Run()
	if total := len(c.Output()); first != 128<<10 || total != 1<<20 {
		t.Errorf("%d bytes in the first turn, %d in all", first, total)
	}
}

// 1,048,576 functions may wait for a loop, and not one more.
func TestDefaultMailboxTasks(t *testing.T) {
	l := looptest.NewLoop(t, eventloop.Config{})
	ran := 0
	fn := func() { ran++ }
	for i := range 1 << 20 {
		if !l.EventLoop().Post(fn) {
			t.Fatalf("refused after %d", i)
		}
	}
	if l.EventLoop().Post(fn) {
		t.Error("one more is taken")
	}
	l.Run()
	if ran != 1<<20 || !l.EventLoop().Post(fn) {
		t.Errorf("%d ran, and no more are taken", ran)
	}
}

// counting is a Protocol that counts what it gets.
type counting struct{ data func(n int) }

func (p *counting) Data(b []byte) { p.data(len(b)) }
func (p *counting) EOF()          {}
func (p *counting) PeerEnded()    {}
func (p *counting) Turn()         {}
func (p *counting) Drained()      {}
func (p *counting) Deadline()     {}
func (p *counting) Closed(error)  {}
