package hub

import (
	"math"
	"runtime/debug"
	"testing"
)

func TestMemoryLimit(t *testing.T) {
	if n := memoryLimit(); n < 1<<20 {
		t.Errorf("%d bytes", n)
	}
	before := debug.SetMemoryLimit(800 << 20)
	defer debug.SetMemoryLimit(before)
	if n := defaultBytes(); n != 200<<20 {
		t.Errorf("%d of a GOMEMLIMIT of 800 MiB", n)
	}
}

func TestMeminfo(t *testing.T) {
	for text, want := range map[string]int64{
		"MemTotal:        8134000 kB\nMemFree: 1 kB\n": 8134000 << 10,
		"": 0, "MemTotal: x kB": 0, "MemTotal: 12": 0,
	} {
		if got := meminfo(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

func TestGroupLimit(t *testing.T) {
	for _, c := range []struct {
		groups string
		files  map[string]string
		want   int64
	}{
		{"", nil, math.MaxInt64},
		{"0::/\n", map[string]string{"/sys/fs/cgroup/memory.max": "1000\n"}, 1000},
		{"0::/\n", map[string]string{"/sys/fs/cgroup/memory.max": "max\n"}, math.MaxInt64},
		{"0::/system.slice/a.service\n", map[string]string{
			"/sys/fs/cgroup/system.slice/a.service/memory.max": "max\n",
			"/sys/fs/cgroup/system.slice/memory.max":           "2000\n",
		}, 2000},
		{"3:cpu:/x\n12:memory:/docker/1\n", map[string]string{"/sys/fs/cgroup/memory/memory.limit_in_bytes": "3000\n"}, 3000},
	} {
		if got := groupLimit(c.groups, func(name string) string { return c.files[name] }); got != c.want {
			t.Errorf("%q: %d, want %d", c.groups, got, c.want)
		}
	}
}
