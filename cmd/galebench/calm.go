package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

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
