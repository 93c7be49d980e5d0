//go:build !linux

package python

import "os"

// openFile is not to be had: the worker sends the bytes.
func (w *worker) openFile(int) (*os.File, error) { return nil, errNoFile }
