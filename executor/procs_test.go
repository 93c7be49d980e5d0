package executor

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/eventloop/procs"
	"github.com/gale-server/gale/internal/longtest"
	"golang.org/x/sys/unix"
)

func TestCPUQuota(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  float64 // 0: none
	}{
		{"no control groups", nil, 0},
		{"version 2, none", map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, 0},
		{"version 2, of the root", map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}, 1.5},
		{"version 2, the least of the groups", map[string]string{
			"proc/self/cgroup":                   "0::/a/b\n",
			"sys/fs/cgroup/a/cpu.max":            "50000 100000\n",
			"sys/fs/cgroup/a/b/cpu.max":          "400000 100000\n",
			"sys/fs/cgroup/a/b/c/cpu.max":        "1 100000\n",
			"sys/fs/cgroup/cpu.max":              "300000 100000\n",
			"sys/fs/cgroup/unified/a/b/c/readme": "",
		}, 0.5},
		{"version 2, a path of the host", map[string]string{"proc/self/cgroup": "0::/../../pod\n", "sys/fs/cgroup/cpu.max": "200000 100000\n"}, 2},
		{"version 1", map[string]string{
			"proc/self/cgroup":                      "4:memory:/x\n3:cpu,cpuacct:/docker/1\n",
			"sys/fs/cgroup/cpu/cpu.cfs_quota_us":    "250000\n",
			"sys/fs/cgroup/cpu/cpu.cfs_period_us":   "100000\n",
			"sys/fs/cgroup/cpuset/cpu.cfs_quota_us": "1\n",
		}, 2.5},
		{"version 1, none", map[string]string{
			"proc/self/cgroup":                            "3:cpuset:/\n2:cpuacct,cpu:/\n",
			"sys/fs/cgroup/cpuacct,cpu/cpu.cfs_quota_us":  "-1\n",
			"sys/fs/cgroup/cpuacct,cpu/cpu.cfs_period_us": "100000\n",
		}, 0},
		{"both versions", map[string]string{
			"proc/self/cgroup":                      "1:cpu:/a\n0::/b\n",
			"sys/fs/cgroup/cpu/a/cpu.cfs_quota_us":  "300000",
			"sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "100000",
			"sys/fs/cgroup/unified/b/cpu.max":       "max 100000",
		}, 3},
		{"nonsense", map[string]string{"proc/self/cgroup": "\n:\n0::/\n", "sys/fs/cgroup/cpu.max": "much 0"}, 0},
		{"no period", map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "100000"}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := fstest.MapFS{}
			for name, text := range tt.files {
				root[name] = &fstest.MapFile{Data: []byte(text)}
			}
			if got, ok := cpuQuota(root); got != tt.want || ok != (tt.want > 0) {
				t.Errorf("%v, %v, want %v", got, ok, tt.want)
			}
		})
	}
}

func TestQuotaLeavesRoom(t *testing.T) {
	for quota, want := range map[float64]int{0.1: 1, 1: 1, 1.5: 1, 2: 1, 2.5: 1, 3: 2, 4: 3, 8: 6, 64: 48} {
		if got := quotaWorkers(quota); got != want {
			t.Errorf("quota %v: %d workers, want %d", quota, got, want)
		}
	}
}

// niceThreads counts the threads of this process at the lowest priority. A process
// that has it itself says nothing: all of its threads do.
func niceThreads(t *testing.T) (n int, ok bool) {
	t.Helper()
	stats, err := filepath.Glob("/proc/self/task/*/stat")
	if err != nil || len(stats) == 0 {
		t.Skip("no /proc")
	}
	if nice, err := unix.Getpriority(unix.PRIO_PROCESS, 0); err != nil || 20-nice == lowest { // getpriority(2): 20-nice
		return 0, false
	}
	for _, name := range stats {
		stat, err := os.ReadFile(name)
		if err != nil {
			continue // it has just ended
		}
		// proc_pid_stat(5): what follows the name in parentheses begins with field 3.
		_, rest, _ := strings.Cut(string(stat), ") ")
		if fields := strings.Fields(rest); len(fields) > 16 && fields[19-3] == "19" {
			n++
		}
	}
	return n, true
}

