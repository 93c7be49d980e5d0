package eventloop_test

import (
	"testing"

	"github.com/gale-server/gale/eventloop"
	"github.com/gale-server/gale/eventloop/looptest"
)

// endless writes as long as there is somebody to write to.
type endless struct {
	eventloop.Protocol
	conn   eventloop.Conn
	writes int
}

func (e *endless) Data([]byte) {
	for !e.conn.Ended() && e.writes < 1000 {
		e.conn.Write(make([]byte, 64<<10))
		e.writes++
	}
}
func (e *endless) Closed(error) {}

// A conn that a write finds broken says so in the same turn.
func TestEndedWithinTheTurn(t *testing.T) {
	e := &endless{}
	c := looptest.NewLoop(t, eventloop.Config{OutboxBytes: 1 << 20}).Open(func(c eventloop.Conn) eventloop.Protocol {
		e.conn = c
		return e
	})
	if c.Ended() {
		t.Fatal("ended before anything happened")
	}
	c.Stall()
	c.Feed("go")
	if e.writes < 16 || e.writes > 20 {
		t.Fatalf("%d writes of 64 KiB into an outbox of 1 MiB", e.writes)
	}
	if over, err := c.Closed(); !over || err != eventloop.ErrOutboxFull || !c.Ended() {
		t.Fatal(over, err)
	}
}
