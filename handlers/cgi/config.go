package cgi

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/executor"
)

// Config says which programs are run, and within which bounds. In every field zero
// means the default. A negative limit or time means none, unless the field says
// what it means.
//
// Not safe for concurrent use; [New] takes a copy.
type Config struct {
	// Dir is a folder of programs, absolute or relative to the process's: a path
	// below the handler's mount names an executable file below Dir, and what follows
	// it is PATH_INFO. Either Dir or Script is required.
	Dir string

	// Script is one program that is run for every path below the mount; the whole
	// path is PATH_INFO. git http-backend is such a program.
	Script string

	// Class runs the programs, and is required. Its workers are the programs that
	// run at once; its queue and its MaxQueueTime bound the requests that wait, and its
	// ClientJobs those of one client: an address, or of IPv6 its /64. What it refuses is
	// answered with 503 and Retry-After, or with 429 if it is this client that has too
	// many.
	Class *executor.Class

	// Blocking is where files are looked up and bodies are written to a disk before
	// a program can run. Default: Class.
	Blocking *executor.Class

	// Redirect answers local redirects: what a script says with nothing but
	// "Location: /path". It is commonly the handler of the whole server, and gets the
	// root path RedirectRoot. Default: this handler, for paths below its mount.
	Redirect     asgi.Handler
	RedirectRoot string

	// Logger receives what programs write to their standard error, line by line, and
	// what is odd about them but fails no request. Why a request failed is the
	// error that the server logs. Default: slog.Default().
	Logger *slog.Logger

	// Env is added to the environment of every program, as "NAME=value". It takes
	// precedence over everything else there.
	Env []string

	// PassEnv are the names of variables that programs inherit from this process.
	// Default: TZ, LANG and LC_ALL, which hold no secrets. An empty list that is not
	// nil passes none. PATH is not inherited: it is /usr/local/bin:/usr/bin:/bin
	// unless it is in PassEnv or Env.
	PassEnv []string

	// PassAuthorization passes the field Authorization, with its secret, to programs:
	// RFC 3875 section 4.1.18 advises against it.
	PassAuthorization bool

	// User says who the server, or a handler around this one, has found the client to
	// be: REMOTE_USER and AUTH_TYPE. An empty name sets neither. It is called on a loop
	// and must not block. Default: nobody.
	User func(*asgi.Scope) (name, authType string)

	// DocumentRoot is the variable DOCUMENT_ROOT, and what PATH_TRANSLATED begins
	// with. Default: Dir, or the folder of Script.
	DocumentRoot string

	// Software is the variable SERVER_SOFTWARE. Default: "gale".
	Software string

	// TempDir is where large bodies are kept until their program has ended. Their
	// files have no names. Default: os.TempDir().
	TempDir string

	// HeaderTimeout bounds the time from the start of a program to the end of its
	// header, which is answered with 504. Default 60 s: what most front servers wait.
	HeaderTimeout time.Duration

	// Timeout bounds the whole run of a program, the time in which a slow client reads
	// its output included. Default 10 min: a large clone over a slow line.
	Timeout time.Duration

	// KillGrace is the time between SIGTERM and SIGKILL. It is also how long the output
	// of a program that has ended is read if another process holds it open, and how
	// long a program may run that has closed its output. Default 2 s: a worker is held
	// meanwhile. Negative: no time at all.
	KillGrace time.Duration

	// MaxBodyBytes bounds the body of a request; beyond it the answer is 413.
	// Default 256 MiB: a large push. The server has a bound of its own.
	MaxBodyBytes int64

	// SpoolMemoryBytes is how much of a body is kept in memory; the rest goes to a
	// file. Default 64 KiB: what a pipe takes, so that no file is needed at all.
	// Negative: everything goes to the file.
	SpoolMemoryBytes int64

	// MaxSpoolBytes bounds the bodies of all requests together, in memory and in
	// files, until their programs have ended; beyond it the answer is 503. Default
	// 1 GiB: what a small disk has to spare.
	MaxSpoolBytes int64

	// MaxHeadBytes bounds the header that a program writes; a larger one is answered
	// with 502. Default 64 KiB: what clients take.
	MaxHeadBytes int64

	// MaxOutputBytes bounds the body that a program writes; a program that writes more
	// is ended and its response cut short. Default 4 GiB: a large clone.
	MaxOutputBytes int64

	// MaxStderrBytes bounds what is logged of one program's standard error; the rest is
	// read and dropped. Default 64 KiB: a long stack trace.
	MaxStderrBytes int64

	// MaxEnvBytes bounds the environment of a program; a request that would make it
	// larger is answered with 431. Default 128 KiB: twice what the fields of a request may
	// have, and far below what the kernel takes.
	MaxEnvBytes int64

	// Limits are those of each process, by setrlimit(2). Default: none, since the
	// right ones depend on the programs. Linux only.
	Limits Limits
}

