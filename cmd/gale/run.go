package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/http1"
	"github.com/gale-server/gale/asgi/nethttp"
	"github.com/gale-server/gale/asgi/server"
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/static"
)

// runFlags are the flags of gale run.
type runFlags struct {
	*serveFlags
	bind     *bindFlags
	proxies  *proxyFlags
	rootPath setting[string]
	header   []string

	cgi       bool
	env       []string
	listing   bool
	fallback  setting[string]
	processes setting[int]
	timeout   setting[time.Duration]
	maxBody   setting[int64]
}

func newRunFlags() *runFlags {
	return &runFlags{
		serveFlags: newServeFlags("127.0.0.1:8000", "on"),
		bind:       newBindFlags(),
		proxies:    newProxyFlags(),
		rootPath:   setting[string]{name: "root-path", usage: "a proxy has taken this `PATH` off: what is served is mounted there", parse: parseRootPath},
		fallback:   setting[string]{name: "fallback", usage: "answer with this `FILE` what does not exist, for a single-page application", parse: asIs},
		processes:  setting[int]{name: "processes", usage: "let this `NUMBER` of programs run at the same time", value: strconv.Itoa(defaultProcesses), parse: parseProcesses},
		timeout:    setting[time.Duration]{name: "timeout", usage: "give a program this `TIME` for the whole of its answer", value: "10m", parse: parseTimeout},
		maxBody:    setting[int64]{name: "max-body", usage: "take request bodies of at most this `SIZE` for a program", value: "256MiB", parse: parseBytes},
	}
}

func (f *runFlags) flags() []cli.Flag {
	return append(slices.Concat(f.bind.flags(), f.serveFlags.flags(), f.proxies.flags()),
		f.rootPath.flag(),
		&cli.StringSliceFlag{Name: "header", Usage: "add the field `NAME:VALUE` to every response that has none of that name; may be given several times", Destination: &f.header},
		&cli.BoolFlag{Name: "cgi", Usage: "the folder is one of programs (CGI), whatever it looks like", Destination: &f.cgi},
		&cli.BoolFlag{Name: "listing", Usage: "list folders that have no index.html", Destination: &f.listing},
		&cli.StringSliceFlag{Name: "env", Usage: "add the variable `NAME=VALUE` to the environment of programs, which get little of this one; may be given several times", Destination: &f.env},
		f.fallback.flag(), f.processes.flag(), f.timeout.flag(), f.maxBody.flag())
}

func runCommand() *cli.Command {
	f := newRunFlags()
	return &cli.Command{
		Name:      "run",
		Usage:     "serve a folder of files, or of programs",
		UsageText: "gale run [flags] TARGET [flags]",
		Description: "TARGET is one of\n\n" +
			"   ./site       a folder: its files are served, and nothing outside it\n" +
			"   ./cgi-bin    a folder of programs: each is started for each request (CGI). It\n" +
			"                has that name, or nothing but programs in it, or --cgi says so\n" +
			"   ./program    a program: it answers every path (CGI)",
		Flags:                     f.flags(),
		HideHelpCommand:           true,
		DisableSliceFlagSeparator: true,
		OnUsageError:              onUsageError,
		Action: func(ctx context.Context, c *cli.Command) error {
			if n := c.Args().Len(); n != 1 {
				return usagef("gale run takes one target, and was given %d; see gale run --help", n)
			}
			return f.run(ctx, c, c.Args().First())
		},
	}
}

func parseRootPath(s string) (string, error) {
	if s == "" || s == "/" {
		return "", nil
	}
	return parseMount(strings.TrimSuffix(s, "/"))
}

func parseProcesses(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > 10000 {
		return 0, fmt.Errorf("%q is no number from 1 to 10000", s)
	}
	return n, nil
}

