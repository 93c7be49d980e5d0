package python

import (
	"os"
	"strconv"
)

// openFile opens what the worker has open as a descriptor, if it is a regular file.
func (w *worker) openFile(fd int) (*os.File, error) {
	return regular("/proc/" + strconv.Itoa(w.pid) + "/fd/" + strconv.Itoa(fd))
}

// namelessFiles says that a file may be opened that has no name any more.
const namelessFiles = true

// pathOf is the name by which the worker opens a file of ours.
func pathOf(f *os.File) string {
	return "/proc/" + strconv.Itoa(os.Getpid()) + "/fd/" + strconv.Itoa(int(f.Fd()))
}
