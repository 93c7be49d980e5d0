package executor

import (
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// cpuQuota returns the processors the control groups of this process allow, from
// the files below root; false if there is no quota, or no control groups.
//
// In version 2 the quota is "cpu.max" ("max 100000", "150000 100000": quota and
// period in microseconds), in version 1 cpu.cfs_quota_us and cpu.cfs_period_us. A
// group is also bound by the quotas of those above it. In a container the path of
// /proc/self/cgroup may be that on the host; then the group is the root of what is
// mounted.
func cpuQuota(root fs.FS) (cpus float64, ok bool) {
	groups, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(groups)) {
		// hierarchy:controllers:path, with no controllers in version 2
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		var mounts []string
		read := quotaV1
		switch {
		case parts[1] == "":
			mounts, read = []string{"sys/fs/cgroup", "sys/fs/cgroup/unified"}, quotaV2
		case hasController(parts[1], "cpu"):
			mounts = []string{"sys/fs/cgroup/cpu", "sys/fs/cgroup/cpu,cpuacct", "sys/fs/cgroup/" + parts[1]}
		}
		for _, mount := range mounts {
			for group := path.Clean("/" + parts[2]); ; group = path.Dir(group) {
				if q, found := read(root, mount+strings.TrimSuffix(group, "/")); found && (!ok || q < cpus) {
					cpus, ok = q, true
				}
				if group == "/" {
					break
				}
			}
		}
	}
	return cpus, ok
}

func hasController(list, name string) bool {
	for _, c := range strings.Split(list, ",") {
		if c == name {
			return true
		}
	}
	return false
}

func quotaV2(root fs.FS, group string) (float64, bool) {
	text, err := fs.ReadFile(root, group+"/cpu.max")
	if err != nil {
		return 0, false
	}
	quota, period, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	return ratio(quota, period)
}

func quotaV1(root fs.FS, group string) (float64, bool) {
	quota, err := fs.ReadFile(root, group+"/cpu.cfs_quota_us")
	if err != nil {
		return 0, false
	}
	period, err := fs.ReadFile(root, group+"/cpu.cfs_period_us")
	if err != nil {
		return 0, false
	}
	return ratio(strings.TrimSpace(string(quota)), strings.TrimSpace(string(period)))
}

// ratio is quota/period; "max" and negative quotas are none.
func ratio(quota, period string) (float64, bool) {
	q, err := strconv.ParseFloat(quota, 64)
	p, err2 := strconv.ParseFloat(period, 64)
	if err != nil || err2 != nil || !(q > 0) || !(p > 0) {
		return 0, false
	}
	return q / p, true
}
