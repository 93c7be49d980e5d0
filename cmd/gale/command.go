package main

import (
	"context"
	"fmt"
	"io"
	"slices"
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
		Commands:       []*cli.Command{demoCommand(), runCommand(), hubCommand(), conformCommand(), versionCommand()},
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

// switches are the flags that are on or off.
var switches = []string{"access-log", "proxy-headers", "metrics"}

// spellSwitches lets switches be written as other servers have them, too: alone for
// on, and --no-NAME for off. Behind one that is alone, gale run may have its target.
func spellSwitches(args []string) (spelt []string) {
	takesTarget := len(args) > 1 && args[1] == "run"
	for i, arg := range args {
		if arg == "--" {
			return append(spelt, args[i:]...)
		}
		name, isFlag := strings.CutPrefix(arg, "--")
		off, negated := strings.CutPrefix(name, "no-")
		switch {
		case isFlag && negated && slices.Contains(switches, off):
			arg = "--" + off + "=off"
		case isFlag && slices.Contains(switches, name) && (i+1 == len(args) || isNoValue(args[i+1], takesTarget)):
			arg += "=on"
		}
		spelt = append(spelt, arg)
	}
	return spelt
}

func isNoValue(arg string, takesTarget bool) bool {
	return strings.HasPrefix(arg, "-") || takesTarget && arg != "on" && arg != "off"
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
