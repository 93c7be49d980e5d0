package python

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestInterpreter(t *testing.T) {
	dir := t.TempDir()
	say := func(version string) string { return "echo " + version + " cpython" }
	asked := script(t, dir, "asked", say("3 12 1"))
	script(t, dir, "venv/bin/python", say("3 9 0"))
	script(t, dir, "bin/python3", say("3 8 0"))
	project := filepath.Join(dir, "project")
	script(t, dir, "behind", say("3 10 2"))
	if err := os.MkdirAll(filepath.Join(project, ".venv/bin"), 0o777); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(project, ".venv/bin/python")
	if err := os.Symlink(filepath.Join(dir, "behind"), link); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", filepath.Join(dir, "bin")+":/usr/bin:/bin")
	t.Setenv("VIRTUAL_ENV", "")
	for name, test := range map[string]struct {
		config        Config
		path, version string
	}{
		"asked for":               {Config{Python: asked, Dir: project, Env: []string{"VIRTUAL_ENV=" + dir + "/venv"}}, asked, "3.12.1"},
		"asked for by name":       {Config{Python: "python3", Dir: project}, dir + "/bin/python3", "3.8.0"},
		"of VIRTUAL_ENV":          {Config{Dir: project, Env: []string{"VIRTUAL_ENV=x", "VIRTUAL_ENV=" + dir + "/venv"}}, dir + "/venv/bin/python", "3.9.0"},
		"of .venv, as it is":      {Config{Dir: project}, link, "3.10.2"},
		"of PATH":                 {Config{Dir: dir}, dir + "/bin/python3", "3.8.0"},
		"without an environment ": {Config{Dir: dir, Env: []string{}}, dir + "/bin/python3", "3.8.0"},
	} {
		t.Run(name, func(t *testing.T) {
			py, err := test.config.findInterpreter(limited(t))
			if err != nil || py.path != test.path || py.version != test.version || py.implementation != "cpython" {
				t.Errorf("%+v, %v", py, err)
			}
		})
	}
}

func TestInterpreterErrors(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("VIRTUAL_ENV", "")
	if err := os.MkdirAll(filepath.Join(dir, "p/.venv/bin"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/nothing/of/this/name", filepath.Join(dir, "p/.venv/bin/python")); err != nil {
		t.Fatal(err)
	}
	for says, config := range map[string]Config{
		"is Python 3.7.17; 3.8 or later is needed": {Python: script(t, dir, "old", "echo 3 7 17 cpython")},
		"is Python 2.7.18; 3.8":                    {Python: script(t, dir, "ancient", "echo 2 7 18 cpython")},
		"is Python 4.0.0; 3.8":                     {Python: script(t, dir, "new", "echo 4 0 0 cpython")},
		"is not Python":                            {Python: script(t, dir, "other", "echo usage: other")},
		"exit status 3":                            {Python: script(t, dir, "broken", "echo no module named encodings >&2; exit 3")},
		`wrote "no module named encodings"`:        {Python: filepath.Join(dir, "broken")},
		"no interpreter \"python9\"":               {Python: "python9"},
		"in VIRTUAL_ENV":                           {Env: []string{"VIRTUAL_ENV=" + dir}},
		"virtual environment .venv":                {Dir: filepath.Join(dir, "p")},
	} {
		_, err := config.findInterpreter(limited(t))
		var start *StartError
		if !errors.As(err, &start) || start.Kind != "interpreter" || start.Advice == "" || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v, want %s", err, says)
		}
	}
	t.Setenv("PATH", dir)
	config := Config{Dir: dir}
	if _, err := config.findInterpreter(limited(t)); err == nil || !strings.Contains(err.Error(), "no python3 in PATH") {
		t.Error(err)
	}
}

// A worker of a virtual environment is in it: the link to the interpreter was not
// resolved.
func TestVirtualEnvironment(t *testing.T) {
	python := needsPython(t)
	config := application(t, "import sys\nprint('prefix', sys.prefix, sys.prefix == sys.base_prefix)\n"+plain)
	config.Python = ""
	t.Setenv("VIRTUAL_ENV", "")
	config.Env = nil
	t.Setenv("PYTHONDONTWRITEBYTECODE", "1")
	bin := filepath.Join(config.Dir, ".venv/bin")
	if err := os.MkdirAll(bin, 0o777); err != nil {
		t.Fatal(err)
	}
	write(t, config.Dir+"/.venv", "pyvenv.cfg", "home = "+filepath.Dir(python)+"\n")
	if err := os.Symlink(python, filepath.Join(bin, "python")); err != nil {
		t.Fatal(err)
	}
	p := started(t, config)
	p.log.wait(t, 1, "prefix "+config.Dir+"/.venv False")
}
