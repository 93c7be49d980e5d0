package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// kind is what a target is served as.
type kind string

const (
	kindStatic  kind = "static"  // a folder of files
	kindCGI     kind = "cgi"     // a folder of programs
	kindProgram kind = "program" // one program for all paths
	kindPython  kind = "python"  // an application of Python
)

// target is what gale run is asked to serve.
type target struct {
	kind kind
	path string // absolute; of an application, the folder that it is imported from

	// Of an application of Python:
	app     string // "module:attribute", or the module alone
	factory bool   // the attribute makes the application
	found   string // what it was found by; empty if it was named
}

// findTarget says what a target is, or in one line what was tried. cgi says that a
// folder is one of programs, whatever it looks like. Applications are looked for in dir.
func findTarget(name string, cgi bool, dir string) (target, error) {
	if scheme, _, isURL := strings.Cut(name, "://"); isURL {
		return target{}, usagef("%s: gale serves files and programs of this machine, and is no proxy for %s", name, scheme)
	}
	path, err := filepath.Abs(name)
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		return target{}, usagef("%w", err)
	}
	info, err := os.Stat(path)
	switch {
	case os.IsNotExist(err):
		if t, ok := findPython(name, dir); ok && !cgi {
			return t, nil
		}
		return target{}, usagef("%s: there is no such folder, program or module of Python (looked for %s); an application is named module:attribute", name, path)
	case err != nil:
		return target{}, usagef("%w", err)
	case info.IsDir():
		return folder(path, cgi)
	case isProgram(path, info):
		return target{kind: kindProgram, path: path}, nil
	case cgi:
		return target{}, usagef("%s is no program: it is not executable, or begins neither with #! nor as an executable file does", name)
	}
	if t, ok := findPython(filepath.Base(path), filepath.Dir(path)); ok {
		return t, nil
	}
	return target{}, usagef("%s is a file, and no program: name the folder to serve, %s", name, filepath.Dir(name))
}

// findHere is the target of who names none: an application of Python in a folder.
func findHere(dir string) (target, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return target{}, usagef("%w", err)
	}
	if p, ok := findProject(dir); ok {
		return p.target(dir), nil
	}
	return target{}, usagef("gale run needs a target: there is no manage.py of Django in %s, and no app.py, main.py, asgi.py or wsgi.py with an application; name a folder, a program or module:attribute", dir)
}

func (p project) target(dir string) target {
	return target{kind: kindPython, path: dir, app: p.app, factory: p.factory, found: p.what}
}

// folder tells a folder of programs from one of files: it is called cgi-bin, or all
// files in it are programs. One with an application of Python and without a page is
// that application. Files with a name that begins with a dot do not count.
func folder(path string, cgi bool) (target, error) {
	if cgi || filepath.Base(path) == "cgi-bin" {
		return target{kind: kindCGI, path: path}, nil
	}
	if !exists(filepath.Join(path, "index.html")) {
		if p, ok := findProject(path); ok { // whose source is not for everybody
			return p.target(path), nil
		}
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return target{}, usagef("%w", err)
	}
	programs := 0
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		name := filepath.Join(path, entry.Name())
		info, err := os.Stat(name)
		if err != nil || !isProgram(name, info) {
			return target{kind: kindStatic, path: path}, nil
		}
		programs++
	}
	if programs == 0 {
		return target{kind: kindStatic, path: path}, nil
	}
	return target{kind: kindCGI, path: path}, nil
}

// beginnings are how programs begin: those for an interpreter, ELF, and Mach-O.
var beginnings = [][]byte{[]byte("#!"), []byte("\x7fELF"), []byte("\xcf\xfa\xed\xfe"), []byte("\xca\xfe\xba\xbe")}

// isProgram reports whether a file can be started. The mode alone does not tell:
// on some file systems everything is executable.
func isProgram(path string, info os.FileInfo) bool {
	if !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		return false
	}
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	begin := make([]byte, 4)
	n, _ := io.ReadFull(file, begin)
	for _, b := range beginnings {
		if bytes.HasPrefix(begin[:n], b) {
			return true
		}
	}
	return false
}

// String says what is served, for the welcome.
func (t target) String() string {
	switch t.kind {
	case kindCGI:
		return fmt.Sprintf("the programs in %s (CGI)", t.path)
	case kindProgram:
		return fmt.Sprintf("the program %s (CGI)", t.path)
	case kindPython:
		return fmt.Sprintf("the Python application %s of %s", t.app, t.path)
	}
	return fmt.Sprintf("the files in %s", t.path)
}
