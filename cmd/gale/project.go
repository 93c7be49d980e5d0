package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// project is an application of Python that was found in a folder.
type project struct {
	app     string // "module:attribute"
	factory bool   // the attribute makes the application
	what    string // what was found, for people
}

// findProject looks for an application of Python in a folder: a Django project, or a
// module of a usual name that makes an application.
func findProject(folder string) (project, bool) {
	if p, ok := findDjango(folder); ok {
		return p, true
	}
	for _, module := range []string{"app", "main", "asgi", "wsgi", "application"} {
		text, err := readStart(filepath.Join(folder, module+".py"))
		if err != nil {
			continue
		}
		for _, form := range applicationForms {
			if m := form.pattern.FindSubmatch(text); m != nil {
				p := project{app: module + ":" + string(m[1]), factory: form.factory, what: "the module " + module + ".py"}
				if len(m) > 2 && len(m[2]) > 0 {
					p.what = fmt.Sprintf("an application of %s in %s.py", m[2], module)
				}
				return p, true
			}
		}
	}
	return project{}, false
}

// applicationForms are how a module has its application, the surest first.
var applicationForms = []struct {
	pattern *regexp.Regexp
	factory bool
}{
	{regexp.MustCompile(`(?m)^(\w+)(?:\s*:[^=\n]+)?\s*=\s*(?:[\w.]+\.)?(Flask|FastAPI|Starlette|Quart|Litestar|Sanic|Bottle|Falcon|ASGIApp|WSGIApp)\(`), false},
	{regexp.MustCompile(`(?m)^(app|application)\s*=`), false},
	{regexp.MustCompile(`(?m)^(?:async\s+)?def\s+(app|application)\(`), false},
	{regexp.MustCompile(`(?m)^def\s+(create_app|make_app)\(\s*\)`), true},
}

var (
	djangoSettings = regexp.MustCompile(`DJANGO_SETTINGS_MODULE["']\s*,\s*["']([\w.]+)["']`)
	asksForASGI    = regexp.MustCompile(`(?m)^ASGI_APPLICATION\s*=`)
)

// findDjango looks for manage.py, which names the settings. The application is beside
// them: by WSGI, for which most views are written, unless the settings have one by ASGI.
func findDjango(folder string) (project, bool) {
	text, err := readStart(filepath.Join(folder, "manage.py"))
	if err != nil {
		return project{}, false
	}
	m := djangoSettings.FindSubmatch(text)
	if m == nil {
		return project{}, false
	}
	settings := string(m[1])
	path := filepath.Join(append([]string{folder}, strings.Split(settings, ".")...)...)
	order := []string{"wsgi", "asgi"}
	if text, err := readStart(path + ".py"); err == nil && asksForASGI.Match(text) {
		slices.Reverse(order)
	}
	for module := settings; module != ""; { // settings may lie deeper than the application
		module = module[:max(strings.LastIndexByte(module, '.'), 0)]
		path = filepath.Dir(path)
		for _, name := range order {
			if exists(filepath.Join(path, name+".py")) {
				return project{
					app:  strings.TrimPrefix(module+"."+name+":application", "."),
					what: "a Django project with the settings " + settings,
				}, true
			}
		}
	}
	return project{}, false
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// readStart reads a file, at most the first 256 KiB.
func readStart(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p := make([]byte, 256<<10)
	n, err := f.Read(p)
	return p[:max(n, 0)], err
}

var (
	// pythonName is module:attribute, with () for an attribute that makes the application.
	pythonName = regexp.MustCompile(`^([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)(\(\))?$`)
	moduleName = regexp.MustCompile(`^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*$`)
)

// findPython makes a target of the name of an application: module:attribute, a module
// below dir, or a file of Python.
func findPython(name, dir string) (t target, ok bool) {
	if m := pythonName.FindStringSubmatch(name); m != nil {
		return target{kind: kindPython, path: dir, app: m[1] + ":" + m[2], factory: m[3] != ""}, true
	}
	if file, ok := strings.CutSuffix(name, ".py"); ok && exists(filepath.Join(dir, name)) && moduleName.MatchString(filepath.Base(file)) {
		return target{kind: kindPython, path: filepath.Dir(filepath.Join(dir, name)), app: filepath.Base(file)}, true
	}
	if moduleName.MatchString(name) {
		path := filepath.Join(append([]string{dir}, strings.Split(name, ".")...)...)
		if exists(path+".py") || exists(filepath.Join(path, "__init__.py")) {
			return target{kind: kindPython, path: dir, app: name}, true
		}
	}
	return target{}, false
}
