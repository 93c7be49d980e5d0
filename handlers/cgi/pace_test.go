package cgi

import (
	"fmt"
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	var p pace
	const ms = time.Millisecond
	for _, step := range []struct {
		took     time.Duration
		written  int64
		patience time.Duration
	}{
		{5 * ms, 100, 20 * ms},
		{100 * ms, 100, maxBrief},
		{maxBrief + 1, 100, 0},
		{5 * ms, maxBriefBytes, 20 * ms},
		{5 * ms, maxBriefBytes + 1, 0},
	} {
		p.note("a", step.took, step.written)
		if got := p.patience("a"); got != step.patience {
			t.Errorf("after %v and %d bytes: %v, want %v", step.took, step.written, got, step.patience)
		}
	}
	for i := range 3 * maxPaces {
		p.note(fmt.Sprint(i), ms, 0)
	}
	if n := len(p.took); n > maxPaces || n == 0 {
		t.Errorf("%d programs are known", n)
	}
}
