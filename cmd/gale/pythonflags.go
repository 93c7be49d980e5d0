package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/gale-server/gale/handlers/python"
	"github.com/gale-server/gale/handlers/static"
)

// pythonFlags say how an application of Python is run, in the words of uvicorn and
// gunicorn.
type pythonFlags struct {
	wsgi, asgi, factory, reload bool

	appDir      setting[string]
	interpreter setting[string]
	loop        setting[string]
	lifespan    setting[string]
	workers     setting[int]
	threads     setting[int]
	maxRequests setting[int64]
	maxMemory   setting[int64]
	static      []string
}

func newPythonFlags() *pythonFlags {
	return &pythonFlags{
		appDir:      setting[string]{name: "app-dir", usage: "import the application from this `DIR`", value: ".", parse: asIs},
		interpreter: setting[string]{name: "python", usage: "run it by this `INTERPRETER`; without: that of VIRTUAL_ENV, of .venv, or python3", parse: asIs},
		loop:        setting[string]{name: "loop", usage: "the event `LOOP` of Python: auto, asyncio or uvloop", value: "auto", parse: oneOf("auto", "asyncio", "uvloop")},
		lifespan:    setting[string]{name: "lifespan", usage: "the lifespan events: `auto|on|off`; auto goes on without if the application does not know them", value: "auto", parse: oneOf("auto", "on", "off")},
		workers:     setting[int]{name: "workers", usage: "run this `NUMBER` of processes; 0 is one for each core, at least 2", value: "0", parse: parseWorkers},
		threads:     setting[int]{name: "threads", usage: "let a process answer this `NUMBER` of WSGI requests at the same time", value: "4", parse: parseProcesses},
		maxRequests: setting[int64]{name: "max-requests", usage: "replace a process after this `NUMBER` of requests, and up to a tenth earlier", parse: parseCount},
		maxMemory:   setting[int64]{name: "max-memory", usage: "replace a process that holds more memory than this `SIZE`", parse: parseBytes},
	}
}

func (f *pythonFlags) flags() []cli.Flag {
	workers := f.workers.flag()
	workers.(*cli.StringFlag).Aliases = []string{"w"}
	return []cli.Flag{
		&cli.BoolFlag{Name: "wsgi", Usage: "the application is one of WSGI, whatever it looks like", Destination: &f.wsgi},
		&cli.BoolFlag{Name: "asgi", Usage: "the application is one of ASGI, whatever it looks like", Destination: &f.asgi},
		&cli.BoolFlag{Name: "factory", Usage: "the target is a function that makes the application", Destination: &f.factory},
		&cli.BoolFlag{Name: "reload", Usage: "start the application anew when a file of it changes; for development", Destination: &f.reload},
		&cli.StringSliceFlag{Name: "static", Usage: "serve what is under a path from a folder, `PATH=DIR`, beside the application; may be given several times", Destination: &f.static},
		f.appDir.flag(), f.interpreter.flag(), f.loop.flag(), f.lifespan.flag(), workers, f.threads.flag(), f.maxRequests.flag(), f.maxMemory.flag(),
	}
}

func parseWorkers(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > 1000 {
		return 0, fmt.Errorf("%q is no number from 0 to 1000", s)
	}
	return n, nil
}

func parseCount(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%q is no number above 0", s)
	}
	return n, nil
}

// given is the name of a flag that was given and is for applications of Python only.
func (f *pythonFlags) given(c *cli.Command) string {
	for name, on := range map[string]bool{"wsgi": f.wsgi, "asgi": f.asgi, "factory": f.factory, "reload": f.reload, "static": len(f.static) > 0} {
		if on {
			return name
		}
	}
	for _, flag := range []given{&f.interpreter, &f.loop, &f.lifespan, &f.workers, &f.threads, &f.maxRequests, &f.maxMemory} {
		if flag.given(c, false) {
			return flag.flagName()
		}
	}
	return ""
}

// config is what is run for a target.
func (f *pythonFlags) config(t target, env []string) (config python.Config, err error) {
	config = python.Config{App: t.app, Dir: t.path, Factory: f.factory || t.factory, Watch: f.reload, Python: f.interpreter.value}
	switch {
	case f.wsgi && f.asgi:
		return config, usagef("--wsgi and --asgi exclude one another")
	case f.wsgi:
		config.Mode = "wsgi"
	case f.asgi:
		config.Mode = "asgi"
	}
	if len(env) > 0 {
		config.Env = append(os.Environ(), env...)
	}
	get(&err, &config.Loop, &f.loop)
	get(&err, &config.Lifespan, &f.lifespan)
	get(&err, &config.Workers, &f.workers)
	get(&err, &config.Threads, &f.threads)
	if f.maxRequests.value != "" {
		get(&err, &config.MaxRequests, &f.maxRequests)
	}
	if f.maxMemory.value != "" {
		get(&err, &config.MaxResidentBytes, &f.maxMemory)
	}
	if f.reload && config.Workers == 0 {
		config.Workers = 1 // who develops reads one log
	}
	return config, err
}

// mounts are the folders that are served beside the application.
func (f *pythonFlags) mounts() (list []mount, err error) {
	for _, text := range f.static {
		path, folder, ok := strings.Cut(text, "=")
		if !ok || folder == "" {
			return nil, usagef("--static: %q is no folder under a path; write PATH=DIR, for example /static=./static", text)
		}
		one := mount{is: kindStatic, static: static.Config{Dir: folder}}
		if one.path, err = parseMount(strings.TrimSuffix(path, "/")); err != nil {
			return nil, usagef("--static: %w", err)
		}
		list = append(list, one)
	}
	return list, nil
}
