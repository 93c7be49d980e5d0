package eventloop_test

import (
	"testing"

	"github.com/gale-server/gale/eventloop"
	"github.com/gale-server/gale/eventloop/looptest"
)

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
