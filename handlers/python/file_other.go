//go:build !linux

package python

import "os"

// openFile is not to be had: the worker sends the bytes.
func (w *worker) openFile(int) (*os.File, error) { return nil, errNoFile }

// namelessFiles says that a file may be opened that has no name any more.
const namelessFiles = false

// pathOf is the name by which the worker opens a file of ours.
func pathOf(f *os.File) string { return f.Name() }
