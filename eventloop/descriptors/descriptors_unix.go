//go:build unix

package descriptors

import (
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// limitOfFiles is RLIMIT_NOFILE; false if there is none that matters.
func limitOfFiles() (int, bool) {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil || uint64(limit.Cur) > 4*most {
		return 0, false
	}
	return int(limit.Cur), true
}

// openFiles is the number of descriptors that are open and count for the limit, which
// those above it do not. If the system does not tell, they are none.
func openFiles(limit int) int {
	for _, path := range []string{"/proc/self/fd", "/dev/fd"} {
		folder, err := os.Open(path)
		if errors.Is(err, unix.EMFILE) {
			return limit
		}
		if err != nil {
			continue
		}
		names, err := folder.Readdirnames(-1)
		_ = folder.Close()
		if err != nil {
			continue
		}
		open := -1 // without that of the folder
		for _, name := range names {
			if fd, err := strconv.Atoi(name); err == nil && fd < limit {
				open++
			}
		}
		return open
	}
	return 0
}
