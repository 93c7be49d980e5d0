package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
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
	slice99 []time.Duration // each calm slice's p99
	elapsed time.Duration   // all of it, calm or not
}

// typical99 is the p99 of the median slice. What a machine does to everybody now
// and then, in bursts of some milliseconds, moves the p99 of seconds, and not this
// one; nor does what a server does in fewer than half of the slices.
func (r *calmResult) typical99() time.Duration {
	if len(r.slice99) == 0 {
		return 0
	}
	slices.Sort(r.slice99)
	return r.slice99[len(r.slice99)/2]
}

// runCalm runs the load until it has had d in calm. Where nobody says how calm the
// machine is, everything counts.
func runCalm(g *load.Generator, d time.Duration) (calmResult, error) {
	return runSlices(d, func(d time.Duration) (time.Duration, *load.Histogram, error) {
		r, err := g.Run(d)
		return r.Elapsed, r.Latency, err
	})
}

// runCrowdCalm is runCalm for a crowd.
func runCrowdCalm(c *load.Crowd, d time.Duration) (calmResult, error) {
	return runSlices(d, crowdRun(c))
}

// crowdRun is a crowd's Run as a slicing takes it.
func crowdRun(c *load.Crowd) func(time.Duration) (time.Duration, *load.Histogram, error) {
	return func(d time.Duration) (time.Duration, *load.Histogram, error) {
		r, err := c.Run(d)
		return r.Elapsed, r.Latency, err
	}
}

func runSlices(d time.Duration, run func(time.Duration) (time.Duration, *load.Histogram, error)) (calmResult, error) {
	defer first()()
	s := newSlicing(run)
	for !s.enough(d) {
		if err := s.hopeless(d); err != nil {
			return s.calmResult, err
		}
		if err := s.run(min(slice, d)); err != nil {
			return s.calmResult, err
		}
	}
	return s.calmResult, nil
}

// slicing is a measurement in slices.
type slicing struct {
	calmResult
	load      func(time.Duration) (time.Duration, *load.Histogram, error)
	kept      time.Duration // of it, calm
	stolen    string
	disturbed bool // the slice before was
}

func newSlicing(run func(time.Duration) (time.Duration, *load.Histogram, error)) *slicing {
	return &slicing{calmResult: calmResult{latency: new(load.Histogram)}, load: run, stolen: stolenTicks()}
}

// run adds a slice.
func (s *slicing) run(d time.Duration) error {
	elapsed, latency, err := s.load(d)
	if err != nil {
		return err
	}
	s.elapsed += elapsed
	now := stolenTicks()
	calm := now == s.stolen
	if calm && !s.disturbed {
		s.latency.Add(latency)
		s.slice99 = append(s.slice99, latency.Quantile(0.99))
		s.kept += elapsed
	}
	s.stolen, s.disturbed = now, !calm
	return nil
}

// skip leaves out what has happened since the last slice.
func (s *slicing) skip() { s.stolen, s.disturbed = stolenTicks(), false }

// enough reports whether d was measured, and there was a reply.
func (s *slicing) enough(d time.Duration) bool { return s.kept >= d && s.latency.Quantile(1) > 0 }

// hopeless is an error if measuring d has taken too long.
func (s *slicing) hopeless(d time.Duration) error {
	switch {
	case s.elapsed <= calmPatience*max(d, time.Second):
		return nil
	case s.kept >= d:
		return errors.New("no reply")
	}
	return fmt.Errorf("in %v only %v passed without the hypervisor taking a core away", s.elapsed.Round(time.Second), s.kept.Round(slice))
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

// yieldAlways has this process run only when nobody else wants the processor.
func yieldAlways() error { return yieldsAlways(os.Getpid()) }

// yieldsAlways is yieldAlways for another process.
func yieldsAlways(pid int) error {
	idle := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_IDLE}
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return err
	}
	for _, task := range tasks { // threads to come inherit it
		var id int
		if _, err := fmt.Sscan(task.Name(), &id); err != nil {
			return err
		}
		if err := unix.SchedSetAttr(id, &idle, 0); err != nil && err != unix.ESRCH {
			return os.NewSyscallError("sched_setattr", err)
		}
	}
	return nil
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
