package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v3"
)

// newCommand returns the command line. Nothing in it prints an error or exits:
// both are for run.
func newCommand(stdout, stderr io.Writer) *cli.Command {
	return &cli.Command{
		Name:      "gale",
		Usage:     "an asynchronous, event-driven application server",
		UsageText: "gale <command> [flags]",
		Description: "Begin with \"gale demo\": it serves a chat; open the page it names in two\n" +
			"browser windows. Every flag can also be set by the environment variable shown\n" +
			"beside it; the flag wins.",
		Commands:       []*cli.Command{demoCommand(), hubCommand(), conformCommand(), versionCommand()},
		Version:        version(),
		Writer:         stdout,
		ErrWriter:      stderr,
		OnUsageError:   onUsageError,
		ExitErrHandler: func(context.Context, *cli.Command, error) {},
		Action: func(_ context.Context, c *cli.Command) error {
			if c.Args().Present() {
				return usagef("there is no command %q; see gale --help", c.Args().First())
			}
			return cli.ShowRootCommandHelp(c)
		},
	}
}

// subcommand fills in what all commands share: errors of usage are ours, and
// there are no arguments.
func subcommand(c *cli.Command) *cli.Command {
	action := c.Action
	c.UsageText = "gale " + c.Name
	if len(c.Flags) > 0 {
		c.UsageText += " [flags]"
	}
	c.HideHelpCommand = true
	c.OnUsageError = onUsageError
	c.Action = func(ctx context.Context, c *cli.Command) error {
		if c.Args().Present() {
			return usagef("gale %s takes no arguments, but there is %q; see gale %s --help",
				c.Name, c.Args().First(), c.Name)
		}
		return action(ctx, c)
	}
	return c
}

// onUsageError makes one line of what the library found wrong with the flags.
func onUsageError(_ context.Context, c *cli.Command, err error, _ bool) error {
	what := err.Error()
	if name, ok := strings.CutPrefix(what, "flag provided but not defined: -"); ok {
		what = fmt.Sprintf("there is no flag %q", strings.TrimLeft(name, "-"))
	} else if name, ok := strings.CutPrefix(what, "flag needs an argument: "); ok {
		what = "a value is missing after " + strings.TrimSuffix(name, "=")
	}
	return usagef("%s; see %s --help", what, c.FullName())
}
