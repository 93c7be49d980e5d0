package hub

import "testing"

// ServeAtOnce changes how many subscribers are served in one task, until the test is
// over.
func ServeAtOnce(t *testing.T, subscribers int) {
	before := subscribersPerTask
	subscribersPerTask = subscribers
	t.Cleanup(func() { subscribersPerTask = before })
}
