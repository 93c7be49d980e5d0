package main

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

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
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(lines, "; ")
}

// listenError says why an address cannot be listened on, and what to do.
func listenError(addr address, err error) error {
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return usagef("%s is in use by another program; choose another address with --addr", addr)
	case errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM):
		return usagef("%s may not be listened on by this user; choose another address with --addr (ports below 1024 are reserved)", addr)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return usagef("%s is not an address of this machine; choose another with --addr", addr)
	case errors.As(err, &dns):
		return usagef("%s: there is no host %q; choose another address with --addr", addr, dns.Name)
	default:
		return usagef("cannot listen on %s: %w", addr, err)
	}
}
