package main

import (
	"time"

	"github.com/gale-server/gale/cmd/galebench/contender"
	"github.com/gale-server/gale/cmd/galebench/load"
)

// stall measures how long an echo takes while the server's process is busy with
// something else.
type stall struct {
	workload
	size     int
	conns    int
	interval time.Duration
	warmup   time.Duration
	duration time.Duration
}

func (w *stall) measure(c contender.Contender, round int) ([]sample, error) {
	server, err := startChild(c.Name, w.place)
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
	if err := w.profile(server, "profile", w.name+"-"+c.Name, round); err != nil {
		return nil, err
	}
	before, err := server.ask("jobs")
	if err != nil {
		return nil, err
	}
	result, err := runCalm(g, w.duration)
	if err != nil {
		return nil, err
	}
	after, err := server.ask("jobs")
	if err != nil {
		return nil, err
	}
	if _, err := server.ask("profile"); err != nil {
		return nil, err
	}
	ms := func(q float64) float64 { return float64(result.latency.Quantile(q)) / float64(time.Millisecond) }
	return []sample{
		{latency99, ms(0.99)},
		{latency50, ms(0.5)},
		{slice99, float64(result.typical99()) / float64(time.Millisecond)},
		{latency999, ms(0.999)},
		{latencyMax, ms(1)},
		{jobsPerSecond, float64(after.Jobs-before.Jobs) / result.elapsed.Seconds()},
	}, nil
}