// Limits bound each process that a request starts. Zero and negative mean that a
// process has the limits of the server.
type Limits struct {
	MemoryBytes int64 // of address space (RLIMIT_AS); Go, Java and node.js reserve far more than they use
	CPUSeconds  int64 // of processor time (RLIMIT_CPU)
	Files       int64 // that are open at once (RLIMIT_NOFILE)
	FileBytes   int64 // size of a file that is written (RLIMIT_FSIZE)
}

// given reports whether there is any.
func (l Limits) given() bool {
	return l.MemoryBytes > 0 || l.CPUSeconds > 0 || l.Files > 0 || l.FileBytes > 0
}

const defaultPath = "/usr/local/bin:/usr/bin:/bin"

// noLimit stands for a limit that is never reached.
const noLimit = math.MaxInt64

// withDefaults returns c with every default put in, and every "none" written as
// noLimit.
func (c Config) withDefaults() (Config, error) {
	switch {
	case (c.Dir == "") == (c.Script == ""):
		return c, errors.New("cgi: Config: either Dir or Script is required")
	case c.Class == nil:
		return c, errors.New("cgi: Config: Class is required")
	case c.Limits.given() && !haveLimits:
		return c, errors.New("cgi: Config: Limits are for Linux only")
	}
	for _, v := range c.Env {
		if name, _, ok := strings.Cut(v, "="); !ok || name == "" || strings.IndexByte(v, 0) >= 0 {
			return c, fmt.Errorf("cgi: Config: Env: %q is not of the form NAME=value", v)
		}
	}
	if c.Blocking == nil {
		c.Blocking = c.Class
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.PassEnv == nil {
		c.PassEnv = []string{"TZ", "LANG", "LC_ALL"}
	}
	if c.Software == "" {
		c.Software = "gale"
	}
	if c.TempDir == "" {
		c.TempDir = os.TempDir()
	}
	orDefault(&c.HeaderTimeout, 60*time.Second)
	orDefault(&c.Timeout, 10*time.Minute)
	if c.KillGrace < 0 {
		c.KillGrace = 1 // as good as none
	}
	orDefault(&c.KillGrace, 2*time.Second)
	orDefault(&c.MaxBodyBytes, 256<<20)
	if c.SpoolMemoryBytes < 0 {
		c.SpoolMemoryBytes = 1
	}
	orDefault(&c.SpoolMemoryBytes, 64<<10)
	orDefault(&c.MaxSpoolBytes, 1<<30)
	orDefault(&c.MaxHeadBytes, 64<<10)
	orDefault(&c.MaxOutputBytes, 4<<30)
	orDefault(&c.MaxStderrBytes, 64<<10)
	orDefault(&c.MaxEnvBytes, 128<<10)
	return c, c.resolve()
}

// orDefault puts the default in for zero, and noLimit for what is negative.
func orDefault[T int64 | time.Duration](v *T, def T) {
	switch {
	case *v == 0:
		*v = def
	case *v < 0:
		*v = noLimit
	}
}

// resolve makes paths absolute, and looks whether they are there.
func (c *Config) resolve() (err error) {
	if c.Dir != "" {
		if c.Dir, err = filepath.Abs(c.Dir); err == nil {
			c.DocumentRoot, err = c.documentRoot(c.Dir)
		}
	} else if c.Script, err = filepath.Abs(c.Script); err == nil {
		c.DocumentRoot, err = c.documentRoot(filepath.Dir(c.Script))
	}
	if err == nil && c.Script != "" {
		var info os.FileInfo
		if info, err = os.Stat(c.Script); err == nil {
			err = runnable(info)
		}
	}
	if err != nil {
		return fmt.Errorf("cgi: Config: %w", err)
	}
	return nil
}

func (c *Config) documentRoot(def string) (string, error) {
	if c.DocumentRoot == "" {
		return def, nil
	}
	return filepath.Abs(c.DocumentRoot)
}

// fixedEnv is the part of the environment that is the same for every program, and
// the names in it.
func (c *Config) fixedEnv() (env []string, names map[string]bool) {
	names = make(map[string]bool)
	add := func(v string) {
		name, _, _ := strings.Cut(v, "=")
		if !names[name] {
			names[name] = true
			env = append(env, v)
		}
	}
	for _, v := range slices.Backward(c.Env) { // the last one of a name counts
		add(v)
	}
	for _, name := range c.PassEnv {
		if value, ok := os.LookupEnv(name); ok {
			add(name + "=" + value)
		}
	}
	add("PATH=" + defaultPath)
	return env, names
}
