//go:build !linux

package executor

// onFirstThread is of no interest without priorities.
func onFirstThread() bool { return false }
