package main

import (
	"math"

	"golang.org/x/sys/unix"
)

// keepInherited keeps the descriptors that this program was started with, beside the
// standard ones, from the programs that it starts itself. They stay open here. Go
// opens none that others inherit.
func keepInherited() {
	_ = unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) // Linux 5.11; before it they are inherited
}
