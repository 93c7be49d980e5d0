package worker

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/gale-server/gale/internal/longtest"
)

// TestWorker runs the tests in testdata, which are in Python as the worker is:
// they play gale's part on the wire, against real worker processes. The long run
// has every version of CPython that the machine has.
func TestWorker(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("SKIPPED: python3 is not installed")
	}
	interpreters := []string{python}
	if longtest.On() {
		interpreters = append(interpreters, others(t)...)
	}
	for _, python := range interpreters {
		t.Run(filepath.ToSlash(python), func(t *testing.T) {
			cmd := exec.Command(python, "-m", "unittest", "discover", "-s", "testdata", "-t", "testdata")
			cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "PYTHONPATH=.")
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if skipped := regexp.MustCompile(`(?m)^.*SKIPPED.*$`).FindAllString(string(out), -1); skipped != nil {
				t.Logf("%q", skipped)
			}
		})
	}
}

// others returns CPython 3.8 and later as far as they are found.
func others(t *testing.T) []string {
	var found []string
	for _, minor := range []string{"8", "9", "10", "11", "12", "13", "14"} {
		candidates, _ := filepath.Glob(os.ExpandEnv("$HOME/.pyenv/versions/3." + minor + ".*/bin/python"))
		for _, python := range append(candidates, "python3."+minor) {
			if exec.Command(python, "-c", "").Run() == nil {
				found = append(found, python)
				break
			}
		}
	}
	t.Logf("interpreters: %q", found)
	return found
}

// TestSources holds the modules to what boot.py imports.
func TestSources(t *testing.T) {
	sources := Sources()
	for _, name := range []string{"gale", "gale._worker", "gale._wire", "gale._asgi"} {
		if sources[name] == "" {
			t.Errorf("there is no module %s", name)
		}
	}
	if len(Boot()) > 64<<10 {
		t.Errorf("the program for python -c has %d bytes: Linux allows 128 KiB for one argument", len(Boot()))
	}
}
