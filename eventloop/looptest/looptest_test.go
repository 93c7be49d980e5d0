package looptest_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/eventloop"
	"github.com/gale-server/gale/eventloop/looptest"
)

func TestMain(m *testing.M) {
	eventloop.AssertOwnership()
	os.Exit(m.Run())
}

// keeper keeps what it must not keep.
type keeper struct {
	eventloop.Conn
	kept [][]byte
}

func (k *keeper) Data(p []byte) { k.kept = append(k.kept, p) }
func (k *keeper) EOF()          {}
func (k *keeper) PeerEnded()    {}
func (k *keeper) Turn()         {}
func (k *keeper) Drained()      {}
func (k *keeper) Deadline()     {}
func (k *keeper) Closed(error)  {}

func open(k *keeper) func(eventloop.Conn) eventloop.Protocol {
	return func(c eventloop.Conn) eventloop.Protocol {
		k.Conn = c
		return k
	}
}

func TestKeptBytesAreOverwritten(t *testing.T) {
	var k keeper
	c := looptest.NewConn(t, open(&k))
	c.Feed("secret")
	if len(k.kept) != 1 || strings.Contains(string(k.kept[0]), "s") {
		t.Errorf("kept: %q", k.kept)
	}
}

func TestAwaitRunsWhatOthersPost(t *testing.T) {
	var k keeper
	c := looptest.NewConn(t, open(&k))
	go c.Post(func() { // ends by itself
		k.Write([]byte("from afar"))
	})
	sent := ""
	c.Await(func() bool { sent += c.Output(); return sent != "" })
	if sent != "from afar" {
		t.Errorf("sent %q", sent)
	}
}

func TestConnsOfALoopShareItsClock(t *testing.T) {
	l := looptest.NewLoop(t, eventloop.Config{})
	var a, b keeper
	first, second := l.Open(open(&a)), l.Open(open(&b))
	fired := ""
	a.AfterFunc(2*time.Second, func() { fired += "a" })
	b.AfterFunc(time.Second, func() { fired += "b" })
	first.Advance(3 * time.Second)
	if fired != "ba" || !second.Now().Equal(looptest.Start.Add(3*time.Second)) || !l.Now().Equal(second.Now()) {
		t.Errorf("fired %s, at %v", fired, second.Now())
	}
	if first.RemoteAddr() == second.RemoteAddr() || l.Conns() != 2 || l.EventLoop() != first.Loop() {
		t.Error("the conns are mixed up")
	}
}

func TestAcceptIsALimit(t *testing.T) {
	var k keeper
	c := looptest.NewConn(t, open(&k))
	c.Stall()
	c.Write([]byte("0123456789"))
	if got := c.Output(); got != "" || c.Buffered() != 10 {
		t.Errorf("sent %q while stalled", got)
	}
	c.Accept(4)
	if got := c.Output(); got != "0123" || c.Writes() != 2 {
		t.Errorf("sent %q with %d writes", got, c.Writes())
	}
	c.Accept(-1)
	if got := c.Output(); got != "456789" {
		t.Errorf("sent %q", got)
	}
}

func TestPeerCloseAnswersWithReset(t *testing.T) {
	var k keeper
	c := looptest.NewConn(t, open(&k))
	c.PeerClose()
	if over, _ := c.Closed(); over || !c.PeerDone() {
		t.Fatal("the end of a stream is no reset")
	}
	c.Write([]byte("anybody?"))
	c.Run()
	if over, err := c.Closed(); !over || err != eventloop.ErrReset {
		t.Errorf("closed %v: %v", over, err)
	}
}
