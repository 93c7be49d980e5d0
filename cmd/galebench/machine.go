package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/gale-server/gale/cmd/galebench/contender"
)

// machine says on what and with what was measured, on one line.
func machine() string {
	var name unix.Utsname
	kernel := "unknown kernel"
	if unix.Uname(&name) == nil {
		kernel = unix.ByteSliceToString(name.Sysname[:]) + " " + unix.ByteSliceToString(name.Release[:])
	}
	return fmt.Sprintf("%d cores, %s, %s, %s; %s", runtime.NumCPU(), cpuModel(), kernel, runtime.Version(),
		strings.Join(contender.Versions(), ", "))
}

func cpuModel() string {
	p, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(p)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown CPU"
}

// placement says where the load and the servers run.
type placement struct {
	load, server *unix.CPUSet // nil: anywhere
	procs        int          // GOMAXPROCS and loops of a server
	room         bool         // a server in Go gets room for garbage (garbage.MakeRoom)
}

// ownCores are the cores this process may use, read before it pins itself.
var ownCores = func() (set unix.CPUSet) {
	if unix.SchedGetaffinity(0, &set) != nil {
		set.Zero() // unknown: pinned gives up
	}
	return set
}()

// pinned gives the load the first core this process may use, and the servers
// the last one: then a server has exactly one core, and neither has to make room
// for the other. With a single core there is nothing to separate.
func pinned() placement {
	if ownCores.Count() < 2 {
		return unpinned()
	}
	var cores []int
	for i := 0; len(cores) < ownCores.Count(); i++ {
		if ownCores.IsSet(i) {
			cores = append(cores, i)
		}
	}
	p := placement{load: new(unix.CPUSet), server: new(unix.CPUSet), procs: 1}
	p.load.Set(cores[0])
	p.server.Set(cores[len(cores)-1])
	return p
}

// unpinned leaves everything to the scheduler, and gives a server all cores.
func unpinned() placement { return placement{procs: runtime.NumCPU()} }

func (p placement) String() string {
	if p.server == nil {
		return fmt.Sprintf("unpinned, GOMAXPROCS=%d", p.procs)
	}
	return fmt.Sprintf("server and load pinned to a core each, GOMAXPROCS=%d", p.procs)
}

// pinLoad moves all threads of this process; new ones follow the one that
// starts them.
func (p placement) pinLoad() error {
	if p.load == nil {
		return nil
	}
	threads, err := filepath.Glob("/proc/self/task/*")
	if err != nil {
		return err
	}
	for _, thread := range threads {
		id, err := strconv.Atoi(filepath.Base(thread))
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(id, p.load); err != nil && err != unix.ESRCH {
			return fmt.Errorf("pin thread: %w", err)
		}
	}
	return nil
}

// procField returns the number after a name in a file such as /proc/meminfo,
// in bytes.
func procField(file, name string) (int64, error) {
	p, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(p) {
		key, value, ok := bytes.Cut(line, []byte(":"))
		if !ok || string(key) != name {
			continue
		}
		kib, err := strconv.ParseInt(string(bytes.TrimSuffix(bytes.TrimSpace(value), []byte(" kB"))), 10, 64)
		return kib << 10, err
	}
	return 0, fmt.Errorf("%s has no %s", file, name)
}
