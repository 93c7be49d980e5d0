//go:build !linux

package main

// keepInherited does nothing: what this program was started with, beside the standard
// descriptors, the programs that it starts inherit.
func keepInherited() {}
