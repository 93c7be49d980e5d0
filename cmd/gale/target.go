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
)

// target is what gale run is asked to serve.
type target struct {
	kind kind
	path string // absolute
}

// findTarget says what a target is, or in one line what was tried. cgi says that a
// folder is one of programs, whatever it looks like.
func findTarget(name string, cgi bool) (target, error) {
	if scheme, _, isURL := strings.Cut(name, "://"); isURL {
		return target{}, usagef("%s: gale serves files and programs of this machine, and is no proxy for %s", name, scheme)
	}
	path, err := filepath.Abs(name)
	if err != nil {
		return target{}, usagef("%w", err)
	}
	info, err := os.Stat(path)
	switch {
	case os.IsNotExist(err):
		return target{}, usagef("%s: there is no such folder and no such program (looked for %s)", name, path)
	case err != nil:
		return target{}, usagef("%w", err)
	case info.IsDir():
		return folder(path, cgi)
	case isProgram(path, info):
		return target{kindProgram, path}, nil
	case cgi:
		return target{}, usagef("%s is no program: it is not executable, or begins neither with #! nor as an executable file does", name)
	default:
		return target{}, usagef("%s is a file, and no program: name the folder to serve, %s", name, filepath.Dir(name))
	}
}

// folder tells a folder of programs from one of files: it is called cgi-bin, or all
// files in it are programs. Files with a name that begins with a dot do not count.
func folder(path string, cgi bool) (target, error) {
	if cgi || filepath.Base(path) == "cgi-bin" {
		return target{kindCGI, path}, nil
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
			return target{kindStatic, path}, nil
		}
		programs++
	}
	if programs == 0 {
		return target{kindStatic, path}, nil
	}
	return target{kindCGI, path}, nil
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
	}
	return fmt.Sprintf("the files in %s", t.path)
}