func TestCPUWorkers(t *testing.T) {
	asgitest.CheckLeaks(t)
	before := runtime.GOMAXPROCS(0)
	threads, ok := niceThreads(t)
	if !ok {
		t.Log("this process has the lowest priority itself: those of its threads are not looked at")
	}
	e, err := New(Config{Classes: []ClassConfig{{Name: CPU, CPU: true, Workers: 3}, {Name: "other", CPU: true, Workers: 2}}})
	if err != nil {
		t.Fatal(err)
	}
	want := func(raised, workers int) {
		t.Helper()
		if got := runtime.GOMAXPROCS(0); got != before+raised {
			t.Errorf("GOMAXPROCS %d, want %d", got, before+raised)
		}
		if procs.Base() != before {
			t.Errorf("without us it were %d", procs.Base())
		}
		for limit := time.Now().Add(longtest.Patience); ok; runtime.Gosched() {
			n, _ := niceThreads(t)
			if n == threads+workers {
				break
			}
			if time.Now().After(limit) {
				t.Fatalf("%d threads of low priority, want %d", n-threads, workers)
			}
		}
	}
	want(0, 0) // as long as nobody uses it
	busy := func(class string, n int) {
		began, end := make(chan struct{}), make(chan struct{})
		for range n {
			if _, err := e.Class(class).Submit(context.Background(), Job{Run: func(context.Context) (any, error) {
				began <- struct{}{}
				<-end
				return nil, nil
			}}); err != nil {
				t.Fatal(err)
			}
		}
		for range n {
			<-began
		}
		close(end)
	}
	busy(CPU, 1)
	want(3, 1)
	busy(CPU, 3)
	want(3, 3)
	busy("other", 2)
	want(5, 5)
	for parked := 0; parked < 3; runtime.Gosched() { // it must reach those that sleep
		c := e.Class(CPU)
		c.mu.Lock()
		parked = c.parked
		c.mu.Unlock()
	}
	e.Class(CPU).Resize(1)
	want(3, 3)
	e.Class(CPU).Resize(2)
	busy(CPU, 2)
	want(4, 4)
	// A job that ends its goroutine ends its thread, and costs no worker.
	if _, err := Run(context.Background(), e.Class(CPU), func(context.Context) (int, error) { runtime.Goexit(); return 0, nil }); err == nil {
		t.Error("no error")
	}
	busy(CPU, 2)
	want(4, 4)
	if err := e.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	want(0, 0)
}

func TestHistogram(t *testing.T) {
	var h Histogram
	if h.Mean() != 0 || h.Quantile(0.5) != 0 {
		t.Error("an empty one has values")
	}
	for _, d := range []time.Duration{-1, 0, 999, time.Microsecond, 3 * time.Microsecond, 4 * time.Microsecond, 1000 * time.Hour} {
		h.add(d)
	}
	for i, want := range map[int]uint64{0: 3, 1: 1, 2: 1, 3: 1, 4: 0, len(h.Buckets) - 1: 1} {
		if h.Buckets[i] != want {
			t.Errorf("bucket %d has %d, want %d", i, h.Buckets[i], want)
		}
	}
	for q, want := range map[float64]time.Duration{0.01: 0, 0.1: time.Microsecond, 0.4: time.Microsecond, 0.5: 2 * time.Microsecond, 0.7: 4 * time.Microsecond, 0.85: 8 * time.Microsecond, 1: h.Bound(32)} {
		if got := h.Quantile(q); got != want && q > 0.05 {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if h.Count != 7 || h.Mean() < 100*time.Hour {
		t.Errorf("%+v", h)
	}
}

func TestReasons(t *testing.T) {
	seen := make(map[string]bool)
	for r := QueueFull; r < reasons; r++ {
		if s := r.String(); s == "" || seen[s] {
			t.Errorf("reason %d is %q", r, s)
		} else {
			seen[s] = true
		}
	}
	if s := Reason(77).String(); s != "reason "+strconv.Itoa(77) {
		t.Error(s)
	}
}

func TestLabels(t *testing.T) {
	var l labels
	for i := range 3 * maxLabels {
		if l.of("class", strconv.Itoa(i)) == nil {
			t.Fatal("no labels")
		}
	}
	if len(l) != maxLabels {
		t.Errorf("%d label sets are kept", len(l))
	}
}
