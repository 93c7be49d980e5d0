// Package goroutine tells goroutines apart, at the price of a load: so that a
// call from the wrong one can be refused where it would corrupt a loop's state.
package goroutine

// ID identifies the running goroutine. It is unique among the goroutines that
// live, and may be used again once one has ended. Zero is no goroutine.
//
// Safe for concurrent use: a value.
type ID uintptr
