//go:build !linux

package executor

// setLowestPriority does nothing: here a nice value is that of the process.
func setLowestPriority() error { return nil }

// onFirstThread is of no interest without priorities.
func onFirstThread() bool { return false }
