// Package worker holds the Python side of handlers/python: what runs in a worker
// process and hosts the application. It is Python of the standard library only,
// for CPython 3.8 and later. PROTOCOL.md says how both sides speak.
//
// A worker starts as python -c with [Boot]. Boot reads the greeting from
// descriptor 3, imports the modules that came with it, [Sources], and serves.
// No file of ours is needed on the machine, and versions of both sides agree.
package worker

import (
	"embed"
	"strings"
)

//go:embed boot.py gale/*.py
var files embed.FS

// Boot returns the source of the program that starts a worker: the argument of
// python -c. Without a greeting on descriptor 3 it says so and exits with 2.
func Boot() string { return read("boot.py") }

// Sources returns the modules of a worker by their names in Python, for the
// greeting: the package gale, whose public part is the client module, and what
// is in it.
func Sources() map[string]string {
	entries, err := files.ReadDir("gale")
	if err != nil {
		panic(err) // they are embedded
	}
	sources := make(map[string]string, len(entries))
	for _, e := range entries {
		name := "gale"
		if base := strings.TrimSuffix(e.Name(), ".py"); base != "__init__" {
			name += "." + base
		}
		sources[name] = read("gale/" + e.Name())
	}
	return sources
}

func read(name string) string {
	p, err := files.ReadFile(name)
	if err != nil {
		panic(err) // they are embedded
	}
	return string(p)
}
