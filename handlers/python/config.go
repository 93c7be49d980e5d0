package python

import (
	"errors"
	"log/slog"
	"math"
	"runtime"
	"time"
)

// Config says which application is run, by how many workers, and within which
// bounds. In every field zero means the default. A negative limit or time means
// none, unless the field says what it means.
//
// Not safe for concurrent use; [New] takes a copy.
type Config struct {
	// App is the application, as "module:attribute"; the attribute may have dots.
	// Without an attribute the usual names are tried. Required.
	App string

	// Mode is "asgi", "wsgi" or "auto". Default: auto, which looks at the application.
	Mode string

	// Factory says that the attribute is a function that makes the application.
	Factory bool

	// Dir is the working directory of the workers, and the first folder of sys.path.
	// Default: that of this process.
	Dir string

	// Path are folders that come before the others of sys.path, behind Dir.
	Path []string

	// Python is the interpreter: a path, or a name in PATH. Default: that of the
	// virtual environment in VIRTUAL_ENV, else of .venv below Dir, else python3 in PATH.
	Python string

	// Env is the environment of the workers, as "NAME=value". Default: that of this
	// process. What a service manager told this process about its sockets is left out.
	Env []string

	// Loop is "asyncio", "uvloop" or "auto". Default: auto, which takes uvloop if it can
	// be imported.
	Loop string

	// Lifespan is "on", "off" or "auto". Default: auto, which goes on without where the
	// application does not know it. With "on" that is an error.
	Lifespan string

	// RootPath is where the application is mounted, such as "/api". Default: at the root.
	RootPath string

	// Workers is the number of processes. Default: the number of processors, 2 to 8: a
	// worker runs Python on one at a time. A negative value is an error.
	Workers int

	// Threads is how many requests of a WSGI application one worker runs at a time.
	// Default 4. A negative value is an error.
	Threads int

	// StartTimeout bounds the time from the start of a worker to its readiness: the
	// import of the application, and its lifespan startup. Default 60 s: large
	// applications import for long on a busy machine.
	StartTimeout time.Duration

	// Logger receives what workers write to stdout and stderr, line by line, and what
	// becomes of them. Default: slog.Default().
	Logger *slog.Logger
}

// noLimit stands for a limit that is never reached.
const noLimit = math.MaxInt64

// withDefaults returns c with every default put in, and every "none" written as
// noLimit.
func (c Config) withDefaults() (Config, error) {
	switch {
	case c.App == "":
		return c, errors.New("python: Config: App is required")
	case c.Workers < 0 || c.Threads < 0:
		return c, errors.New("python: Config: a negative value of Workers or Threads")
	}
	if c.Workers == 0 {
		c.Workers = min(max(runtime.NumCPU(), 2), 8)
	}
	if c.Threads == 0 {
		c.Threads = 4
	}
	orDefault(&c.StartTimeout, 60*time.Second)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c, nil
}

// orDefault puts the default in for zero, and noLimit for what is negative.
func orDefault[T int | int64 | time.Duration](v *T, def T) {
	switch {
	case *v == 0:
		*v = def
	case *v < 0:
		*v = noLimit
	}
}