// parseBytes reads a number of bytes with or without a unit: 65536, 64KiB, 1GiB.
func parseBytes(s string) (int64, error) {
	text, unit := s, int64(1)
	for i, name := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if number, ok := strings.CutSuffix(s, name); ok {
			text, unit = strings.TrimSpace(number), 1<<(10*(i+1))
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 || n > 1<<60/unit {
		return 0, fmt.Errorf("%q is no size; write a number of bytes, or for example 64KiB or 1GiB", s)
	}
	return n * unit, nil
}

// parseHeader reads a field of a response.
func parseHeader(s string) (asgi.Header, error) {
	name, value, ok := strings.Cut(s, ":")
	if name = strings.TrimSpace(name); !ok || name == "" {
		return asgi.Header{}, fmt.Errorf("%q is no field; write NAME:VALUE", s)
	}
	return asgi.Header{Name: name, Value: strings.TrimSpace(value)}, nil
}

func (f *runFlags) run(ctx context.Context, c *cli.Command, name string) (err error) {
	t, err := findTarget(name, f.cgi)
	if err != nil {
		return err
	}
	if err := f.bind.settle(c, &f.addr); err != nil {
		return err
	}
	one, err := f.mount(c, t)
	if err != nil {
		return err
	}
	config, err := f.config()
	if err != nil {
		return err
	}
	if t.kind != kindStatic {
		config.HTTP = http1.Config{MaxBodyBytes: one.cgi.MaxBodyBytes}
	}
	if config.Logger, err = f.serverLog(c.Root()); err != nil {
		return err
	}
	mux := new(handlers.Mux)
	one.cgi.RedirectRoot = config.RootPath
	m, err := newMounts(mux, []mount{one}, config.Logger, func(_ int, err error) error { return usagef("%s: %w", name, err) })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	config.Handler = mux
	return f.serve(ctx, c, config, func(addr net.Addr) { f.welcome(c.Root().Writer, addr, config.RootPath, t) })
}

// mount makes a mount of the target, with what the flags say of it.
func (f *runFlags) mount(c *cli.Command, t target) (one mount, err error) {
	one.is = t.kind
	get(&err, &one.processes, &f.processes)
	get(&err, &one.cgi.Timeout, &f.timeout)
	get(&err, &one.cgi.MaxBodyBytes, &f.maxBody)
	for _, flag := range []struct {
		given
		files bool // it is for folders of files
	}{{&f.fallback, true}, {&f.processes, false}, {&f.timeout, false}, {&f.maxBody, false}} {
		if err == nil && flag.given.given(c, false) && flag.files != (t.kind == kindStatic) {
			err = usagef("--%s does not go with %v", flag.flagName(), t)
		}
	}
	if err == nil && f.listing && t.kind != kindStatic {
		err = usagef("--listing does not go with %v", t)
	}
	if err == nil && len(f.env) > 0 && t.kind == kindStatic {
		err = usagef("--env does not go with %v", t)
	}
	one.cgi.Env = f.env
	for _, pair := range f.env {
		if err == nil {
			err = checkVariable(pair)
		}
	}
	switch t.kind {
	case kindStatic:
		one.static = static.Config{Dir: t.path, Listing: f.listing, Fallback: f.fallback.value}
	case kindCGI:
		one.cgi.Dir = t.path
	case kindProgram:
		one.cgi.Script = t.path
	}
	return one, err
}

// checkVariable checks a variable of an environment.
func checkVariable(pair string) error {
	if name, _, ok := strings.Cut(pair, "="); !ok || name == "" {
		return usagef("--env: %q is no variable; write NAME=VALUE", pair)
	}
	return nil
}

// config is the part of the server's config that comes from flags of run.
func (f *runFlags) config() (config server.Config, err error) {
	if config.RootPath, err = f.rootPath.get(); err != nil {
		return config, err
	}
	if config.TrustedProxies, err = f.proxies.trusted(); err != nil {
		return config, err
	}
	for _, text := range f.header {
		h, err := parseHeader(text)
		if err != nil {
			return config, usagef("--header: %w", err)
		}
		if strings.EqualFold(h.Name, "server") {
			config.Name = h.Value
			continue
		}
		if err := checkConfig(nethttp.Config{Headers: []asgi.Header{h}}); err != nil {
			return config, usagef("--header: %w", err)
		}
		config.Headers = append(config.Headers, h)
	}
	// Whoever leaves while a program runs is to be noticed.
	config.HalfClose = server.HalfCloseDisconnects
	return config, nil
}

// welcome says what is served and where. The program goes on if nobody can read it.
func (f *runFlags) welcome(w io.Writer, addr net.Addr, root string, t target) {
	here, elsewhere := urls(addr)
	fmt.Fprintf(w, "gale serves %v\n  on %s/\n", t, here)
	if elsewhere != "" {
		fmt.Fprintf(w, "  and for other devices of your network on %s/\n", elsewhere)
	}
	if root != "" {
		fmt.Fprintf(w, "  and behind a proxy that takes %s off\n", root)
	}
	if t.kind == kindStatic && !f.listing && f.fallback.value == "" {
		if _, err := os.Stat(filepath.Join(t.path, "index.html")); err != nil {
			fmt.Fprintln(w, "There is no index.html: / is not found. --listing lists folders.")
		}
	}
}
