package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gale-server/gale/cmd/galebench/load"
)

// Latency is measured in slices. Of those in which a hypervisor gave a core to
// somebody else ("steal", proc_stat(5)), and those right after, nothing counts:
// what a client feels then is the machine.
const slice = 200 * time.Millisecond

// calmPatience is how many times as long as asked for a measurement may take for the
// sake of calm. A machine that is never calm is not one to measure latency on.
const calmPatience = 10

// calmResult is what was measured.
type calmResult struct {
	latency *load.Histogram
	elapsed time.Duration // all of it, calm or not
}

// runCalm runs the load until it has had d in calm. Where nobody says how calm the
// machine is, everything counts.
func runCalm(g *load.Generator, d time.Duration) (calmResult, error) {
	defer first()()
	result := calmResult{latency: new(load.Histogram)}
	kept := time.Duration(0)
	stolen := stolenTicks()
	disturbed := false
	for kept < d {
		if result.elapsed > calmPatience*d {
			return result, fmt.Errorf("in %v only %v passed without the hypervisor taking a core away", result.elapsed.Round(time.Second), kept.Round(slice))
		}
		r, err := g.Run(min(slice, d))
		if err != nil {
			return result, err
		}
		result.elapsed += r.Elapsed
		now := stolenTicks()
		calm := now == stolen
		if calm && !disturbed {
			result.latency.Add(r.Latency)
			kept += r.Elapsed
		}
		stolen, disturbed = now, !calm
	}
	if result.latency.Quantile(1) == 0 {
		return result, errors.New("no reply")
	}
	return result, nil
}

// first has the calling goroutine come first on its core, until what it returns
// is called: a process that is told to run only when nobody else wants to still
// takes slices of some milliseconds from a load that sends all the time. Without
// the right to do so (CAP_SYS_NICE) it does nothing. It does not ask for real time:
// a thread of the Go runtime that spins for what another one holds would spin for
// ever.
func first() (last func()) {
	runtime.LockOSThread()
	highest := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL, Nice: -20, Flags: unix.SCHED_FLAG_RESET_ON_FORK}
	before, err := unix.SchedGetAttr(0, 0)
	if err == nil {
		err = unix.SchedSetAttr(0, &highest, 0)
	}
	return func() {
		if err == nil {
			_ = unix.SchedSetAttr(0, before, 0)
		}
		runtime.UnlockOSThread()
	}
}

// stolenTicks is the time that was stolen from all cores since the start of the
// machine; empty if that is not known.
func stolenTicks() string {
	p, err := os.ReadFile("/proc/stat")
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(p), "\n")
	if fields := strings.Fields(line); len(fields) > 8 && fields[0] == "cpu" {
		return fields[8]
	}
	return ""
}
