package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/gale-server/gale/cmd/galebench/contender"
	"github.com/gale-server/gale/cmd/galebench/load"
	"github.com/gale-server/gale/cmd/internal/garbage"
)

// storm measures what others feel when all subscribers of a room are dropped at
// once and come back. The witnesses are in another room of the same server, in
// which something is published at a steady pace: their latency is measured while
// all are there, and then from the moment in which the others are dropped until
// the last of them has recovered. In the others' room publishing goes on, too, all
// the time, and each of them must get everything once and in order, else the
// measurement fails.
//
// Like attackers, those who are dropped are a process of their own, on the core of
// the load, that runs only when nothing else wants that core: what they themselves
// use of the processor is not what is measured.
//
// They are dropped again, with a pause in calm, until enough was measured of the
// time in which they come back.
type storm struct {
	workload
	subscribers int
	witnesses   int
	inFlight    int
	size        int
	interval    time.Duration // of the witnesses' publications
	pace        time.Duration // of the others'
	spread      time.Duration
	warmup      time.Duration
	duration    time.Duration
}

func stormCommand() *cli.Command {
	return &cli.Command{
		Name:  "storm",
		Usage: "latency of WebSocket subscribers while those of another room are dropped all at once, and come back",
		Flags: append(contenderFlags(5, "gale"),
			&cli.IntFlag{Name: "subscribers", Value: 5000, Usage: "number of connections that are dropped"},
			&cli.IntFlag{Name: "witnesses", Value: 50, Usage: "number of subscribers whose latency is measured"},
			&cli.DurationFlag{Name: "interval", Value: 20 * time.Millisecond, Usage: "period in which something is published for the witnesses"},
			&cli.DurationFlag{Name: "pace", Value: 200 * time.Millisecond, Usage: "period in which something is published for those who are dropped"},
			&cli.IntFlag{Name: "in-flight", Value: 1, Usage: "publications in each of these periods"},
			&cli.DurationFlag{Name: "spread", Value: time.Second, Usage: "time within which each comes back, as chance has it; the default is the packaged client's for the first time"},
			&cli.IntFlag{Name: "size", Value: 125, Usage: "bytes that are published"},
			&cli.DurationFlag{Name: "warmup", Value: time.Second, Usage: "traffic before the measurement, and between two storms"},
			&cli.DurationFlag{Name: "duration", Value: 4 * time.Second, Usage: "length of the measurement in calm, and the least of that in storms; the default gives a p99 of 10,000 samples"}),
		OnUsageError: onUsageError,
		Action: func(_ context.Context, c *cli.Command) error {
			w := &storm{subscribers: c.Int("subscribers"), witnesses: c.Int("witnesses"), inFlight: c.Int("in-flight"), size: c.Int("size"),
				interval: c.Duration("interval"), pace: c.Duration("pace"), spread: c.Duration("spread"),
				warmup: c.Duration("warmup"), duration: c.Duration("duration")}
			switch {
			case w.witnesses < 1 || w.witnesses > 10000:
				return usagef("--witnesses must be between 1 and 10000")
			case w.inFlight < 1 || w.inFlight > maxInFlight:
				return usagef("--in-flight must be between 1 and %d", maxInFlight)
			case w.size < 32 || w.size > 32<<10:
				return usagef("--size must be between 32 and 32768")
			}
			for name, d := range map[string]time.Duration{"interval": w.interval, "pace": w.pace, "spread": w.spread} {
				if d < time.Millisecond || d > time.Hour {
					return usagef("--%s must be between 1ms and 1h", name)
				}
			}
			if err := checkDurations(w.warmup, w.duration); err != nil {
				return err
			}
			w.connsFlag = "subscribers"
			parameters := fmt.Sprintf("witnesses=%d interval=%v pace=%v in-flight=%d spread=%v size=%d duration=%v %s",
				w.witnesses, w.interval, w.pace, w.inFlight, w.spread, w.size, w.duration, garbage.Room())
			if err := w.configureAs(c, parameters); err != nil {
				return err
			}
			w.place.room = true
			if err := w.choose(c.String("contenders"), []contender.Protocol{contender.GaleRooms}); err != nil {
				return err
			}
			w.workload.measure = w.measure
			return w.report(c)
		},
	}
}

func (w *storm) measure(c contender.Contender, round int) (samples []sample, err error) {
	server, err := startChild(c.Name, w.place)
	if err != nil {
		return nil, err
	}
	defer server.stop()
	witnesses, err := load.OpenCrowd(load.CrowdConfig{
		Server: server.addr, Medium: load.NewGaleRooms(), Subscribers: w.witnesses, Interval: w.interval, Size: w.size,
	})
	if err != nil {
		return nil, err
	}
	defer witnesses.Close()
	others, err := w.startOthers(server.addr)
	if err != nil {
		return nil, err
	}
	defer func() {
		if stopped := others.stop(); stopped != nil && !errors.Is(err, errOthers) {
			err = errors.Join(err, stopped)
		}
	}()
	if _, err := witnesses.Run(w.warmup); err != nil {
		return nil, err
	}
	calm, err := runCrowdCalm(witnesses, w.duration)
	if err != nil {
		return nil, err
	}
	if err := w.profile(server, "profile", w.name+"-"+c.Name, round); err != nil {
		return nil, err
	}
	during, backAfter, used, err := w.strike(server, witnesses, others)
	if err != nil {
		return nil, err
	}
	if _, err := server.ask("profile"); err != nil {
		return nil, err
	}
	if err := witnesses.Finish(); err != nil {
		return nil, err
	}
	before, meanwhile := latencies(calm.latency), latencies(during.latency)
	return []sample{
		{felt99, meanwhile[0] / before[0]}, {felt50, meanwhile[1] / before[1]},
		{latency99, meanwhile[0]}, {latency99Before, before[0]},
		{latency50, meanwhile[1]}, {latency50Before, before[1]}, {latencyMax, meanwhile[2]},
		{recovered, float64(w.subscribers)}, {recoverySeconds, backAfter.Seconds()},
		{serverCPU, 100 * used.Seconds() / during.elapsed.Seconds()},
	}, nil
}

