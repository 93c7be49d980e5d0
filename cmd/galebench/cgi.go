package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/gale-server/gale/cmd/galebench/contender"
	"github.com/gale-server/gale/cmd/galebench/load"
)

// cgi measures servers that start a program for each request, each program on its own.
// The CPU time is that of the server and of the programs that it has reaped.
type cgi struct {
	workload
	program  string
	programs string // the folder of them
	conns    int
	warmup   time.Duration
	duration time.Duration
}

// cgiBody is what every program answers.
const cgiBody = "Hello, World!\n"

// cgiPrograms make the programs; each writes a header and cgiBody.
var cgiPrograms = []struct {
	name  string
	build func(file string) error
}{
	{"c", buildC},
	{"shell", func(file string) error {
		return os.WriteFile(file, []byte("#!/bin/sh\necho 'Content-Type: text/plain'\necho\necho 'Hello, World!'\n"), 0o755)
	}},
	{"python", func(file string) error {
		return os.WriteFile(file, []byte("#!/usr/bin/python3\nprint('Content-Type: text/plain\\n\\nHello, World!')\n"), 0o755)
	}},
}

func buildC(file string) error {
	cmd := exec.Command("gcc", "-O2", "-x", "c", "-o", file, "-")
	cmd.Stdin = strings.NewReader(`#include <stdio.h>
int main(void) { puts("Content-Type: text/plain\n\nHello, World!"); return 0; }`)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("gcc: %w %s", err, out)
	}
	return nil
}

func cgiCommand() *cli.Command {
	return &cli.Command{
		Name:  "cgi",
		Usage: "requests per CPU-second, of server and programs, where a program is started for each",
		Flags: append(commonFlags(5, 4, "nethttp", "gale", "lighttpd"),
			append(trafficFlags(),
				&cli.StringFlag{Name: "programs", Value: "c,shell,python", Usage: "which programs are asked for"})...),
		OnUsageError: onUsageError,
		Action: func(_ context.Context, c *cli.Command) error {
			w := cgi{conns: c.Int("conns"), warmup: c.Duration("warmup"), duration: c.Duration("duration")}
			if err := checkDurations(w.warmup, w.duration); err != nil {
				return err
			}
			if err := w.configure(c, fmt.Sprintf("duration=%v", w.duration), map[contender.Protocol]func() load.Dialogue{contender.CGI: nil}); err != nil {
				return err
			}
			var err error
			if w.programs, err = os.MkdirTemp("", "galebench-cgi-"); err != nil {
				return err
			}
			defer os.RemoveAll(w.programs)
			return w.reportPrograms(c, strings.Split(c.String("programs"), ","))
		},
	}
}

// reportPrograms measures the programs, one after the other, and says of each what came
// out as soon as it did.
func (w cgi) reportPrograms(c *cli.Command, names []string) error {
	out := c.Root().Writer
	fmt.Fprintf(out, "%s\n%s: %s; %s\n", machine(), w.name, w.parameters, w.place)
	if err := os.Mkdir(filepath.Join(w.programs, "cgi"), 0o755); err != nil {
		return err
	}
	var all []row
	var failed []error
	for _, name := range names {
		if err := w.build(name); err != nil {
			return err
		}
		each := w
		each.program, each.parameters = name, "program="+name+" "+w.parameters
		each.contenders = slices.Clone(w.contenders)
		each.workload.measure = each.measure
		rows, err := each.run(c.Root().ErrWriter)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", name, err))
		}
		all = append(all, rows...)
		fmt.Fprintf(out, "\n%s\n", name)
		if err := printTable(out, rows, each.skipped); err != nil {
			return err
		}
	}
	if file := c.String("json"); file != "" {
		failed = append(failed, writeJSON(file, all))
	}
	return errors.Join(failed...)
}

func (w *cgi) build(name string) error {
	for _, p := range cgiPrograms {
		if p.name == name {
			return p.build(filepath.Join(w.programs, "cgi", name))
		}
	}
	return usagef("--programs: there is no program %q", name)
}

func (w *cgi) measure(c contender.Contender, round int) ([]sample, error) {
	server, err := startChild(c.Name, w.place, "--programs", w.programs)
	if err != nil {
		return nil, err
	}
	defer server.stop()
	g, err := load.Open(load.Config{Server: server.addr, Dialogue: load.NewPage("/cgi/"+w.program, cgiBody), Conns: w.conns})
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
	used, err := w.metered(server, fmt.Sprintf("%s-%s-%s", w.name, w.program, c.Name), round, func() (err error) {
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
	programs, n := after-before, float64(result.Messages)
	return []sample{
		{requestsPerCPUSecond, n / (used.total + programs).Seconds()},
		{cpuPerRequest, float64(used.total) / n / float64(time.Microsecond)},
		{programPerRequest, float64(programs) / n / float64(time.Microsecond)},
		{latency50, float64(result.Latency.Quantile(0.5)) / float64(time.Millisecond)},
		{latency99, float64(result.Latency.Quantile(0.99)) / float64(time.Millisecond)},
	}, nil
}
