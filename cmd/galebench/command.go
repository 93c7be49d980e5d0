package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"
	"golang.org/x/sys/unix"

	"github.com/gale-server/gale/cmd/galebench/contender"
	"github.com/gale-server/gale/cmd/galebench/load"
	"github.com/gale-server/gale/cmd/internal/garbage"
)

// newCommand returns the command line. Nothing in it prints an error or exits:
// both are for run.
func newCommand(stdin io.Reader, stdout, stderr io.Writer) *cli.Command {
	return &cli.Command{
		Name:      "galebench",
		Usage:     "compares gale with its peers on this machine",
		UsageText: "galebench <workload> [flags]",
		Description: "A workload measures each contender in a process of its own, in alternating\n" +
			"rounds, and prints medians with their spread. A ratio is to the first contender\n" +
			"in the same round. Contenders: " + strings.Join(contender.Names(), ", ") + ".",
		Commands: []*cli.Command{echoCommand(), idleCommand(), httpCommand(), fanoutCommand(), sseCommand(), pollCommand(), stormCommand(), slowCommand(),
			stallCommand(), hostileCommand(), bulkCommand(), filesCommand(), cgiCommand(), pythonCommand(), storyCommand(), serverCommand(stdin), attackCommand(stdin), othersCommand(stdin), transfersCommand(stdin), coldReadersCommand(stdin)},
		Writer:         stdout,
		ErrWriter:      stderr,
		OnUsageError:   onUsageError,
		ExitErrHandler: func(context.Context, *cli.Command, error) {},
		Action: func(_ context.Context, c *cli.Command) error {
			if c.Args().Present() {
				return usagef("there is no workload %q; see galebench --help", c.Args().First())
			}
			return cli.ShowRootCommandHelp(c)
		},
	}
}

func onUsageError(_ context.Context, c *cli.Command, err error, _ bool) error {
	return usagef("%w; see %s --help", err, c.FullName())
}

func echoCommand() *cli.Command {
	return &cli.Command{
		Name:  "echo",
		Usage: "messages echoed per CPU-second: WebSocket messages, or as many bytes raw",
		Flags: append(commonFlags(5, 1000, "raw", "gnet", "gale-event", "gale-coroutine", "gale-serial", "gale-goroutine",
			"gorilla", "gws", "nbio", "coder"),
			append(trafficFlags(),
				&cli.IntFlag{Name: "size", Value: 125, Usage: "bytes of a message"},
				&cli.IntFlag{Name: "depth", Value: 1, Usage: "messages a client sends in one write before it waits for their replies"})...),
		OnUsageError: onUsageError,
		Action: func(_ context.Context, c *cli.Command) error {
			size, depth := c.Int("size"), c.Int("depth")
			if size < 1 || size > 16<<20 || depth < 1 || depth > 10000 {
				return usagef("--size must be between 1 and 16777216, --depth between 1 and 10000")
			}
			return runTraffic(c, depth, fmt.Sprintf("size=%d depth=%d", size, depth), messagesPerCPUSecond, userPerMessage, echoDialogues(size))
		},
	}
}

func httpCommand() *cli.Command {
	return &cli.Command{
		Name:  "http",
		Usage: "requests answered per CPU-second on kept-alive connections",
		Flags: append(commonFlags(5, 512, "gale-event", "gale-coroutine", "nethttp", "fasthttp"),
			append(trafficFlags(),
				&cli.IntFlag{Name: "pipeline", Value: 1, Usage: "requests a client sends in one write before it waits for their responses"})...),
		OnUsageError: onUsageError,
		Action: func(_ context.Context, c *cli.Command) error {
			depth := c.Int("pipeline")
			if depth < 1 || depth > 10000 {
				return usagef("--pipeline must be between 1 and 10000")
			}
			return runTraffic(c, depth, fmt.Sprintf("pipeline=%d", depth), requestsPerCPUSecond, userPerRequest,
				map[contender.Protocol]func() load.Dialogue{contender.HTTP: load.NewHTTP})
		},
	}
}

func idleCommand() *cli.Command {
	return &cli.Command{
		Name:  "idle",
		Usage: "memory per connection that has echoed one message and is silent since",
		Flags: append(commonFlags(3, 10000, "gale-event", "gale-serial", "gale-coroutine", "gale-goroutine",
			"gorilla", "gws", "nbio", "coder"),
			&cli.IntFlag{Name: "size", Value: 125, Usage: "bytes of the message"}),
		OnUsageError: onUsageError,
		Action: func(_ context.Context, c *cli.Command) error {
			size := c.Int("size")
			if size < 1 || size > 16<<20 {
				return usagef("--size must be between 1 and 16777216")
			}
			w := &idle{conns: c.Int("conns"), dialogues: echoDialogues(size)}
			err := w.configure(c, fmt.Sprintf("size=%d", size), w.dialogues)
			if err != nil {
				return err
			}
			w.workload.measure = w.measure
			return w.report(c)
		},
	}
}

