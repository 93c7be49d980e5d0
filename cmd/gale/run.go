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

	python    *pythonFlags
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
		python:     newPythonFlags(),
		rootPath:   setting[string]{name: "root-path", usage: "a proxy has taken this `PATH` off: what is served is mounted there", parse: parseRootPath},
		fallback:   setting[string]{name: "fallback", usage: "answer with this `FILE` what does not exist, for a single-page application", parse: asIs},
		processes:  setting[int]{name: "processes", usage: "let this `NUMBER` of programs run at the same time", value: strconv.Itoa(defaultProcesses), parse: parseProcesses},
		timeout:    setting[time.Duration]{name: "timeout", usage: "give a program this `TIME` for the whole of its answer; end a process of Python whose event loop stands still for longer", value: "10m", parse: parseTimeout},
		maxBody:    setting[int64]{name: "max-body", usage: "take request bodies of at most this `SIZE` for a program, or for Python", value: "256MiB", parse: parseBytes},
	}
}

func (f *runFlags) flags() []cli.Flag {
	return append(slices.Concat(f.bind.flags(), f.serveFlags.flags(), f.proxies.flags(), f.python.flags()),
		f.rootPath.flag(),
		&cli.StringSliceFlag{Name: "header", Usage: "add the field `NAME:VALUE` to every response that has none of that name; may be given several times", Destination: &f.header},
		&cli.BoolFlag{Name: "cgi", Usage: "the folder is one of programs (CGI), whatever it looks like", Destination: &f.cgi},
		&cli.BoolFlag{Name: "listing", Usage: "list folders that have no index.html", Destination: &f.listing},
		&cli.StringSliceFlag{Name: "env", Usage: "add the variable `NAME=VALUE` to the environment of programs, which get little of this one, or of Python, which gets all; may be given several times", Destination: &f.env},
		f.fallback.flag(), f.processes.flag(), f.timeout.flag(), f.maxBody.flag())
}

func runCommand() *cli.Command {
	f := newRunFlags()
	return &cli.Command{
		Name:      "run",
		Usage:     "serve a folder of files or of programs, or an application of Python",
		UsageText: "gale run [flags] [TARGET] [flags]",
		Description: "TARGET is one of\n\n" +
			"   ./site       a folder: its files are served, and nothing outside it\n" +
			"   ./cgi-bin    a folder of programs: each is started for each request (CGI). It\n" +
			"                has that name, or nothing but programs in it, or --cgi says so\n" +
			"   ./program    a program: it answers every path (CGI)\n" +
			"   app:app      an application of Python (ASGI or WSGI): a module and its attribute\n\n" +
			"Without a TARGET it is the application of Python in this folder.",
		Flags:                     f.flags(),
		HideHelpCommand:           true,
		DisableSliceFlagSeparator: true,
		OnUsageError:              onUsageError,
		Action: func(ctx context.Context, c *cli.Command) error {
			if n := c.Args().Len(); n > 1 {
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
	t, err := f.target(name)
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
		config.HTTP = http1.Config{MaxBodyBytes: one.cgi.MaxBodyBytes + one.python.MaxBodyBytes}
	}
	if config.Logger, err = f.serverLog(c.Root()); err != nil {
		return err
	}
	mux := new(handlers.Mux)
	one.cgi.RedirectRoot = config.RootPath
	beside, err := f.python.mounts()
	if err != nil {
		return err
	}
	m, err := newMounts(mux, append([]mount{one}, beside...), nil, config.Logger, func(_ int, err error) error { return usagef("%s: %w", name, err) })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	config.Handler = mux
	var bound net.Addr
	m.started = func() { f.welcome(c.Root().Writer, bound, config.RootPath, t, beside) }
	defer m.reloadOnHangup(config.Logger)()
	if len(m.pythons) > 0 {
		config.LifespanTimeout = lifespanTimeout
	}
	return f.serve(ctx, c, config, func(addr net.Addr) { bound = addr })
}

// target finds what is named, or what is here if nothing is.
func (f *runFlags) target(name string) (target, error) {
	dir, err := f.python.appDir.get()
	if err != nil {
		return target{}, err
	}
	if name == "" {
		return findHere(dir)
	}
	return findTarget(name, f.cgi, dir)
}

// misfit is a flag that was given and means nothing to the target.
func (f *runFlags) misfit(c *cli.Command, t target) string {
	files, programs := []kind{kindStatic}, []kind{kindCGI, kindProgram}
	work := append(programs, kindPython)
	for _, flag := range []struct {
		name  string
		given bool
		fits  []kind
	}{
		{"fallback", f.fallback.given(c, false), files},
		{"listing", f.listing, files},
		{"processes", f.processes.given(c, false), programs},
		{"timeout", f.timeout.given(c, false), work},
		{"max-body", f.maxBody.given(c, false), work},
		{"env", len(f.env) > 0, work},
		{f.python.given(c), f.python.given(c) != "", []kind{kindPython}},
	} {
		if flag.given && !slices.Contains(flag.fits, t.kind) {
			return flag.name
		}
	}
	return ""
}

// mount makes a mount of the target, with what the flags say of it.
func (f *runFlags) mount(c *cli.Command, t target) (one mount, err error) {
	one.is = t.kind
	if flag := f.misfit(c, t); flag != "" {
		return one, usagef("--%s does not go with %v", flag, t)
	}
	for _, pair := range f.env {
		if err := checkVariable(pair); err != nil {
			return one, err
		}
	}
	get(&err, &one.processes, &f.processes)
	switch t.kind {
	case kindStatic:
		one.static = static.Config{Dir: t.path, Listing: f.listing, Fallback: f.fallback.value}
		return one, err
	case kindPython:
		if err == nil {
			one.python, err = f.python.config(t, f.env)
		}
		if c.IsSet(f.timeout.name) {
			get(&err, &one.python.BlockTimeout, &f.timeout)
		}
		get(&err, &one.python.MaxBodyBytes, &f.maxBody)
		return one, err
	case kindCGI:
		one.cgi.Dir = t.path
	case kindProgram:
		one.cgi.Script = t.path
	}
	one.cgi.Env = f.env
	get(&err, &one.cgi.Timeout, &f.timeout)
	get(&err, &one.cgi.MaxBodyBytes, &f.maxBody)
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
func (f *runFlags) welcome(w io.Writer, addr net.Addr, root string, t target, beside []mount) {
	here, elsewhere := urls(addr)
	if t.found != "" {
		fmt.Fprintf(w, "gale has found %s\n", t.found)
	}
	fmt.Fprintf(w, "gale serves %v\n  on %s/\n", t, here)
	for _, one := range beside {
		fmt.Fprintf(w, "  and %v on %s%s/\n", one.target(), here, one.path)
	}
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
