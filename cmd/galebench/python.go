package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/gale-server/gale/cmd/galebench/contender"
	"github.com/gale-server/gale/cmd/galebench/load"
)

// python measures servers of Python applications, each with one worker. What counts is
// the CPU time, and the memory, of all processes of a server.
type python struct {
	workload
	conns    int // of requests
	parked   int // idle WebSockets and parked polls
	warmup   time.Duration
	duration time.Duration
}

// pythonCell is one comparison.
type pythonCell struct {
	name       string
	what       string
	app        string // attribute of the module story
	contenders string
	conns      int // 0: as the flag says
	depth      int
	measure    func(python, pythonCell, contender.Contender, int) ([]sample, error)
}

const (
	asgiServers = "uvicorn,gale-asgi,uvicorn-h11,hypercorn,daphne,gunicorn-uvicorn"
	wsgiServers = "nginx-uwsgi,gale-wsgi,gunicorn-gthread,nginx-gunicorn"
)

var pythonCells = []pythonCell{
	{"asgi", "hello by ASGI", "asgi", asgiServers, 0, 1, python.requests},
	{"asgi-one", "the same, one connection alone", "asgi", "uvicorn,gale-asgi", 1, 1, python.requests},
	{"starlette", "hello by Starlette", "starlette_app", asgiServers, 0, 1, python.requests},
	{"django-asgi", "hello by Django, a view that is called in a thread", "django_asgi", asgiServers, 0, 1, python.requests},
	{"wsgi", "hello by WSGI", "wsgi", wsgiServers, 0, 1, python.requests},
	{"wsgi-one", "the same, one connection alone", "wsgi", "nginx-uwsgi,gale-wsgi", 1, 1, python.requests},
	{"flask", "hello by Flask", "flask_app", wsgiServers, 0, 1, python.requests},
	{"django-wsgi", "hello by Django", "django_wsgi", wsgiServers, 0, 1, python.requests},
	{"websocket", "WebSocket messages echoed, one in flight on each", "asgi", "uvicorn,gale-asgi,uvicorn-wsproto,hypercorn,daphne", 0, 1, python.echoes},
	{"websocket-16", "the same, 16 in flight", "asgi", "uvicorn,gale-asgi,uvicorn-wsproto", 0, 16, python.echoes},
	{"idle-websockets", "memory of WebSockets that have echoed one message", "asgi", "uvicorn,gale-asgi,uvicorn-wsproto,daphne", 0, 1, python.idle},
	{"polls", "memory of requests that wait for their answer", "asgi", "uvicorn,gale-asgi,daphne", 0, 1, python.polls},
}

func pythonCommand() *cli.Command {
	var names []string
	for _, cell := range pythonCells {
		names = append(names, cell.name)
	}
	return &cli.Command{
		Name:  "python",
		Usage: "Python applications: CPU time per request of all processes, memory of idle connections",
		Description: "Each server has one worker process. In each cell, ratios are to the first contender.\n" +
			"--contenders leaves out those that it does not name.",
		Flags: append(commonFlags(5, 64, strings.Split(asgiServers+","+wsgiServers+",uvicorn-wsproto", ",")...),
			append(trafficFlags(),
				&cli.StringFlag{Name: "cells", Value: strings.Join(names, ","), Usage: "what is measured"},
				&cli.IntFlag{Name: "parked", Value: 5000, Usage: "idle WebSockets and parked polls"})...),
		OnUsageError: onUsageError,
		Action: func(_ context.Context, c *cli.Command) error {
			w := python{conns: c.Int("conns"), parked: c.Int("parked"), warmup: c.Duration("warmup"), duration: c.Duration("duration")}
			if err := checkDurations(w.warmup, w.duration); err != nil {
				return err
			}
			if w.parked < 1 || w.parked > 15000 {
				return usagef("--parked must be between 1 and 15000")
			}
			protocols := map[contender.Protocol]func() load.Dialogue{contender.ASGI: nil, contender.WSGI: nil}
			if err := w.configure(c, fmt.Sprintf("duration=%v parked=%d", w.duration, w.parked), protocols); err != nil {
				return err
			}
			var cells []pythonCell
			for name := range strings.SplitSeq(c.String("cells"), ",") {
				i := slices.IndexFunc(pythonCells, func(cell pythonCell) bool { return cell.name == name })
				if i < 0 {
					return usagef("--cells: there is no %q", name)
				}
				cells = append(cells, pythonCells[i])
			}
			return w.reportCells(c, cells)
		},
	}
}

