package garbage

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestMakeRoom(t *testing.T) {
	goGC := debug.SetGCPercent(100)
	defer func() { debug.SetGCPercent(goGC); ballast = nil }()
	target := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.NextGC
	}

	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "100MiB")
	MakeRoom()
	t.Setenv("GOGC", "50")
	t.Setenv("GOMEMLIMIT", "")
	MakeRoom()
	if n := target(); n > 8<<20 {
		t.Errorf("collected from %d bytes on, against what the environment says", n)
	}

	t.Setenv("GOGC", "")
	MakeRoom()
	if n := target(); n < 80<<20 || n > 120<<20 {
		t.Errorf("collected from %d bytes on", n)
	}
}