func stallCommand() *cli.Command {
	return &cli.Command{
		Name:  "stall",
		Usage: "latency of WebSocket echoes while the server's process resizes pictures on all cores it has",
		Flags: append(commonFlags(5, 100, "idle", "busy-cores", "plain-goroutines", "cpu-class", "process-class", "overload"),
			&cli.IntFlag{Name: "size", Value: 125, Usage: "bytes of a message"},
			&cli.DurationFlag{Name: "interval", Value: 20 * time.Millisecond, Usage: "period in which each client sends a message, late or not"},
			&cli.DurationFlag{Name: "warmup", Value: time.Second, Usage: "traffic and work before each measurement"},
			&cli.DurationFlag{Name: "duration", Value: 5 * time.Second, Usage: "length of each measurement"}),
		OnUsageError: onUsageError,
		Action: func(_ context.Context, c *cli.Command) error {
			w := &stall{size: c.Int("size"), conns: c.Int("conns"), interval: c.Duration("interval"),
				warmup: c.Duration("warmup"), duration: c.Duration("duration")}
			if w.size < 1 || w.size > 16<<20 {
				return usagef("--size must be between 1 and 16777216")
			}
			if w.interval < time.Millisecond || w.interval > time.Hour {
				return usagef("--interval must be between 1ms and 1h")
			}
			if err := checkDurations(w.warmup, w.duration); err != nil {
				return err
			}
			err := w.configure(c, fmt.Sprintf("size=%d interval=%v duration=%v %s", w.size, w.interval, w.duration, garbage.Room()),
				map[contender.Protocol]func() load.Dialogue{contender.BusyEcho: nil})
			if err != nil {
				return err
			}
			w.place.room = true
			w.workload.measure = w.measure
			return w.report(c)
		},
	}
}

func checkDurations(warmup, duration time.Duration) error {
	if duration < 10*time.Millisecond || duration > time.Hour || warmup < 0 || warmup > time.Hour {
		return usagef("--duration must be between 10ms and 1h, --warmup between 0 and 1h")
	}
	return nil
}

func echoDialogues(size int) map[contender.Protocol]func() load.Dialogue {
	return map[contender.Protocol]func() load.Dialogue{
		contender.Raw:       func() load.Dialogue { return load.NewEcho(size) },
		contender.WebSocket: func() load.Dialogue { return load.NewWebSocketEcho(size) },
	}
}

func commonFlags(rounds, conns int, contenders ...string) []cli.Flag {
	return append(contenderFlags(rounds, contenders...),
		&cli.IntFlag{Name: "conns", Value: conns, Usage: "number of connections"})
}

// contenderFlags are those of workloads that count their connections otherwise.
func contenderFlags(rounds int, contenders ...string) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "contenders", Value: strings.Join(contenders, ","), Usage: "who takes part; ratios are to the first"},
		&cli.IntFlag{Name: "rounds", Value: rounds, Usage: "how often each contender is measured"},
		&cli.StringFlag{Name: "json", Usage: "also write the rows to `FILE`"},
		&cli.BoolFlag{Name: "unpinned", Usage: "let server and load use all cores, with a loop for each, instead of one core each"},
		&cli.StringFlag{Name: "profile", Usage: "write profiles of the servers' last round to `DIR`: of their CPU time, in idle of their heap"},
		&cli.IntFlag{Name: "procs", Usage: "GOMAXPROCS and event loops of a server, instead of the number of its cores"},
	}
}

func trafficFlags() []cli.Flag {
	return []cli.Flag{
		&cli.DurationFlag{Name: "warmup", Value: 500 * time.Millisecond, Usage: "traffic before each measurement"},
		&cli.DurationFlag{Name: "duration", Value: 1500 * time.Millisecond, Usage: "length of each measurement"},
	}
}

func runTraffic(c *cli.Command, depth int, parameters string, perCPU, userEach metric, dialogues map[contender.Protocol]func() load.Dialogue) error {
	t := &traffic{
		dialogues: dialogues, conns: c.Int("conns"), depth: depth, perCPU: perCPU, userEach: userEach,
		warmup: c.Duration("warmup"), duration: c.Duration("duration"),
	}
	if err := checkDurations(t.warmup, t.duration); err != nil {
		return err
	}
	if err := t.configure(c, fmt.Sprintf("%s duration=%v", parameters, t.duration), dialogues); err != nil {
		return err
	}
	t.workload.measure = t.measure
	return t.report(c)
}

