//go:build !race

// The race detector drops some of what a pool keeps.

package socket_test

import "testing"

// A delivery to one more subscriber allocates nothing, alone or in a batch.
func TestDeliveryAllocatesNothing(t *testing.T) {
	for _, messages := range []int{1, 16} {
		batch := batchOf(messages)
		few, many := newCrowd(t, 10), newCrowd(t, 1010)
		per := func(w *crowd) float64 { return testing.AllocsPerRun(20, func() { w.publish(t, batch) }) }
		a, b := per(few), per(many)
		if many.frames != 21*1010 {
			t.Errorf("%d messages: %d frames for 1,010 subscribers, want one each time", messages, many.frames)
		}
		if b-a > 100 { // of 1,000 deliveries
			t.Errorf("%d messages: %v allocations for 10 subscribers, %v for 1,010", messages, a, b)
		}
	}
}
