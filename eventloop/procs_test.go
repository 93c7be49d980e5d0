package eventloop_test

import (
	"context"
	"runtime"
	"testing"

	"github.com/gale-server/gale/eventloop"
)

// A group brings a processor for each of its threads, and takes it with it.
func TestGroupRaisesProcs(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	g, err := eventloop.New(eventloop.Config{Loops: 3, Open: func(eventloop.Conn) eventloop.Protocol { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	during := runtime.GOMAXPROCS(0)
	if err := g.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if during != before+4 {
		t.Errorf("GOMAXPROCS is %d with a group of 3 loops, want %d", during, before+4)
	}
	if after := runtime.GOMAXPROCS(0); after != before {
		t.Errorf("GOMAXPROCS is %d afterwards, want %d", after, before)
	}
}
