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

	for _, c := range []struct {
		name, gogc, limit string
		from              uint64
	}{
		{"GOGC counts", "100", "", 4 << 20},
		{"a limit leaves no room for a ballast", "", "100MiB", 16 << 20},
		{"nothing is said", "", "", 80 << 20},
	} {
		t.Setenv("GOGC", c.gogc)
		t.Setenv("GOMEMLIMIT", c.limit)
		MakeRoom()
		if n := target(); n < c.from || n > 2*c.from {
			t.Errorf("%s: collected from %d bytes on", c.name, n)
		}
	}
}
