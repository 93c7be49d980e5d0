package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v3"
)

// setting is a flag whose value may also come from the environment, or from a
// file. It knows which of them it was, so that an error names the right one.
//
// Not safe for concurrent use.
type setting[T any] struct {
	name   string
	usage  string
	value  string // as text: the default, then what was given
	preset string // the default
	parse  func(string) (T, error)

	source environment
	place  string // in a file, if the value is from there
}

// flag returns the setting as the library sees it: a text, so that every error
// about its value is ours.
func (s *setting[T]) flag() cli.Flag {
	s.preset = s.value
	s.source.key = "GALE_" + strings.ToUpper(strings.ReplaceAll(s.name, "-", "_"))
	return &cli.StringFlag{
		Name:        s.name,
		Usage:       s.usage,
		Value:       s.value,
		Destination: &s.value,
		Sources:     cli.NewValueSourceChain(&s.source),
	}
}

// get returns the value, or an error that names where it came from.
func (s *setting[T]) get() (T, error) {
	v, err := s.parse(s.value)
	if err != nil {
		return v, usagef("%s: %w", s.origin(), err)
	}
	return v, nil
}

// given reports whether the setting was given on the command line, or in the
// environment.
func (s *setting[T]) given(c *cli.Command, inEnvironment bool) bool {
	return c.IsSet(s.name) && s.source.used == inEnvironment
}

func (s *setting[T]) flagName() string { return s.name }

// origin names where the value is from, for errors.
func (s *setting[T]) origin() string {
	switch {
	case s.source.used:
		return s.source.key
	case s.place != "":
		return s.place
	}
	return "--" + s.name
}

// fromFile takes the value that a file has at a place, unless there is one on the
// command line or in the environment.
func (s *setting[T]) fromFile(c *cli.Command, value, place string) {
	if !c.IsSet(s.name) {
		s.value, s.place = value, place
	}
}

// environment is a variable that remembers that it was asked for: the library
// asks only when the flag is not on the command line. An empty variable counts
// as none.
type environment struct {
	key  string
	used bool
}

var _ cli.EnvValueSource = (*environment)(nil)

func (e *environment) Lookup() (string, bool) {
	v := os.Getenv(e.key)
	e.used = v != ""
	return v, e.used
}

func (e *environment) IsFromEnv() bool  { return true }
func (e *environment) Key() string      { return e.key }
func (e *environment) String() string   { return "environment variable " + e.key }
func (e *environment) GoString() string { return e.String() }

// oneOf returns the parser of a value that is one of a few words.
func oneOf(words ...string) func(string) (string, error) {
	return func(v string) (string, error) {
		for _, word := range words {
			if v == word {
				return v, nil
			}
		}
		return "", fmt.Errorf("%q is none of %s", v, strings.Join(words, ", "))
	}
}
