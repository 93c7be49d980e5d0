// Command galebench compares gale with its peers on this machine: messages per
// CPU-second of the server, memory per connection, latency. "galebench --help"
// says the rest.
//
//	galebench echo --depth 16
//	galebench idle --conns 10000
//	galebench hostile --engine nethttp
//	galebench http --pipeline 16 --json http.json
//	galebench fanout --subscribers 5000 --in-flight 16
//	galebench poll
//	galebench sse
//	galebench stall
//	galebench bulk --sizes 1MiB
//	galebench files --sizes 100KiB
//
// Every server has a process to itself, this program started again, so that its
// CPU time and memory are its own. Rounds alternate: in each of them every
// contender runs once, in an order that is shuffled anew, and what is compared
// is compared within the round.
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/gale-server/gale/executor/process"
)

// The exit codes.
const (
	exitOK      = 0
	exitFailure = 1 // a contender failed
	exitUsage   = 2 // what was asked for cannot be done
)

func main() {
	process.Main() // of the contender whose work is done in processes
	os.Exit(run(os.Args, os.Stdin, os.Stdout, os.Stderr))
}

// run runs the program and returns its exit code. An error is one line.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	err := newCommand(stdin, stdout, stderr).Run(context.Background(), args)
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(stderr, "galebench: %v\n", oneLine(err))
	return exitCode(err)
}
