package cgi

import (
	"sync"
	"time"
)

// pace remembers programs that end soon and write little. What such a one writes is not
// read before it has ended: all of it is in its pipes then, and its worker is woken once
// and not for the output, the end of the output and the end of the program.
//
// Safe for concurrent use.
type pace struct {
	mu   sync.Mutex
	took map[string]time.Duration // by file: the last run
}

// Bounds of such a program.
const (
	maxBrief      = 250 * time.Millisecond // by which the output of another may be late, once
	maxBriefBytes = 4 << 10                // what every pipe takes
	maxPaces      = 1024                   // programs that are known
)

// patience is how long it makes sense to wait for the end of a program alone; 0 for not
// at all.
func (p *pace) patience(file string) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if took, ok := p.took[file]; ok {
		return min(4*took, maxBrief)
	}
	return 0
}

// note says how a run went.
func (p *pace) note(file string, took time.Duration, written int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case took > maxBrief || written > maxBriefBytes:
		delete(p.took, file)
		return
	case p.took == nil, len(p.took) >= maxPaces:
		p.took = make(map[string]time.Duration)
	}
	p.took[file] = took
}
