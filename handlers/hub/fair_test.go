package hub_test

import (
	"fmt"
	"testing"

	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/hubtest"
)

// Who is in a small channel does not wait until everybody in a large one has been
// served, and what comes for a channel meanwhile is not lost, nor overtakes.
func TestLargeChannelGivesWay(t *testing.T) {
	h := newHub(t, hub.Config{})
	l := &hubtest.Loop{}
	large, _ := crowd(t, h, l, 10*perTask, "large")
	wide, _ := crowd(t, h, l, 10*perTask, "wid*")
	small, _ := crowd(t, h, l, 1, "small")
	publish(t, h, "large", "1")
	publish(t, h, "wide", "1")
	publish(t, h, "small", "1")
	for range 3 {
		l.Step()
	}
	if got := fmt.Sprint(small[0].Got); got != "[small 1 1]" {
		t.Errorf("after three steps: %s", got)
	}
	publish(t, h, "wide", "2")
	publish(t, h, "large", "2")
	publish(t, h, "small", "2")
	for range 3 {
		l.Step()
	}
	if got := fmt.Sprint(small[0].Got); got != "[small 1 1 small 2 2]" {
		t.Errorf("after six steps: %s", got)
	}
	if last := large[len(large)-1]; len(last.Got) != 0 {
		t.Errorf("the last of many is served already: %q", last.Got)
	}
	l.Run()
	for i := range large {
		if got := fmt.Sprint(large[i].Got); got != "[large 1 1 large 2 2]" {
			t.Fatalf("subscriber %d got %s", i, got)
		}
		if got := fmt.Sprint(wide[i].Got); got != "[wide 1 1 wide 2 2]" {
			t.Fatalf("subscriber %d of the pattern got %s", i, got)
		}
	}
}
