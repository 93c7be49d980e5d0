package process

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
)

// PythonWorker is gale_worker.py: the worker side of the protocol for Python 3.8
// or later, of the standard library alone. Users copy it, or have it written by
// [WritePythonWorker].
//
//go:embed python/gale_worker.py
var PythonWorker string

// WritePythonWorker writes gale_worker.py into dir and returns its path. A file
// of jobs then needs no more to be run than
//
//	Config{Command: []string{"python3", path, "jobs.py"}}
//
// and finds the module by "import gale_worker".
func WritePythonWorker(dir string) (path string, err error) {
	path = filepath.Join(dir, "gale_worker.py")
	if err := os.WriteFile(path, []byte(PythonWorker), 0o644); err != nil {
		return "", fmt.Errorf("process: %w", err)
	}
	return path, nil
}