// spareFiles are the open files a process needs besides its conns.
const spareFiles = 100

// configure takes over what all workloads share.
func (w *workload) configure(c *cli.Command, parameters string, dialogues map[contender.Protocol]func() load.Dialogue) error {
	if err := w.configureAs(c, parameters); err != nil {
		return err
	}
	return w.choose(c.String("contenders"), slices.Collect(maps.Keys(dialogues)))
}

// configureAs is configure without the contenders.
func (w *workload) configureAs(c *cli.Command, parameters string) error {
	w.name, w.rounds = c.Name, c.Int("rounds")
	if w.rounds < 1 || w.rounds > 1000 {
		return usagef("--rounds must be between 1 and 1000")
	}
	flag := w.connsFlag
	if flag == "" {
		flag = "conns"
	}
	conns := c.Int(flag)
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		return err
	}
	if conns < 1 || uint64(conns)+spareFiles > files.Max {
		return usagef("--%s must be between 1 and %d, which a server's limit of open files leaves", flag, files.Max-spareFiles)
	}
	w.place = pinned()
	if c.Bool("unpinned") {
		w.place = unpinned()
	}
	if procs := c.Int("procs"); procs < 0 {
		return usagef("--procs must not be negative")
	} else if procs > 0 {
		w.place.procs = procs
	}
	if w.profiles = c.String("profile"); w.profiles != "" {
		if err := os.MkdirAll(w.profiles, 0o755); err != nil {
			return usageError{err}
		}
	}
	w.parameters = fmt.Sprintf("%s %s=%d rounds=%d", parameters, flag, conns, w.rounds)
	return nil
}

// choose makes contenders of names. Each must speak one of the protocols.
func (w *workload) choose(names string, protocols []contender.Protocol) error {
	for name := range strings.SplitSeq(names, ",") {
		chosen, err := contender.Lookup(strings.TrimSpace(name))
		if err != nil {
			return usageError{err}
		}
		if !slices.ContainsFunc(protocols, chosen.CanSpeak) {
			return usagef("%s cannot take part in %s", chosen.Name, w.name)
		}
		for _, other := range w.contenders {
			if other.Name == chosen.Name {
				return usagef("%s is named twice", chosen.Name)
			}
		}
		w.contenders = append(w.contenders, chosen)
	}
	return nil
}

// report runs the workload and says what came out, also of one that failed in
// part.
func (w *workload) report(c *cli.Command) error {
	out := c.Root().Writer
	fmt.Fprintf(out, "%s\n%s: %s; %s\n", machine(), w.name, w.parameters, w.place)
	rows, err := w.run(c.Root().ErrWriter)
	if len(rows) > 0 {
		if err := printTable(out, rows, w.skipped); err != nil {
			return err
		}
		if file := c.String("json"); file != "" {
			if err := writeJSON(file, rows); err != nil {
				return err
			}
		}
	}
	return err
}

// serverCommand is what the program starts itself as.
func serverCommand(stdin io.Reader) *cli.Command {
	return &cli.Command{
		Name:      "server",
		Usage:     "be one contender, until standard input ends",
		UsageText: "galebench server [--loops n] [--room] [--transfer-bytes n] [--files dir] [--programs dir] [--app name [--threads n]] <contender>",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "loops", Value: 1, Usage: "event loops"},
			&cli.BoolFlag{Name: "room", Usage: "give the garbage collector the room that gale's program gives it"},
			&cli.IntFlag{Name: "transfer-bytes", Usage: "serve bulk transfers of this size"},
			&cli.StringFlag{Name: "files", Usage: "serve this folder"},
			&cli.StringFlag{Name: "programs", Usage: "start the programs of this `DIR` for requests"},
			&cli.StringFlag{Name: "app", Usage: "serve the Python application `NAME`"},
			&cli.IntFlag{Name: "threads", Usage: "threads of its worker, by WSGI"},
		},
		OnUsageError: onUsageError,
		Action: func(_ context.Context, c *cli.Command) error {
			if c.Args().Len() != 1 {
				return usagef("galebench server takes one contender")
			}
			if c.Bool("room") {
				garbage.MakeRoom()
			}
			return serve(c.Args().First(), contender.Config{Loops: c.Int("loops"), TransferBytes: c.Int("transfer-bytes"), Files: c.String("files"), Programs: c.String("programs"), App: c.String("app"), Threads: c.Int("threads")}, stdin, c.Root().Writer)
		},
	}
}
