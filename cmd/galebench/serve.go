package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"runtime/pprof"
	"strings"

	"github.com/gale-server/gale/cmd/galebench/contender"
)

// A server process and its parent speak in lines: the server says its address;
// then each command of the parent is answered with one line of JSON.
//
//	memory          collect garbage and say what is left: heap and stacks in bytes
//	profile FILE    begin to write a CPU profile
//	profile         end it
//	heap FILE       write a profile of the memory in use
//	jobs            how many jobs were done beside the connections
//	slow            how many subscribers are slow
//	processes       which processes serve
//
// The end of its standard input ends the server.
type answer struct {
	Heap  uint64 `json:"heap,omitempty"`
	Stack uint64 `json:"stack,omitempty"`
	Jobs  int64  `json:"jobs,omitempty"`
	Slow  int64  `json:"slow,omitempty"`
	PIDs  []int  `json:"pids,omitempty"`
	Bytes int64  `json:"bytes,omitempty"` // of a process of transfers
	Error string `json:"error,omitempty"`
}

// serve is the life of a server process.
func serve(name string, cfg contender.Config, stdin io.Reader, stdout io.Writer) error {
	c, err := contender.Lookup(name)
	if err != nil {
		return usageError{err}
	}
	addr, err := c.Start(cfg)
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, addr)
	replies := json.NewEncoder(stdout)
	commands := bufio.NewScanner(stdin)
	for commands.Scan() {
		if err := replies.Encode(obey(commands.Text())); err != nil {
			return err
		}
	}
	return commands.Err()
}

func obey(command string) answer {
	name, argument, _ := strings.Cut(command, " ")
	switch {
	case name == "memory":
		return memory()
	case name == "profile" && argument != "":
		if err := startProfile(argument); err != nil {
			return answer{Error: err.Error()}
		}
		return answer{}
	case name == "profile":
		pprof.StopCPUProfile()
		return answer{}
	case name == "heap":
		if err := writeHeap(argument); err != nil {
			return answer{Error: err.Error()}
		}
		return answer{}
	case name == "jobs":
		return answer{Jobs: contender.JobsDone()}
	case name == "slow":
		return answer{Slow: contender.Slow()}
	case name == "processes":
		return answer{PIDs: contender.Serving()}
	default:
		return answer{Error: "there is no such command"}
	}
}

func startProfile(file string) error {
	f, err := os.Create(file) // closed with the process
	if err != nil {
		return err
	}
	return pprof.StartCPUProfile(f)
}

func writeHeap(file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	return errors.Join(pprof.WriteHeapProfile(f), f.Close())
}

// memory collects twice, since a sync.Pool survives one collection, and returns
// what is free to the system.
func memory() answer {
	debug.FreeOSMemory()
	debug.FreeOSMemory()
	samples := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/stacks:bytes"},
	}
	metrics.Read(samples)
	return answer{Heap: samples[0].Value.Uint64(), Stack: samples[1].Value.Uint64()}
}
