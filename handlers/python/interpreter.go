package python

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gale-server/gale/executor/subprocess"
)

// The oldest version of Python that a worker runs on.
const leastMajor, leastMinor = 3, 8

// probeTimeout bounds the question after the version. A cold disk takes seconds.
const probeTimeout = 30 * time.Second

// interpreter is a Python that was found and asked.
type interpreter struct {
	path           string // as it was found: to resolve a link would leave a virtual environment
	version        string // such as 3.11.2
	implementation string // such as cpython
}

// findInterpreter returns the interpreter that Config says, or why there is none.
func (c *Config) findInterpreter(ctx context.Context) (interpreter, error) {
	path, from, err := c.lookInterpreter()
	if err != nil {
		return interpreter{}, err
	}
	return probe(ctx, path, from, c.Env)
}

// lookInterpreter returns the path of the interpreter, and where it comes from.
func (c *Config) lookInterpreter() (path, from string, err error) {
	if c.Python != "" {
		path, err = exec.LookPath(c.Python)
		if err != nil {
			return "", "", noInterpreter(fmt.Sprintf("there is no interpreter %q: %v", c.Python, errors.Unwrap(err)),
				"give the path of a program, such as /usr/bin/python3")
		}
		path, err = filepath.Abs(path)
		return path, "which was asked for", err
	}
	if dir := c.getenv("VIRTUAL_ENV"); dir != "" {
		return inEnvironment(dir, "of the virtual environment in VIRTUAL_ENV")
	}
	if _, err := os.Lstat(filepath.Join(c.Dir, ".venv", "bin", "python")); err == nil {
		return inEnvironment(filepath.Join(c.Dir, ".venv"), "of the virtual environment .venv")
	}
	path, err = exec.LookPath("python3")
	if err != nil {
		return "", "", noInterpreter("there is no python3 in PATH", "install Python 3.8 or later, or give the path of one")
	}
	path, err = filepath.Abs(path)
	return path, "of PATH", err
}

func inEnvironment(dir, from string) (path, _ string, err error) {
	path, err = filepath.Abs(filepath.Join(dir, "bin", "python"))
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		return "", "", noInterpreter(fmt.Sprintf("there is no interpreter %s, %s", path, from),
			"make the virtual environment again: python3 -m venv --clear "+dir)
	}
	return path, from, nil
}

// getenv looks into the environment that workers get.
func (c *Config) getenv(name string) string {
	if c.Env == nil {
		return os.Getenv(name)
	}
	value := ""
	for _, v := range c.Env {
		if rest, ok := strings.CutPrefix(v, name+"="); ok {
			value = rest
		}
	}
	return value
}

func noInterpreter(message, advice string) error {
	return &StartError{Kind: "interpreter", Message: message, Advice: advice}
}

const versionQuestion = `import sys; print(*sys.version_info[:3], sys.implementation.name)`

// probe asks an interpreter for its version. -I keeps the application's folder and
// environment out of it.
func probe(ctx context.Context, path, from string, env []string) (interpreter, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "-I", "-c", versionQuestion)
	cmd.Env = subprocess.Environ(env)
	cmd.WaitDelay = time.Second // if what it has started holds its output open
	var out, errs subprocess.Capture
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return interpreter{}, &StartError{
			Kind: "interpreter", Message: fmt.Sprintf("%s, %s, does not run: %v", path, from, err), Output: string(errs.Bytes()), Err: err,
			Advice: "try it by hand: " + path + " --version",
		}
	}
	fields := bytes.Fields(out.Bytes())
	if len(fields) != 4 {
		return interpreter{}, noInterpreter(path+", "+from+", is not Python", "give the path of an interpreter, such as /usr/bin/python3")
	}
	major, _ := strconv.Atoi(string(fields[0]))
	minor, _ := strconv.Atoi(string(fields[1]))
	py := interpreter{path, string(bytes.Join(fields[:3], []byte("."))), string(fields[3])}
	if major != leastMajor || minor < leastMinor {
		return interpreter{}, noInterpreter(fmt.Sprintf("%s, %s, is Python %s; %d.%d or later is needed", path, from, py.version, leastMajor, leastMinor),
			"give another interpreter, or make a virtual environment with one")
	}
	return py, nil
}
