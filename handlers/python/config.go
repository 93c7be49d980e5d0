package python

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/gale-server/gale/executor"
	"github.com/gale-server/gale/handlers/hub"
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

	// Path are folders of sys.path behind Dir and before all others. Relative ones are
	// below Dir.
	Path []string

	// Python is the interpreter: a path, or a name in PATH. Default: that of the
	// virtual environment in VIRTUAL_ENV, else of .venv in Dir, else python3 in PATH.
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

	// SendFile lets a WSGI application name a file in a header x-sendfile, which is sent in
	// place of its body. Default: the header goes to the client as any other.
	SendFile bool

	// LogLevel is the level from which the worker's own lines are written: "debug",
	// "info", "warning" or "error". The application's logging is its own. Default: info.
	LogLevel string

	// Workers is the number of processes. Default: the number of processors, at least 2
	// and at most 8: a worker computes on one at a time. A negative value is an error.
	Workers int

	// Threads is how many requests of a WSGI application one worker runs at a time.
	// Default 4: one slow request leaves room for others. A negative value is an error.
	Threads int

	// StartTimeout bounds the time from the start of a worker to its readiness: the
	// import of the application, and its lifespan.startup. It also bounds how long a
	// request waits if no worker is ready. Default 60 s: large applications import for
	// long on a busy machine.
	StartTimeout time.Duration

	// StopTimeout bounds the end of a worker: two thirds of it for what it still does,
	// the rest for lifespan.shutdown. Then it is killed. Default 30 s: less than what
	// service managers wait.
	StopTimeout time.Duration

	// RetireTimeout is how long a worker that was replaced goes on with its requests and
	// WebSockets, before StopTimeout begins. Default 5 min: a large download ends, and
	// WebSockets that stay open do not keep old code for ever.
	RetireTimeout time.Duration

	// BlockedAfter is how long the event loop of a worker may stand still before the log
	// says so, with the stack that blocks it. Default 1 s: nobody waits that long gladly,
	// and a long import or a collection of garbage is shorter. Negative: it is never told.
	BlockedAfter time.Duration

	// BlockTimeout is how long the event loop of a worker may stand still before the
	// worker is killed and replaced. Default 5 min: what computes that long in the loop
	// does not end. A worker that is busy otherwise is never killed.
	BlockTimeout time.Duration

	// MaxRequests is after how many requests, WebSockets and jobs a worker is replaced.
	// Default: never. Its successor is ready before, and no request is dropped.
	MaxRequests int64

	// MaxResidentBytes is how much memory a worker may hold; one that holds more is
	// replaced, but not within a minute of its start: what an application needs from the
	// start is no leak. Default: none, since the right bound depends on the application.
	// Linux only.
	MaxResidentBytes int64

	// MaxAge is how old a worker may get before it is replaced. Default: any age.
	MaxAge time.Duration

	// JitterPercent is by how much of MaxRequests, MaxResidentBytes and MaxAge a worker
	// is replaced earlier, at most and by chance, so that not all are replaced at once.
	// Default 10. Negative: by nothing.
	JitterPercent int

	// MaxMemoryBytes bounds the address space of a worker (RLIMIT_AS), beside what the
	// interpreter has as it begins: allocating more fails, in the worker. Default: none;
	// libraries reserve far more than they use. Linux only.
	MaxMemoryBytes int64

	// MaxFiles bounds the descriptors of a worker (RLIMIT_NOFILE). Default: the limit of
	// this process. Linux only.
	MaxFiles int

	// Backoff is the pause before a worker is started when the last two ended badly; it
	// doubles with every further one, up to MaxBackoff, until one has lived for
	// MaxBackoff. Default 100 ms and 30 s. A negative value is an error.
	Backoff    time.Duration
	MaxBackoff time.Duration

	// MaxOutputLines bounds the lines per second of one worker's stdout and stderr that
	// are logged. The rest is read, dropped and counted. Default 1000.
	MaxOutputLines int

	// MaxCalls bounds the calls of one worker's client module that are under way at the
	// same time; further ones fail as saturated. Default 64: each may hold a message of
	// 1 MiB. A negative value is an error.
	MaxCalls int

	// MaxJobs bounds the jobs of [Handler.Run] that one worker has at the same time;
	// beyond it [ErrBusy] is the error. Default 64, for the same reason. A negative value
	// is an error.
	MaxJobs int

	// MaxWaiting bounds the requests that wait for a worker; beyond it the answer is 503.
	// They wait while none is ready, for at most StartTimeout, and requests of WSGI while
	// all threads are busy. Default 1024. Negative: none waits.
	MaxWaiting int

	// MaxBodyBytes bounds the body of a request of WSGI, which is kept until all of it is
	// there: in memory, then in a file. Default 256 MiB. The bodies of ASGI have the bound
	// of the server.
	MaxBodyBytes int64

	// MaxSpoolBytes bounds what is kept of all requests and responses of WSGI together,
	// for clients that are slow. Requests beyond it are answered with 503; threads wait
	// for clients. Default 1 GiB.
	MaxSpoolBytes int64

	// TempDir is where requests and responses are kept that do not fit into memory.
	// Default: that of the system.
	TempDir string

	// MaxHeldBytes bounds what is on its way to the applications of one worker, and not
	// yet received by them: above it each request may have 16 KiB there and not 256.
	// Default 64 MiB.
	MaxHeldBytes int64

	// MaxMessageBytes bounds a message of a WebSocket that the application sends.
	// Default 64 MiB: more than that is no message.
	MaxMessageBytes int64

	// Hub is what the client module publishes to. Default: none, and calls that need one
	// fail.
	Hub *hub.Hub

	// Executor has the classes that gale.run of the client module names. Default: none.
	Executor *executor.Executor

	// Jobs are what gale.run may run on a class of Executor, by name.
	Jobs map[string]Job

	// Watch reloads the application when a file of Python below Dir or Path changes. A
	// worker that does not start with the new code shows its traceback; the old ones
	// serve on until the next change. For development only.
	Watch bool

	// Logger receives what workers write to stdout and stderr, line by line, and what
	// becomes of them. Default: slog.Default().
	Logger *slog.Logger
}

