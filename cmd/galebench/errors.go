package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v3"
)

// usageError is a mistake in what the program was asked to do.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

func exitCode(err error) int {
	var usage usageError
	var library cli.ExitCoder // help for a command that does not exist
	if errors.As(err, &usage) || errors.As(err, &library) {
		return exitUsage
	}
	return exitFailure
}

// oneLine joins the lines of an error.
func oneLine(err error) string {
	return strings.Join(strings.Fields(err.Error()), " ")
}
