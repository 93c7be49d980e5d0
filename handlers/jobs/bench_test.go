package jobs

import (
	"runtime"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
)

// quiet is an exchange that does nothing.
type quiet struct{ asgi.Exchange }

func (quiet) Send(asgi.SendEvent) error                  { return nil }
func (quiet) Post(func()) bool                           { return true }
func (quiet) AfterFunc(time.Duration, func()) asgi.Timer { return quiet{} }
func (quiet) Congested() bool                            { return false }
func (quiet) Reclaim()                                   {}
func (quiet) Recycle(p []byte)                           {}
func (quiet) Keep(p []byte) []byte                       { return p }
func (quiet) Stop() bool                                 { return true }

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkParkedPoll is a poll that waits and is told of a change; B/poll is
// what a parked one holds, beside what its engine does.
func BenchmarkParkedPoll(b *testing.B) {
	s := newService(b, Config{MaxFollowers: 1 << 30})
	j, _ := s.add("", nil)
	s.mu.Lock()
	s.publish(j)
	s.mu.Unlock()
	scope := asgitest.HTTPScope("GET", "/"+j.id+"?wait=50")
	polls := make([]asgi.Receiver, b.N)
	before := heap()
	b.ReportAllocs()
	b.ResetTimer()
	for i := range polls {
		polls[i] = s.Open(scope, quiet{})
	}
	b.StopTimer()
	b.ReportMetric(float64(heap()-before)/float64(b.N), "B/poll")
	b.StartTimer()
	for _, p := range polls {
		p.Receive(&asgi.HTTPDisconnect{})
	}
}
