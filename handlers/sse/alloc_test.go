//go:build !race

package sse

import (
	"testing"

	"github.com/gale-server/gale/handlers/hub"
)

// A message costs one more client nothing but its bytes, and a signature where
// the ID is the client's own.
func TestDeliveryAllocates(t *testing.T) {
	for user, most := range map[string]float64{"": 0, "ann": 4} {
		s, x := serve(t, user, "ch=a")
		batch := []*hub.Message{message()}
		sub := s.client.Subscriptions()[0]
		if n := testing.AllocsPerRun(100, func() { s.Messages(sub, batch) }); n > most {
			t.Errorf("for %q: %v allocations", user, n)
		}
		if x.bytes < 100*100 {
			t.Errorf("%d bytes were sent", x.bytes)
		}
	}
}
