// Package garbage gives the garbage collector of gale's program the room it needs to
// stay out of the loops' way.
package garbage

import (
	"fmt"
	"os"
	"runtime/debug"
)

const (
	// percent is GOGC: gale keeps little, so that with Go's default of 100 the
	// collector would run dozens of times a second under load.
	percent = 400

	// ballastBytes count as in use, without ever being touched, hence without
	// taking memory. So a heap grows to (100+percent)/100 times as much before it is
	// collected, however little is in use: a picture of some megapixels is several
	// megabytes of garbage, and each collection holds up the loops for a moment.
	ballastBytes = 16 << 20
)

var ballast []byte

// MakeRoom has this process collect its garbage less often than Go does by default:
// when the heap is five times what is in use, and from 80 MiB on. If the environment
// says how often (GOGC), that counts instead; with a limit of memory (GOMEMLIMIT),
// which the ballast would take its part of, the heap is collected from 16 MiB on.
// Idempotent.
func MakeRoom() {
	if os.Getenv("GOGC") != "" {
		return
	}
	debug.SetGCPercent(percent)
	if ballast == nil && os.Getenv("GOMEMLIMIT") == "" {
		ballast = make([]byte, ballastBytes)
	}
}

// Room describes what MakeRoom makes.
func Room() string {
	return fmt.Sprintf("GOGC=%d ballast=%dMiB", percent, ballastBytes>>20)
}
