package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/gale-server/gale/cmd/galebench/contender"
	"github.com/gale-server/gale/cmd/galebench/load"
)

// story measures the same answer as the web gave it over the years, all by gale: a
// program that is started for each request, an application that is called, one that is
// told events, and both kinds in Go.
type story struct {
	workload
	conns    int
	parked   int
	warmup   time.Duration
	duration time.Duration
	programs string // the folder of the program, and of what waits
}

// stations are how an answer came to be. The contender is the first word, what it is
// started with the rest.
var stations = []struct {
	name   string
	serves []string
	path   string // of the program: its paths are below
}{
	{"gale", []string{"--programs", "%s"}, "/cgi/story"},
	{"gale-wsgi", []string{"--app", "wsgi", "--threads", "%d"}, ""},
	{"gale-asgi", []string{"--app", "asgi"}, ""},
	{"gale-coroutine", nil, ""},
	{"gale-event", nil, ""},
}

// storyProgram is the CGI program. Whoever waits opens a pipe that nobody writes to.
const storyProgram = `#!/usr/bin/python3
import os
path = os.environ["PATH_INFO"]
folder = %q
body = "Hello, World!"
if path == "/park":
    open(os.path.join(folder, "parked", str(os.getpid())), "w").close()
    open(os.path.join(folder, "pipe")).close()
elif path == "/parked":
    body = str(len(os.listdir(os.path.join(folder, "parked"))))
elif path == "/release":
    writer = open(os.path.join(folder, "pipe"), "w")
print("Content-Type: text/plain\nContent-Length: %%d\n\n%%s" %% (len(body), body), end="")
`

func storyCommand() *cli.Command {
	return &cli.Command{
		Name:  "story",
		Usage: "the same answer by CGI, WSGI, ASGI and Go: CPU time per request, memory, and what requests cost that wait",
		Description: "gale is a Python program by CGI, gale-wsgi and gale-asgi are Python applications with one\n" +
			"worker, gale-coroutine and gale-event are Go. Memory is the part of each process in the\n" +
			"whole (PSS), of all of them.",
		Flags: append(commonFlags(3, 64, "gale", "gale-wsgi", "gale-asgi", "gale-coroutine", "gale-event"),
			append(trafficFlags(), &cli.IntFlag{Name: "parked", Value: 1000, Usage: "requests that wait"})...),
		OnUsageError: onUsageError,
		Action: func(_ context.Context, c *cli.Command) (err error) {
			w := &story{conns: c.Int("conns"), parked: c.Int("parked"), warmup: c.Duration("warmup"), duration: c.Duration("duration")}
			if err := checkDurations(w.warmup, w.duration); err != nil {
				return err
			}
			if w.parked < 1 || w.parked > 1500 {
				return usagef("--parked must be between 1 and 1500")
			}
			protocols := map[contender.Protocol]func() load.Dialogue{contender.CGI: nil, contender.WSGI: nil, contender.ASGI: nil, contender.HTTP: nil}
			if err := w.configure(c, fmt.Sprintf("duration=%v parked=%d", w.duration, w.parked), protocols); err != nil {
				return err
			}
			w.workload.measure = w.measure
			return w.report(c)
		},
	}
}

// folder makes the program and what it needs, anew.
func (w *story) folder() (err error) {
	if w.programs, err = os.MkdirTemp("", "galebench-story-"); err != nil {
		return err
	}
	for _, name := range []string{"cgi", "parked"} {
		if err := os.Mkdir(filepath.Join(w.programs, name), 0o755); err != nil {
			return err
		}
	}
	text := fmt.Sprintf(storyProgram, w.programs)
	return errors.Join(makePipe(filepath.Join(w.programs, "pipe")), os.WriteFile(filepath.Join(w.programs, "cgi", "story"), []byte(text), 0o755))
}

func (w *story) measure(c contender.Contender, round int) (samples []sample, err error) {
	if err := w.folder(); err != nil {
		return nil, err
	}
	defer os.RemoveAll(w.programs)
	var path string
	var serves []string
	for _, s := range stations {
		if s.name == c.Name {
			path = s.path
			for _, flag := range s.serves {
				flag = strings.Replace(flag, "%s", w.programs, 1)
				serves = append(serves, strings.Replace(flag, "%d", fmt.Sprint(w.parked+4), 1))
			}
		}
	}
	server, err := startChild(c.Name, w.place, serves...)
	if err != nil {
		return nil, err
	}
	defer server.stop()
	if samples, err = w.traffic(server, c, round, path); err != nil {
		return nil, err
	}
	before, err := server.share()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	parked, err := load.Park(server.addr, path, w.parked, contender.Body)
	if err != nil {
		return nil, err
	}
	defer parked.Close()
	took := time.Since(began)
	after, err := server.share()
	if err != nil {
		return nil, err
	}
	if err := parked.Release(); err != nil {
		return nil, err
	}
	return append(samples,
		sample{memoryBefore, float64(before) / (1 << 20)},
		sample{memoryParked, float64(after-before) / (1 << 20)},
		sample{parkSeconds, took.Seconds()},
	), nil
}

// traffic measures hello. The CPU time is that of all processes, those that have ended
// included.
func (w *story) traffic(server *child, c contender.Contender, round int, path string) ([]sample, error) {
	g, err := load.Open(load.Config{Server: server.addr, Dialogue: load.NewPage(path+"/", contender.Body), Conns: w.conns})
	if err != nil {
		return nil, err
	}
	defer g.Close()
	if _, err := g.Run(w.warmup); err != nil {
		return nil, err
	}
	before, err := server.reaped()
	if err != nil {
		return nil, err
	}
	var result load.Result
	used, err := w.metered(server, w.name+"-"+c.Name, round, func() (err error) {
		result, err = g.Run(w.duration)
		return err
	})
	if err != nil {
		return nil, err
	}
	after, err := server.reaped()
	if err != nil {
		return nil, err
	}
	if result.Messages == 0 {
		return nil, fmt.Errorf("no reply within %v", w.duration+load.Patience)
	}
	total, n := used.total+after-before, float64(result.Messages)
	return []sample{
		{requestsPerCPUSecond, n / total.Seconds()},
		{cpuPerRequest, float64(total) / n / float64(time.Microsecond)},
		{latency50, float64(result.Latency.Quantile(0.5)) / float64(time.Millisecond)},
		{latency99, float64(result.Latency.Quantile(0.99)) / float64(time.Millisecond)},
	}, nil
}
