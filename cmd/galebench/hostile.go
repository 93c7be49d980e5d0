package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/gale-server/gale/cmd/galebench/contender"
	"github.com/gale-server/gale/cmd/galebench/load"
	"github.com/gale-server/gale/cmd/internal/garbage"
	"github.com/gale-server/gale/cmd/internal/hostile"
)

// hostileLoad measures how long an echo takes while hostile clients attack the
// server; its contenders are the attacks, the first of them none. In each round,
// and for each attack, the same clients are measured twice: before it, and while
// it goes on. The quotient is what they feel of it, and for no attack it is how
// steady the machine is.
//
// The attackers are a process of their own, on the core of the load, and run
// only when nothing else wants that core (SCHED_IDLE): their own use of the
// processor is not what is measured. What they ask of the server is paced,
// since a server with one core that is asked for more than a core does is late
// for everybody, whoever asks; how much of its core it needed meanwhile is
// reported. The four clients of an attack still ask for what no honest one does:
// for 20,000 posts each in a quarter of a second, say, or for 1,001 responses in
// one write.
type hostileLoad struct {
	stall
	server string // the contender that is attacked
	pace   time.Duration
}

const noAttack = "idle"

func hostileCommand() *cli.Command {
	names := []string{noAttack}
	for _, a := range hostile.Attacks {
		names = append(names, a.Name)
	}
	return &cli.Command{
		Name:  "hostile",
		Usage: "latency of WebSocket echoes while hostile clients attack the server",
		Flags: append(commonFlags(5, 50, names...),
			&cli.StringFlag{Name: "engine", Value: "loop", Usage: "engine of the server: loop or nethttp"},
			&cli.IntFlag{Name: "size", Value: 125, Usage: "bytes of a message"},
			&cli.DurationFlag{Name: "interval", Value: 20 * time.Millisecond, Usage: "period in which each client sends a message, late or not"},
			&cli.DurationFlag{Name: "pace", Value: 5 * time.Millisecond, Usage: "pause of each attacking connection between two steps"},
			&cli.DurationFlag{Name: "warmup", Value: 500 * time.Millisecond, Usage: "traffic, or attack, before each measurement"},
			&cli.DurationFlag{Name: "duration", Value: 4 * time.Second, Usage: "length of each measurement; the default gives a p99 of 10,000 samples"}),
		OnUsageError: onUsageError,
		Action: func(_ context.Context, c *cli.Command) error {
			w := &hostileLoad{pace: c.Duration("pace"), stall: stall{size: c.Int("size"), conns: c.Int("conns"),
				interval: c.Duration("interval"), warmup: c.Duration("warmup"), duration: c.Duration("duration")}}
			if w.size < 1 || w.size > 16<<20 {
				return usagef("--size must be between 1 and 16777216")
			}
			if w.interval < time.Millisecond || w.interval > time.Hour || w.pace < 0 {
				return usagef("--interval must be between 1ms and 1h, --pace not negative")
			}
			if err := checkDurations(w.warmup, w.duration); err != nil {
				return err
			}
			engines := map[string]string{"loop": "victim", "nethttp": "victim-nethttp"}
			if w.server = engines[c.String("engine")]; w.server == "" {
				return usagef("--engine must be loop or nethttp")
			}
			chosen, err := attacksNamed(c.String("contenders"))
			if err != nil {
				return err
			}
			parameters := fmt.Sprintf("engine=%s size=%d interval=%v pace=%v duration=%v", c.String("engine"), w.size, w.interval, w.pace, w.duration)
			if err := w.configureAs(c, parameters+" "+garbage.Room()); err != nil {
				return err
			}
			w.place.room = true
			w.contenders = chosen
			w.workload.measure = w.measure
			return w.report(c)
		},
	}
}

// attacksNamed makes contenders of attacks.
func attacksNamed(names string) (chosen []contender.Contender, err error) {
	for name := range strings.SplitSeq(names, ",") {
		name = strings.TrimSpace(name)
		if _, err := hostile.Lookup(name); err != nil && name != noAttack {
			return nil, usagef("there is no attack %q", name)
		}
		chosen = append(chosen, contender.Contender{Name: name})
	}
	return chosen, nil
}

