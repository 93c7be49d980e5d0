// Command gale runs the demo of the gale server, and the target that
// conformance suites are pointed at. "gale --help" says the rest.
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/gale-server/gale/cmd/internal/garbage"
	workers "github.com/gale-server/gale/executor/process"
)

// The exit codes.
const (
	exitOK      = 0
	exitFailure = 1 // while it ran
	exitUsage   = 2 // what was asked for cannot be done: flags, arguments, addresses
)

func main() {
	workers.Main() // a process for pictures does not return
	garbage.MakeRoom()
	os.Exit(run(os.Args, os.Stdout, os.Stderr))
}

// run runs the program and returns its exit code. An error is one line.
func run(args []string, stdout, stderr io.Writer) int {
	command := newCommand(stdout, stderr)
	code := exitOK
	if err := command.Run(context.Background(), spellSwitches(args)); err != nil {
		fmt.Fprintf(command.ErrWriter, "gale: %v\n", oneLine(err))
		code = exitCode(err)
	}
	flushOutput(command.Writer, command.ErrWriter)
	return code
}