// noLimit stands for a limit that is never reached.
const noLimit = math.MaxInt64

// withDefaults returns c with every default put in, and every "none" written as
// noLimit.
func (c Config) withDefaults() (Config, error) {
	if err := c.check(); err != nil {
		return c, err
	}
	standard(&c.Mode, "auto")
	standard(&c.Loop, "auto")
	standard(&c.Lifespan, "auto")
	standard(&c.LogLevel, "info")
	standard(&c.Workers, min(max(runtime.NumCPU(), 2), 8))
	standard(&c.Threads, 4)
	standard(&c.Backoff, 100*time.Millisecond)
	standard(&c.MaxBackoff, 30*time.Second)
	standard(&c.MaxCalls, 64)
	standard(&c.MaxJobs, 64)
	standard(&c.JitterPercent, 10)
	c.JitterPercent = max(c.JitterPercent, 0)
	orDefault(&c.StartTimeout, 60*time.Second)
	orDefault(&c.StopTimeout, 30*time.Second)
	orDefault(&c.RetireTimeout, 5*time.Minute)
	orDefault(&c.BlockedAfter, time.Second)
	orDefault(&c.BlockTimeout, 5*time.Minute)
	orDefault(&c.MaxRequests, noLimit)
	orDefault(&c.MaxResidentBytes, noLimit)
	orDefault(&c.MaxAge, noLimit)
	orDefault(&c.MaxMemoryBytes, noLimit)
	orDefault(&c.MaxFiles, noLimit)
	orDefault(&c.MaxOutputLines, 1000)
	if standard(&c.MaxWaiting, 1024); c.MaxWaiting < 0 {
		c.MaxWaiting = 0
	}
	orDefault(&c.MaxBodyBytes, 256<<20)
	orDefault(&c.MaxSpoolBytes, 1<<30)
	orDefault(&c.MaxHeldBytes, 64<<20)
	orDefault(&c.MaxMessageBytes, 64<<20)
	standard(&c.Logger, slog.Default())
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return c, fmt.Errorf("python: Config: Dir: %w", err)
	}
	c.Dir = dir
	c.Path = slices.Clone(c.Path)
	for i, p := range c.Path {
		if !filepath.IsAbs(p) {
			c.Path[i] = filepath.Join(dir, p)
		}
	}
	return c, nil
}

func (c *Config) check() error {
	switch {
	case c.App == "":
		return errors.New("python: Config: App is required")
	case c.Workers < 0 || c.Threads < 0 || c.MaxCalls < 0 || c.MaxJobs < 0 || c.Backoff < 0 || c.MaxBackoff < 0:
		return errors.New("python: Config: a negative value of Workers, Threads, MaxCalls, MaxJobs or Backoff")
	case c.JitterPercent > 100:
		return errors.New("python: Config: JitterPercent is more than 100")
	}
	for _, word := range []struct {
		field, value string
		known        []string
	}{
		{"Mode", c.Mode, []string{"asgi", "wsgi", "auto"}},
		{"Loop", c.Loop, []string{"asyncio", "uvloop", "auto"}},
		{"Lifespan", c.Lifespan, []string{"on", "off", "auto"}},
		{"LogLevel", c.LogLevel, []string{"debug", "info", "warning", "error"}},
	} {
		if word.value != "" && !slices.Contains(word.known, word.value) {
			return fmt.Errorf("python: Config: %s is %q, and not one of %s", word.field, word.value, strings.Join(word.known, ", "))
		}
	}
	for _, v := range c.Env {
		if name, _, ok := strings.Cut(v, "="); !ok || name == "" || strings.IndexByte(v, 0) >= 0 {
			return fmt.Errorf("python: Config: Env: %q is not of the form NAME=value", v)
		}
	}
	return nil
}

// standard puts the default in for the zero value.
func standard[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
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
