package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/netip"
	"strconv"

	"github.com/urfave/cli/v3"

	"github.com/gale-server/gale/cmd/galebench/load"
)

// transferProcs lets what counts be asked for while the transfers keep one busy.
const transferProcs = 2

// startTransfers starts this program again as the transfers of the cell, and waits
// until there was a first one on each conn.
func (w *bulk) startTransfers(server *child) (*child, error) {
	c, _, err := spawn(w.place.load, transferProcs, "transfers", "--size", strconv.Itoa(w.size), "--conns", strconv.Itoa(w.conns),
		string(w.transfer), server.addr.String())
	if err == nil {
		c.pids = []int{c.cmd.Process.Pid}
	}
	return c, err
}

// transfersCommand is what the program starts itself as. It says "ready" and then
// answers each line with the bytes of payload that were transferred so far, as a server
// process answers.
func transfersCommand(stdin io.Reader) *cli.Command {
	return &cli.Command{
		Name:         "transfers",
		Usage:        "be clients of bulk transfers, until standard input ends",
		UsageText:    "galebench transfers [--size n] [--conns n] <transfer> <address>",
		Flags:        []cli.Flag{&cli.IntFlag{Name: "size", Value: 1 << 20}, &cli.IntFlag{Name: "conns", Value: 1}},
		OnUsageError: onUsageError,
		Action: func(_ context.Context, c *cli.Command) error {
			server, err := netip.ParseAddrPort(c.Args().Get(1))
			if err != nil || c.Args().Len() != 2 {
				return usagef("galebench transfers takes a transfer and an address")
			}
			t, err := load.OpenTransfers(load.TransferConfig{Server: server, Transfer: load.Transfer(c.Args().First()),
				Size: c.Int("size"), Conns: c.Int("conns")})
			if err != nil {
				return err
			}
			defer t.Close()
			go countFor(stdin, c.Root().Writer, t) // ends with standard input
			return t.Run()
		},
	}
}

// countFor answers each line, and stops the transfers after the last one.
func countFor(stdin io.Reader, stdout io.Writer, t *load.Transfers) {
	defer t.Stop()
	_, _ = io.WriteString(stdout, "ready\n")
	answers := json.NewEncoder(stdout)
	for lines := bufio.NewScanner(stdin); lines.Scan(); {
		bytes, _ := t.Count()
		if answers.Encode(answer{Bytes: bytes}) != nil {
			return
		}
	}
}