func (w *hostileLoad) measure(c contender.Contender, _ int) (samples []sample, err error) {
	server, err := startChild(w.server, w.place)
	if err != nil {
		return nil, err
	}
	defer server.stop()
	g, err := load.Open(load.Config{
		Server: server.addr, Dialogue: load.NewWebSocketEcho(w.size), Conns: w.conns, Interval: w.interval,
	})
	if err != nil {
		return nil, err
	}
	defer g.Close()
	if _, err := g.Run(w.warmup); err != nil {
		return nil, err
	}
	result, err := runCalm(g, w.duration)
	if err != nil {
		return nil, err
	}
	before, sliceBefore := latencies(result.latency), result.typical99()
	if c.Name != noAttack {
		stop, err := w.startAttack(c.Name, server.addr.String())
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, stop()) }()
	}
	if _, err := g.Run(w.warmup); err != nil {
		return nil, err
	}
	began, err := server.cpu()
	if err != nil {
		return nil, err
	}
	if result, err = runCalm(g, w.duration); err != nil {
		return nil, err
	}
	ended, err := server.cpu()
	if err != nil {
		return nil, err
	}
	meanwhile := latencies(result.latency)
	return []sample{
		{latency99, meanwhile[0]}, {latency50, meanwhile[1]}, {latencyMax, meanwhile[2]},
		{slice99, float64(result.typical99()) / float64(time.Millisecond)},
		{sliceFelt99, float64(result.typical99()) / float64(sliceBefore)},
		{felt99, meanwhile[0] / before[0]}, {felt50, meanwhile[1] / before[1]},
		{serverCPU, 100 * ended.since(began).total.Seconds() / result.elapsed.Seconds()},
	}, nil
}

// latencies are p99, p50 and the largest, in milliseconds.
func latencies(h *load.Histogram) (ms [3]float64) {
	for i, q := range []float64{0.99, 0.5, 1} {
		ms[i] = float64(h.Quantile(q)) / float64(time.Millisecond)
	}
	return ms
}

// startAttack starts this program again as the attackers. stop ends them, and
// returns an error if they have ended before.
func (w *hostileLoad) startAttack(name, addr string) (stop func() error, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, "attack", "--pace", w.pace.String(), name, addr)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := startOn(w.place.load, cmd); err != nil {
		return nil, err
	}
	return func() error {
		_ = stdin.Close()
		if err := cmd.Wait(); err != nil {
			return fmt.Errorf("attack: %v", err) // whose exit code is not ours
		}
		return nil
	}, nil
}

// attackCommand is what the program starts itself as.
func attackCommand(stdin io.Reader) *cli.Command {
	return &cli.Command{
		Name:         "attack",
		Usage:        "be hostile clients, until standard input ends",
		UsageText:    "galebench attack [--pace time] <attack> <address>",
		Flags:        []cli.Flag{&cli.DurationFlag{Name: "pace", Usage: "pause of each connection between two steps"}},
		OnUsageError: onUsageError,
		Action: func(ctx context.Context, c *cli.Command) error {
			if c.Args().Len() != 2 {
				return usagef("galebench attack takes an attack and an address")
			}
			a, err := hostile.Lookup(c.Args().First())
			if err != nil {
				return usageError{err}
			}
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			go func() { // ends with standard input
				_, _ = io.Copy(io.Discard, stdin)
				cancel()
			}()
			t := hostile.Target{Addr: c.Args().Get(1), Path: "/event", Conns: 4, Pace: c.Duration("pace"), Patience: patience}
			return attackOn(ctx, a, t)
		},
	}
}

// attackOn attacks again and again, only when nobody else wants the processor.
func attackOn(ctx context.Context, a hostile.Attack, t hostile.Target) error {
	if err := yieldAlways(); err != nil {
		return err
	}
	pause := time.NewTicker(10 * max(t.Pace, time.Millisecond))
	defer pause.Stop()
	for {
		if err := a.Run(ctx, t); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-pause.C:
		}
	}
}