// reportCells measures the cells, one after the other, and says of each what came out as
// soon as it did.
func (w python) reportCells(c *cli.Command, cells []pythonCell) error {
	out := c.Root().Writer
	fmt.Fprintf(out, "%s\n%s: %s; %s\n", machine(), w.name, w.parameters, w.place)
	var all []row
	var failed []error
	for _, cell := range cells {
		each := w
		each.parameters = "cell=" + cell.name + " " + w.parameters
		if each.contenders = w.of(cell); len(each.contenders) == 0 {
			continue
		}
		each.workload.measure = func(c contender.Contender, round int) ([]sample, error) {
			return cell.measure(each, cell, c, round)
		}
		rows, err := each.run(c.Root().ErrWriter)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", cell.name, err))
		}
		all = append(all, rows...)
		fmt.Fprintf(out, "\n%s: %s\n", cell.name, cell.what)
		if err := printTable(out, rows, each.skipped); err != nil {
			return err
		}
	}
	if file := c.String("json"); file != "" {
		failed = append(failed, writeJSON(file, all))
	}
	return errors.Join(failed...)
}

// of returns the contenders of a cell that were named, in the cell's order.
func (w python) of(cell pythonCell) (list []contender.Contender) {
	for name := range strings.SplitSeq(cell.contenders, ",") {
		for _, c := range w.contenders {
			if c.Name == name {
				list = append(list, c)
			}
		}
	}
	return list
}

// requests measures hello.
func (w python) requests(cell pythonCell, c contender.Contender, round int) ([]sample, error) {
	return w.traffic(cell, c, round, load.NewPage("/", contender.Body), requestsPerCPUSecond, cpuPerRequest)
}

// echoes measures WebSocket messages.
func (w python) echoes(cell pythonCell, c contender.Contender, round int) ([]sample, error) {
	return w.traffic(cell, c, round, load.NewWebSocketEcho(125), messagesPerCPUSecond, cpuPerMessage)
}

func (w python) traffic(cell pythonCell, c contender.Contender, round int, dialogue load.Dialogue, perCPU, each metric) ([]sample, error) {
	server, err := startChild(c.Name, w.place, "--app", cell.app)
	if err != nil {
		return nil, err
	}
	defer server.stop()
	conns := cell.conns
	if conns == 0 {
		conns = w.conns
	}
	g, err := load.Open(load.Config{Server: server.addr, Dialogue: dialogue, Conns: conns, Depth: cell.depth})
	if err != nil {
		return nil, err
	}
	defer g.Close()
	if _, err := g.Run(w.warmup); err != nil {
		return nil, err
	}
	var result load.Result
	used, err := w.metered(server, fmt.Sprintf("%s-%s-%s", w.name, cell.name, c.Name), round, func() (err error) {
		result, err = g.Run(w.duration)
		return err
	})
	if err != nil {
		return nil, err
	}
	if result.Messages == 0 {
		return nil, fmt.Errorf("no reply within %v", w.duration+load.Patience)
	}
	n := float64(result.Messages)
	return []sample{
		{perCPU, n / used.total.Seconds()},
		{each, float64(used.total) / n / float64(time.Microsecond)},
		{perSecond, n / result.Elapsed.Seconds()},
		{latency50, float64(result.Latency.Quantile(0.5)) / float64(time.Millisecond)},
		{latency99, float64(result.Latency.Quantile(0.99)) / float64(time.Millisecond)},
	}, nil
}

// idle measures the memory of WebSockets that have echoed one message.
func (w python) idle(cell pythonCell, c contender.Contender, _ int) ([]sample, error) {
	return w.memory(cell, c, func(server *child) (check func() error, end func(), err error) {
		g, err := load.Open(load.Config{Server: server.addr, Dialogue: load.NewWebSocketEcho(125), Conns: w.parked})
		if err != nil {
			return nil, nil, err
		}
		return func() error { return g.Check(checkEvery) }, g.Close, nil
	})
}

// polls measures the memory of requests that wait.
func (w python) polls(cell pythonCell, c contender.Contender, _ int) ([]sample, error) {
	return w.memory(cell, c, func(server *child) (check func() error, end func(), err error) {
		p, err := load.Park(server.addr, "", w.parked, contender.Body)
		if err != nil {
			return nil, nil, err
		}
		return p.Release, p.Close, nil
	})
}

// memory measures how much more memory a server has in RAM once it has what open opens.
// check says whether all of that is alive.
func (w python) memory(cell pythonCell, c contender.Contender, open func(*child) (check func() error, end func(), err error)) ([]sample, error) {
	server, err := startChild(c.Name, w.place, "--app", cell.app)
	if err != nil {
		return nil, err
	}
	defer server.stop()
	before, err := server.rss()
	if err != nil {
		return nil, err
	}
	check, end, err := open(server)
	if err != nil {
		return nil, err
	}
	defer end()
	if _, err := server.ask("memory"); err != nil { // Go gives back what is free
		return nil, err
	}
	after, err := server.rss()
	if err != nil {
		return nil, err
	}
	if err := check(); err != nil {
		return nil, fmt.Errorf("not all were alive: %w", err)
	}
	return []sample{
		{rssPerConn, float64(after-before) / float64(w.parked)},
		{rssBefore, float64(before) / (1 << 20)},
	}, nil
}
