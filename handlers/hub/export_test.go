package hub

import "testing"

// ServeAtOnce changes how many subscribers are served in one task, until the test is
// over.
func ServeAtOnce(t *testing.T, subscribers int) {
	before := subscribersPerTask
	subscribersPerTask = subscribers
	t.Cleanup(func() { subscribersPerTask = before })
}

// Left returns how many topics, feeds and users the hub knows.
func (h *Hub) Left() (n int) {
	for i := range h.topics {
		n += len(h.topics[i].named)
	}
	return n + len(h.wide.named) + len(h.feeds) + len(h.users)
}
