package hub

import (
	"math"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
)

// defaultBytes is the default of Config.MaxBytes: a quarter of what the process may
// take. The collector lets a heap grow to twice what is in use and more before it
// collects, and connections and the application need memory as well.
func defaultBytes() int64 { return memoryLimit() / 4 }

// memoryLimit returns how many bytes the process may take: what GOMEMLIMIT says, else
// the least of what its control groups allow and the machine has.
func memoryLimit() int64 {
	if limit := debug.SetMemoryLimit(-1); limit < math.MaxInt64 {
		return limit
	}
	limit := int64(4 << 30) // of a system that says nothing
	if total := meminfo(readFile("/proc/meminfo")); total > 0 {
		limit = total
	}
	return min(limit, groupLimit(readFile("/proc/self/cgroup"), readFile))
}

func readFile(name string) string {
	p, _ := os.ReadFile(name) // what is not there says nothing
	return string(p)
}

// meminfo returns the memory of the machine, 0 if it is not known
// (https://www.kernel.org/doc/html/latest/filesystems/proc.html#meminfo).
func meminfo(text string) int64 {
	_, rest, _ := strings.Cut(text, "MemTotal:")
	number, _, ok := strings.Cut(strings.TrimSpace(rest), " kB")
	n, err := strconv.ParseInt(number, 10, 64)
	if !ok || err != nil {
		return 0
	}
	return n << 10
}

// groupLimit returns the least limit of the groups that a process is in, of either
// version (https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files).
func groupLimit(groups string, read func(name string) string) int64 {
	limit := int64(math.MaxInt64)
	for line := range strings.SplitSeq(groups, "\n") {
		controllers, group, _ := strings.Cut(strings.TrimLeft(line, "0123456789"), "/")
		root, file := "/sys/fs/cgroup", "memory.max"
		switch strings.Trim(controllers, ":") {
		case "":
		case "memory":
			root, file = "/sys/fs/cgroup/memory", "memory.limit_in_bytes"
		default:
			continue
		}
		for at := path.Join(root, group); strings.HasPrefix(at, root); at = path.Dir(at) {
			n, err := strconv.ParseInt(strings.TrimSpace(read(path.Join(at, file))), 10, 64)
			if err == nil && n > 0 {
				limit = min(limit, n)
			}
		}
	}
	return limit
}
