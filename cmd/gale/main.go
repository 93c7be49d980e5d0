// Command gale runs the demo of the gale server, and the target that
// conformance suites are pointed at. "gale --help" says the rest.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	workers "github.com/gale-server/gale/executor/process"
)

// The exit codes.
const (
	exitOK      = 0
	exitFailure = 1 // while it ran
	exitUsage   = 2 // what was asked for cannot be done: flags, arguments, addresses
)

// gogc is the room for garbage that the environment's GOGC overrides: the program
// keeps little, so that with Go's default of 100 the collector would run dozens of
// times a second under load, and stop every loop for a moment each time.
const gogc = 400

func main() {
	workers.Main() // a process for pictures does not return
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gogc)
	}
	os.Exit(run(os.Args, os.Stdout, os.Stderr))
}

// run runs the program and returns its exit code. An error is one line.
func run(args []string, stdout, stderr io.Writer) int {
	err := newCommand(stdout, stderr).Run(context.Background(), args)
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(stderr, "gale: %v\n", oneLine(err))
	return exitCode(err)
}
