package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/gale-server/gale/cmd/galebench/contender"
	"github.com/gale-server/gale/cmd/galebench/load"
	"github.com/gale-server/gale/cmd/internal/garbage"
	"github.com/gale-server/gale/handlers/hub"
)

// slow measures what a subscriber that never reads costs the others of its channel.
// Its contenders are a hub's policies for such a subscriber, and the first of them
// that there is none: there it reads like the others. What has become of it is
// checked afterwards, when it reads at last.
type slow struct {
	workload
	subscribers int
	size        int
	interval    time.Duration
	warmup      time.Duration
	duration    time.Duration
}

const (
	nobodySlow = "none"
	slowServer = "gale-slow"
)

func slowCommand() *cli.Command {
	return &cli.Command{
		Name:  "slow",
		Usage: "latency of WebSocket subscribers while one of their channel never reads",
		Flags: append(contenderFlags(5, nobodySlow, "disconnect", "drop-oldest", "latest-only"),
			&cli.IntFlag{Name: "subscribers", Value: 1000, Usage: "number of connections that listen, the slow one among them"},
			&cli.IntFlag{Name: "size", Value: 1024, Usage: "bytes that are published"},
			&cli.DurationFlag{Name: "interval", Value: 20 * time.Millisecond, Usage: "period in which something is published"},
			&cli.DurationFlag{Name: "warmup", Value: 500 * time.Millisecond, Usage: "traffic before each measurement"},
			&cli.DurationFlag{Name: "duration", Value: 4 * time.Second, Usage: "length of each measurement"}),
		OnUsageError: onUsageError,
		Action: func(_ context.Context, c *cli.Command) error {
			w := &slow{subscribers: c.Int("subscribers"), size: c.Int("size"), interval: c.Duration("interval"),
				warmup: c.Duration("warmup"), duration: c.Duration("duration")}
			switch {
			case w.subscribers < 2:
				return usagef("--subscribers must be 2 or more")
			case w.size < 32 || w.size > 32<<10:
				return usagef("--size must be between 32 and 32768")
			case w.interval < time.Millisecond || w.interval > time.Hour:
				return usagef("--interval must be between 1ms and 1h")
			}
			if err := checkDurations(w.warmup, w.duration); err != nil {
				return err
			}
			w.connsFlag = "subscribers"
			if err := w.configureAs(c, fmt.Sprintf("size=%d interval=%v duration=%v %s", w.size, w.interval, w.duration, garbage.Room())); err != nil {
				return err
			}
			w.place.room = true
			for name := range strings.SplitSeq(c.String("contenders"), ",") {
				name = strings.TrimSpace(name)
				if contender.SlowPrefixes[name] == "" && name != nobodySlow {
					return usagef("there is no policy %q", name)
				}
				w.contenders = append(w.contenders, contender.Contender{Name: name})
			}
			w.workload.measure = w.measure
			return w.report(c)
		},
	}
}

func (w *slow) measure(c contender.Contender, round int) ([]sample, error) {
	server, err := startChild(slowServer, w.place)
	if err != nil {
		return nil, err
	}
	defer server.stop()
	prefix, readers := contender.SlowPrefixes[c.Name], w.subscribers-1
	if c.Name == nobodySlow {
		prefix, readers = contender.SlowPrefixes["disconnect"], w.subscribers
	}
	crowd, err := load.OpenCrowd(load.CrowdConfig{
		Server: server.addr, Medium: load.NewGaleRooms(), Subscribers: readers, Interval: w.interval, Size: w.size, Prefix: prefix,
	})
	if err != nil {
		return nil, err
	}
	defer crowd.Close()
	var laggard *load.Laggard
	if c.Name != nobodySlow {
		if laggard, err = load.OpenLaggard(server.addr, prefix, w.size); err != nil {
			return nil, err
		}
		defer laggard.Close()
	}
	if _, err := crowd.Run(w.warmup); err != nil {
		return nil, err
	}
	if err := w.profile(server, "profile", w.name+"-"+c.Name, round); err != nil {
		return nil, err
	}
	began, err := server.cpu()
	if err != nil {
		return nil, err
	}
	result, err := runCrowdCalm(crowd, w.duration)
	if err != nil {
		return nil, err
	}
	ended, err := server.cpu()
	if err != nil {
		return nil, err
	}
	if _, err := server.ask("profile"); err != nil {
		return nil, err
	}
	fate := load.Fate{}
	if laggard != nil {
		fate, err = w.catchUp(server, crowd, laggard)
		if err == nil {
			err = judge(c.Name, fate)
		}
	} else {
		err = crowd.Finish()
	}
	if err != nil {
		return nil, err
	}
	ms := latencies(result.latency)
	return []sample{
		{latency99, ms[0]}, {latency50, ms[1]}, {latencyMax, ms[2]},
		{serverCPU, 100 * ended.since(began).total.Seconds() / result.elapsed.Seconds()},
		{slowHeard, float64(fate.Heard)}, {slowMissed, float64(fate.Missed)},
	}, nil
}

// catchUp goes on until the policy has acted, and for the length of the history,
// and has the slow one read then. Kernels take a little more now and then, so that
// it may be on time again in between.
func (w *slow) catchUp(server *child, crowd *load.Crowd, laggard *load.Laggard) (f load.Fate, err error) {
	limit := time.Now().Add(patience)
	enough := int64(-1)
	for {
		if _, err := crowd.Run(slice); err != nil {
			return f, err
		}
		a, err := server.ask("slow")
		if err != nil {
			return f, err
		}
		if a.Slow > 0 && enough < 0 {
			enough = crowd.Published() + contender.SlowHistory
		}
		if a.Slow > 0 && crowd.Published() > enough {
			break
		}
		if time.Now().After(limit) {
			return f, fmt.Errorf("the server has not found the slow one slow in %v", patience)
		}
	}
	if err := crowd.Finish(); err != nil {
		return f, err
	}
	return laggard.CatchUp(crowd.Published())
}

// judge says whether a policy has done what its documentation says.
func judge(policy string, f load.Fate) error {
	var right bool
	switch policy {
	case "disconnect": // closed, after what it was sent, and nothing told to be lost
		right = f.CloseCode == (&hub.Error{Code: hub.TooSlow}).CloseCode() && f.Gaps == 0
	case "drop-oldest": // a gap, and then the history
		right = f.CloseCode == 0 && f.Gaps > 0 && f.AfterGaps >= contender.SlowHistory
	case "latest-only": // a gap, and then the newest alone
		right = f.CloseCode == 0 && f.Gaps > 0 && f.AfterGaps == 1
	default:
		return errors.New("there is no policy " + policy)
	}
	if !right {
		return fmt.Errorf("with the policy %s this became of the slow one: %+v", policy, f)
	}
	return nil
}
