package python

import (
	"os"
	"strconv"
)

// openFile opens what the worker has open as a descriptor, if it is a regular file.
func (w *worker) openFile(fd int) (*os.File, error) {
	return regular("/proc/" + strconv.Itoa(w.pid) + "/fd/" + strconv.Itoa(fd))
}