// strike drops the others until enough was measured. It returns the longest time in
// which all have come back, too, and what the server has used in storms.
func (w *storm) strike(server *child, witnesses *load.Crowd, others *others) (r calmResult, longest, used time.Duration, err error) {
	defer first()()
	s := newSlicing(crowdRun(witnesses))
	for !s.enough(w.duration) {
		if err := s.hopeless(w.duration + w.spread); err != nil {
			return r, 0, 0, fmt.Errorf("storms: %w", err)
		}
		if longest > 0 {
			if _, err := witnesses.Run(w.warmup); err != nil {
				return r, 0, 0, err
			}
			s.skip()
		}
		began, err := server.cpu()
		if err != nil {
			return r, 0, 0, err
		}
		if err := others.strike(); err != nil {
			return r, 0, 0, err
		}
		for back := false; !back; {
			if err := s.run(slice / 4); err != nil {
				return r, 0, 0, err
			}
			var elapsed time.Duration
			if elapsed, back, err = others.back(); err != nil {
				return r, 0, 0, err
			}
			longest = max(longest, elapsed)
		}
		ended, err := server.cpu()
		if err != nil {
			return r, 0, 0, err
		}
		used += ended.since(began).total
	}
	return s.calmResult, longest, used, nil
}

// others are the process of those who are dropped. It says "0" once all have
// subscribed, and answers each line with the time in which all have come back, in
// nanoseconds. The end of its input ends it.
type others struct {
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	answers chan time.Duration // closed when there are no more
}

var errOthers = errors.New("those who come back have failed")

// startOthers starts this program again, and waits until all have subscribed.
func (w *storm) startOthers(server netip.AddrPort) (*others, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, "others", "--subscribers", strconv.Itoa(w.subscribers), "--in-flight", strconv.Itoa(w.inFlight),
		"--pace", w.pace.String(), "--spread", w.spread.String(), "--size", strconv.Itoa(w.size), server.String())
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	o := &others{cmd: cmd, answers: make(chan time.Duration)}
	if o.stdin, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := startOn(w.place.load, cmd); err != nil {
		return nil, err
	}
	go func() { // ends with the process, which is waited for after that
		defer close(o.answers)
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			ns, _ := strconv.ParseInt(lines.Text(), 10, 64)
			o.answers <- time.Duration(ns)
		}
	}()
	if _, ok := <-o.answers; !ok {
		_ = o.stop() // they have said why
		return nil, errOthers
	}
	return o, nil
}

// strike drops all.
func (o *others) strike() error {
	_, err := io.WriteString(o.stdin, "\n")
	return err
}

// back reports whether all have come back, and how long that took.
func (o *others) back() (elapsed time.Duration, all bool, err error) {
	select {
	case elapsed, ok := <-o.answers:
		if !ok {
			return 0, false, errOthers
		}
		return elapsed, true, nil
	default:
		return 0, false, nil
	}
}

// stop has them hear what is left, and returns an error if something was amiss, of
// which they have said what.
func (o *others) stop() error {
	_ = o.stdin.Close()
	for range o.answers {
	}
	if err := o.cmd.Wait(); err != nil {
		return fmt.Errorf("%w: %v", errOthers, err) // whose exit code is not ours
	}
	return nil
}

// othersCommand is what the program starts itself as.
func othersCommand(stdin io.Reader) *cli.Command {
	return &cli.Command{
		Name:      "others",
		Usage:     "be subscribers that are dropped whenever a line is read, until standard input ends",
		UsageText: "galebench others [flags] <address>",
		Flags: []cli.Flag{&cli.IntFlag{Name: "subscribers", Value: 1}, &cli.IntFlag{Name: "in-flight", Value: 1}, &cli.IntFlag{Name: "size"},
			&cli.DurationFlag{Name: "pace"}, &cli.DurationFlag{Name: "spread"}},
		OnUsageError: onUsageError,
		Action: func(_ context.Context, c *cli.Command) (err error) {
			server, err := netip.ParseAddrPort(c.Args().First())
			if err != nil || c.Args().Len() != 1 {
				return usagef("galebench others takes an address")
			}
			if err := yieldAlways(); err != nil {
				return err
			}
			s, err := load.StartStorm(load.StormConfig{Server: server, Subscribers: c.Int("subscribers"), InFlight: c.Int("in-flight"),
				Interval: c.Duration("pace"), Spread: c.Duration("spread"), Size: c.Int("size")})
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.Close()) }()
			fmt.Fprintln(c.Root().Writer, 0)
			for lines := bufio.NewScanner(stdin); lines.Scan(); {
				s.Strike()
				elapsed, err := s.Await()
				if err != nil {
					return nil // Close says it
				}
				fmt.Fprintln(c.Root().Writer, elapsed.Nanoseconds())
			}
			return nil
		},
	}
}
