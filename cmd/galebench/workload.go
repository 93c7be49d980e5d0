package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gale-server/gale/cmd/galebench/contender"
	"github.com/gale-server/gale/cmd/galebench/load"
)

// workload is something contenders are measured at.
type workload struct {
	name       string
	parameters string // for the report
	contenders []contender.Contender
	skipped    []skip
	rounds     int
	connsFlag  string // what its connections are called; "" is "conns"
	place      placement
	profiles   string // directory for profiles of the servers; "": none
	measure    func(c contender.Contender, round int) ([]sample, error)
}

// run measures all contenders, round by round, in a new order each time. One
// that fails, or that this machine does not have, is left out of the result; the
// first one must not fail.
func (w *workload) run(progress io.Writer) ([]row, error) {
	for _, c := range w.contenders {
		if err := c.Missing(); err != nil {
			w.skipped = append(w.skipped, skip{c.Name, err})
			fmt.Fprintf(progress, "%s is skipped: %v\n", c.Name, err)
		}
	}
	w.contenders = slices.DeleteFunc(w.contenders, func(c contender.Contender) bool { return c.Missing() != nil })
	if len(w.contenders) == 0 {
		return nil, errors.New("no contender is left")
	}
	if err := w.place.pinLoad(); err != nil {
		return nil, err
	}
	results := make(map[string][][]sample)
	var failed []string
	names := make([]string, len(w.contenders))
	for i, c := range w.contenders {
		names[i] = c.Name
	}
	for round := range w.rounds {
		for _, i := range rand.Perm(len(names)) {
			name := names[i]
			if round > 0 && results[name] == nil {
				continue // it failed
			}
			samples, err := w.measure(w.contenders[i], round)
			if err != nil {
				fmt.Fprintf(progress, "round %d/%d: %s: %v\n", round+1, w.rounds, name, err)
				failed = append(failed, name)
				results[name] = nil
				if i == 0 {
					return nil, fmt.Errorf("%s: %w", name, err)
				}
				continue
			}
			fmt.Fprintf(progress, "round %d/%d: %s: %s %s\n", round+1, w.rounds, name, figure(samples[0].value), samples[0].metric.unit)
			results[name] = append(results[name], samples)
		}
	}
	rows := rowsOf(w.name, w.parameters, names, results)
	if len(failed) > 0 {
		return rows, fmt.Errorf("failed: %s", strings.Join(failed, ", "))
	}
	return rows, nil
}

// profile gives a server the command that profiles it, if that is wanted in
// this round, which is the last one.
func (w *workload) profile(server *child, command, name string, round int) error {
	if w.profiles == "" || round < w.rounds-1 {
		return nil
	}
	_, err := server.ask(command + " " + filepath.Join(w.profiles, name+".pprof"))
	return err
}

// traffic keeps a server busy; echo and http are its two forms.
type traffic struct {
	workload
	dialogues map[contender.Protocol]func() load.Dialogue
	conns     int
	depth     int
	warmup    time.Duration
	duration  time.Duration
	perCPU    metric
	userEach  metric
	serves    []string // flags of the server
	// conditional has clients ask for a file that they have; dialogues are not used.
	conditional bool
}

// measure starts a server, warms it up, and measures it.
func (t *traffic) measure(c contender.Contender, round int) ([]sample, error) {
	server, err := startChild(c.Name, t.place, t.serves...)
	if err != nil {
		return nil, err
	}
	defer server.stop()
	dialogue, err := t.dialogue(c, server)
	if err != nil {
		return nil, err
	}
	g, err := load.Open(load.Config{Server: server.addr, Dialogue: dialogue, Conns: t.conns, Depth: t.depth})
	if err != nil {
		return nil, err
	}
	defer g.Close()
	if _, err := g.Run(t.warmup); err != nil {
		return nil, err
	}
	var result load.Result
	used, err := t.metered(server, fmt.Sprintf("%s-%d-%s", t.name, t.depth, c.Name), round, func() (err error) {
		result, err = g.Run(t.duration)
		return err
	})
	if err != nil {
		return nil, err
	}
	if result.Messages == 0 {
		return nil, fmt.Errorf("no reply within %v", t.duration+load.Patience)
	}
	return t.samples(result, used), nil
}

func (t *traffic) dialogue(c contender.Contender, server *child) (load.Dialogue, error) {
	if t.conditional {
		return load.NewConditional(server.addr)
	}
	return dialogueFor(c, t.dialogues), nil
}

func (t *traffic) samples(r load.Result, used cpu) []sample {
	const us, ms = float64(time.Microsecond), float64(time.Millisecond)
	return []sample{
		{t.perCPU, float64(r.Messages) / used.total.Seconds()},
		{t.userEach, float64(used.user) / us / float64(r.Messages)},
		{serverCPU, 100 * used.total.Seconds() / r.Elapsed.Seconds()},
		{latency99, float64(r.Latency.Quantile(0.99)) / ms},
	}
}

// dialogueFor makes the dialogue of the first protocol the contender speaks.
func dialogueFor(c contender.Contender, dialogues map[contender.Protocol]func() load.Dialogue) load.Dialogue {
	for _, p := range c.Speaks {
		if makeDialogue, ok := dialogues[p]; ok {
			return makeDialogue()
		}
	}
	panic("galebench: " + c.Name + " speaks none of the workload's protocols")
}

// metered runs what is measured, and returns the CPU time that the server used
// meanwhile.
func (w *workload) metered(server *child, name string, round int, run func() error) (used cpu, err error) {
	if err := w.profile(server, "profile", name, round); err != nil {
		return cpu{}, err
	}
	before, err := server.cpu()
	if err != nil {
		return cpu{}, err
	}
	if err := run(); err != nil {
		return cpu{}, err
	}
	after, err := server.cpu()
	if err != nil {
		return cpu{}, err
	}
	_, err = server.ask("profile")
	return after.since(before), err
}
