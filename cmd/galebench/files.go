package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/gale-server/gale/cmd/galebench/contender"
	"github.com/gale-server/gale/cmd/galebench/load"
)

// files measures servers of files: transfers of a file of each size, requests of
// clients that have the file, and, of gale alone, what small clients on the same loops
// feel of files that have to come from the disk.
type files struct {
	bulk
	dir string // for what is served
}

func filesCommand() *cli.Command {
	return &cli.Command{
		Name:  "files",
		Usage: "files from the page cache: requests and bytes per CPU-second, 304, memory; and from the disk: what others feel of it",
		Description: "In each cell, a file of a size, ratios are to the first contender. The file of 304 has\n" +
			"1 KiB. Files are made in --dir, which must be on a disk for those that come from one.",
		Flags: append(contenderFlags(5, "nginx", "gale", "nethttp", "fasthttp"),
			append(trafficFlags(),
				&cli.StringFlag{Name: "sizes", Value: "1KiB,100KiB,10MiB", Usage: "bytes of a file, or none"},
				&cli.IntFlag{Name: "conns", Value: 64, Usage: "number of clients; a quarter of it from 1 MiB on"},
				&cli.BoolFlag{Name: "conditional", Value: true, Usage: "measure 304, too"},
				&cli.IntFlag{Name: "cold", Value: 0, Usage: "also measure 50 clients that echo beside requests for `N` files that are not in the page cache"},
				&cli.StringFlag{Name: "cold-size", Value: "40KiB", Usage: "bytes of such a file"},
				&cli.StringFlag{Name: "dir", Value: os.TempDir(), Usage: "folder to make the files in"})...),
		OnUsageError: onUsageError,
		Action: func(_ context.Context, c *cli.Command) (err error) {
			var w files
			w.warmup, w.duration = c.Duration("warmup"), c.Duration("duration")
			if err := checkDurations(w.warmup, w.duration); err != nil {
				return err
			}
			if err := w.configure(c, fmt.Sprintf("duration=%v", w.duration), map[contender.Protocol]func() load.Dialogue{contender.Files: nil}); err != nil {
				return err
			}
			if w.dir, err = os.MkdirTemp(c.String("dir"), "galebench-files-"); err != nil {
				return usageError{err}
			}
			defer os.RemoveAll(w.dir)
			cells, err := w.cells(c.String("sizes"), c.Int("conns"))
			if err != nil {
				return err
			}
			return w.report(c, cells)
		},
	}
}

// cells makes the cells, with a folder for each.
func (w *files) cells(sizes string, conns int) (cells []cell, err error) {
	if sizes == "none" {
		return nil, nil
	}
	for text := range strings.SplitSeq(sizes, ",") {
		size, err := parseSize(strings.TrimSpace(text))
		if err != nil {
			return nil, err
		}
		made := cell{transfer: load.HTTPFile, size: size, conns: connsFor(size, conns)}
		if made.files, err = w.folder(sizeName(size), size); err != nil {
			return nil, err
		}
		cells = append(cells, made)
	}
	return cells, nil
}

// folder makes a folder with one file.
func (w *files) folder(name string, size int) (dir string, err error) {
	dir = filepath.Join(w.dir, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, load.FilePath), load.Payload(size), 0o644); err != nil {
		return "", err
	}
	old := time.Now().Add(-time.Hour) // nobody takes it for one that is being written
	return dir, os.Chtimes(filepath.Join(dir, load.FilePath), old, old)
}

// report measures all, and says what came out.
func (w *files) report(c *cli.Command, cells []cell) error {
	if err := os.Chmod(w.dir, 0o755); err != nil { // nginx may serve as another user
		return err
	}
	out, progress := c.Root().Writer, c.Root().ErrWriter
	fmt.Fprintf(out, "%s\n%s: %s; %s\n", machine(), w.name, w.parameters, w.place)
	rows, err := w.measureCells(out, progress, cells)
	failed := []error{err}
	if c.Bool("conditional") {
		more, err := w.conditional(out, progress, c.Int("conns"))
		rows, failed = append(rows, more...), append(failed, err)
	}
	if n := c.Int("cold"); n > 0 {
		size, err := parseSize(c.String("cold-size"))
		if err == nil {
			var more []row
			more, err = w.cold(out, progress, n, size)
			rows = append(rows, more...)
		}
		failed = append(failed, err)
	}
	if file := c.String("json"); file != "" {
		failed = append(failed, writeJSON(file, rows))
	}
	return errors.Join(failed...)
}

// conditional measures requests of clients that have the file.
func (w *files) conditional(out, progress io.Writer, conns int) ([]row, error) {
	dir, err := w.folder("304", 1<<10)
	if err != nil {
		return nil, err
	}
	t := traffic{workload: w.workload, conns: conns, depth: 1, warmup: w.warmup, duration: w.duration,
		perCPU: requestsPerCPUSecond, userEach: userPerRequest, serves: []string{"--files", dir}, conditional: true}
	t.parameters = fmt.Sprintf("conditional at-a-time=%d %s", conns, t.parameters)
	t.workload.measure = t.measure
	fmt.Fprintf(out, "\n1KiB that clients have (304), %d at a time\n", conns)
	rows, err := t.run(progress)
	return rows, errors.Join(err, printTable(out, rows, t.skipped))
}
