package engine

import (
	"os"
	"strconv"
)

// Reopen opens the file that f refers to anew: what Duplicate returns has the
// position of f, which reading with it would move. It fails without /proc, and where
// the file may not be opened any more.
func Reopen(f *os.File) (*os.File, error) {
	return os.Open("/proc/self/fd/" + strconv.Itoa(int(f.Fd())))
}
