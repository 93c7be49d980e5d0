package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/gale-server/gale/cmd/galebench/contender"
	"github.com/gale-server/gale/cmd/galebench/load"
)

// bulk measures transfers of large bodies and messages, each of its cells on its own:
// a transfer of a size. In each round, every contender of a cell goes through three
// measurements of the same length: small clients alone; the transfers alone, whose
// bytes count for each second of the server's CPU time; and both at once, which says
// what the small ones feel. The peak of memory is that of the last two.
//
// The small clients echo messages of 125 bytes, or, where the server speaks no
// WebSocket, send requests that are answered with 13 bytes. The transfers are a process
// of their own on the core of the load; beside the small clients it runs only when
// these do not want that core (SCHED_IDLE).
type bulk struct {
	workload
	cell
	small    int // number of small clients
	interval time.Duration
	warmup   time.Duration
	duration time.Duration
}

// cell is what is measured on its own.
type cell struct {
	transfer load.Transfer
	size     int
	conns    int
	files    string // the folder with what is transferred; "": the server has it in memory
}

// serves are the flags of a server that takes part.
func (c cell) serves() []string {
	if c.files != "" {
		return []string{"--files", c.files}
	}
	return []string{"--transfer-bytes", strconv.Itoa(c.size)}
}

func (c cell) String() string { return fmt.Sprintf("%s-%s", c.transfer, sizeName(c.size)) }

const (
	smallBytes   = 125
	minBulkBytes = 1 << 10
	maxBulkBytes = 1 << 30
)

// bulkProtocols are what a contender must speak to take part in a transfer.
var bulkProtocols = map[load.Transfer]contender.Protocol{
	load.HTTPDown: contender.BulkHTTP, load.HTTPUp: contender.BulkHTTP,
	load.WebSocketEcho: contender.BulkWebSocket, load.WebSocketDown: contender.BulkWebSocket, load.WebSocketUp: contender.BulkWebSocket,
	load.HTTPFile: contender.Files,
}

func bulkCommand() *cli.Command {
	return &cli.Command{
		Name:  "bulk",
		Usage: "bytes of large bodies and messages per CPU-second, peak memory, and what small clients feel of it",
		Description: "In each cell, a transfer of a size, ratios are to the first contender that can do it.\n" +
			"Messages of 100 MiB take the servers that gather them a gigabyte: they are measured if\n" +
			"--sizes asks for them.",
		Flags: append(contenderFlags(3, "nethttp", "gws", "gale-event", "gale-coroutine", "fasthttp", "gorilla"),
			append(trafficFlags(),
				&cli.StringFlag{Name: "transfers", Value: "http-down,http-up,ws-echo", Usage: "what is transferred; also ws-down, ws-up"},
				&cli.StringFlag{Name: "sizes", Value: "16KiB,64KiB,100KiB,1MiB,10MiB", Usage: "bytes of a body or message"},
				&cli.IntFlag{Name: "conns", Value: 64, Usage: "number of transfers at a time; a quarter of it from 1 MiB on, a sixteenth from 100 MiB on"},
				&cli.IntFlag{Name: "small", Value: 50, Usage: "number of small clients; 0 leaves out what they feel"},
				&cli.DurationFlag{Name: "interval", Value: 20 * time.Millisecond, Usage: "period in which each small client sends a message, late or not"})...),
		OnUsageError: onUsageError,
		Action: func(_ context.Context, c *cli.Command) error {
			w := bulk{small: c.Int("small"), interval: c.Duration("interval"), warmup: c.Duration("warmup"), duration: c.Duration("duration")}
			if w.small < 0 || w.small > 10000 {
				return usagef("--small must be between 0 and 10000")
			}
			if w.interval < time.Millisecond || w.interval > time.Hour {
				return usagef("--interval must be between 1ms and 1h")
			}
			if err := checkDurations(w.warmup, w.duration); err != nil {
				return err
			}
			cells, err := cellsOf(c.String("transfers"), c.String("sizes"), c.Int("conns"))
			if err != nil {
				return err
			}
			parameters := fmt.Sprintf("small=%d interval=%v duration=%v", w.small, w.interval, w.duration)
			if err := w.configure(c, parameters, map[contender.Protocol]func() load.Dialogue{contender.BulkHTTP: nil, contender.BulkWebSocket: nil}); err != nil {
				return err
			}
			return w.reportCells(c, cells)
		},
	}
}

// cellsOf makes the cells: every size of every transfer.
func cellsOf(transfers, sizes string, conns int) (cells []cell, err error) {
	for name := range strings.SplitSeq(transfers, ",") {
		transfer := load.Transfer(strings.TrimSpace(name))
		if bulkProtocols[transfer] == "" || transfer == load.HTTPFile { // which is for the workload of files
			return nil, usagef("--transfers: there is no transfer %q", transfer)
		}
		for text := range strings.SplitSeq(sizes, ",") {
			size, err := parseSize(strings.TrimSpace(text))
			if err != nil {
				return nil, err
			}
			cells = append(cells, cell{transfer: transfer, size: size, conns: connsFor(size, conns)})
		}
	}
	return cells, nil
}

func connsFor(size, conns int) int {
	switch {
	case size >= 100<<20:
		conns /= 16
	case size >= 1<<20:
		conns /= 4
	}
	return max(conns, 1)
}

var units = []struct {
	name  string
	bytes int
}{{"MiB", 1 << 20}, {"KiB", 1 << 10}, {"", 1}}

// parseSize reads "16384" and "16KiB".
func parseSize(text string) (int, error) {
	for _, unit := range units {
		number, ok := strings.CutSuffix(text, unit.name)
		if n, err := strconv.Atoi(number); ok && err == nil && n > 0 && n <= maxBulkBytes/unit.bytes && n*unit.bytes >= minBulkBytes {
			return n * unit.bytes, nil
		}
	}
	return 0, usagef("--sizes: %q is no size between 1KiB and 1024MiB", text)
}

func sizeName(size int) string {
	for _, unit := range units {
		if size%unit.bytes == 0 {
			return strconv.Itoa(size/unit.bytes) + unit.name
		}
	}
	return strconv.Itoa(size)
}

// reportCells measures the cells, one after the other, and says of each what came
// out as soon as it did.
func (w bulk) reportCells(c *cli.Command, cells []cell) error {
	fmt.Fprintf(c.Root().Writer, "%s\n%s: %s; %s\n", machine(), w.name, w.parameters, w.place)
	rows, err := w.measureCells(c.Root().Writer, c.Root().ErrWriter, cells)
	if file := c.String("json"); file != "" {
		err = errors.Join(err, writeJSON(file, rows))
	}
	return err
}

func (w bulk) measureCells(out, progress io.Writer, cells []cell) (all []row, err error) {
	var failed []error
	for _, cell := range cells {
		rows, skipped, err := w.of(cell).measureCell(progress)
		if err != nil {
			failed = append(failed, fmt.Errorf("%v: %w", cell, err))
		}
		all = append(all, rows...)
		fmt.Fprintf(out, "\n%s of %s, %d at a time\n", cell.transfer, sizeName(cell.size), cell.conns)
		if err := printBulk(out, rows, skipped); err != nil {
			return all, err
		}
	}
	return all, errors.Join(failed...)
}

// of is the workload of one cell.
func (w bulk) of(c cell) *bulk {
	w.cell = c
	w.parameters = fmt.Sprintf("transfer=%s size=%d at-a-time=%d %s", c.transfer, c.size, c.conns, w.parameters)
	w.contenders = slices.DeleteFunc(slices.Clone(w.contenders), func(other contender.Contender) bool {
		return !other.CanSpeak(bulkProtocols[c.transfer])
	})
	return &w
}

func (w *bulk) measureCell(progress io.Writer) ([]row, []skip, error) {
	w.workload.measure = w.measure
	fmt.Fprintf(progress, "%v\n", w.cell)
	rows, err := w.run(progress)
	return rows, w.skipped, err
}

// measure starts a server, and measures what has no transfers beside it first.
func (w *bulk) measure(c contender.Contender, round int) ([]sample, error) {
	server, err := startChild(c.Name, w.place, w.serves()...)
	if err != nil {
		return nil, err
	}
	defer server.stop()
	var small *load.Generator
	var before calmResult
	if w.small > 0 {
		if small, err = w.openSmall(c, server); err != nil {
			return nil, err
		}
		defer small.Close()
		if before, err = w.feel(small); err != nil {
			return nil, fmt.Errorf("small clients: %w", err)
		}
	}
	empty, err := footprintOf(server)
	if err != nil {
		return nil, err
	}
	server.resetPeak()
	transfers, err := w.startTransfers(server)
	if err != nil {
		return nil, err
	}
	defer transfers.stop()
	samples, err := w.meterTransfers(server, transfers, c.Name, round)
	if err != nil {
		return nil, err
	}
	var beside []sample
	if w.small > 0 {
		if beside, err = w.measureSmall(small, transfers, before); err != nil {
			return nil, err
		}
	}
	peak, err := server.peak()
	if err != nil {
		return nil, err
	}
	if _, err := transfers.ask("count"); err != nil {
		return nil, err // they have failed, and said why
	}
	samples = append(samples,
		sample{peakRSS, float64(peak) / (1 << 20)},
		sample{peakPerTransfer, (float64(peak) - empty.rss) / (1 << 10) / float64(w.conns)})
	return append(samples, beside...), nil
}

// openSmall opens the small clients.
func (w *bulk) openSmall(c contender.Contender, server *child) (*load.Generator, error) {
	return load.Open(load.Config{Server: server.addr, Conns: w.small, Interval: w.interval,
		Dialogue: dialogueFor(c, map[contender.Protocol]func() load.Dialogue{
			contender.BulkWebSocket: func() load.Dialogue { return load.NewWebSocketEcho(smallBytes) },
			contender.BulkHTTP:      load.NewHTTP,
		})})
}

// feel measures the small clients, after a moment.
func (w *bulk) feel(small *load.Generator) (calmResult, error) {
	if _, err := small.Run(w.warmup); err != nil {
		return calmResult{}, err
	}
	return runCalm(small, w.duration)
}

// meterTransfers measures the transfers alone.
func (w *bulk) meterTransfers(server, transfers *child, name string, round int) ([]sample, error) {
	time.Sleep(w.warmup)
	var bytes int64
	var elapsed time.Duration
	var loadUsed cpu
	used, err := w.metered(server, fmt.Sprintf("%s-%v-%s", w.name, w.cell, name), round, func() error {
		before, err := transfers.cpu()
		if err != nil {
			return err
		}
		if bytes, elapsed, err = w.watchTransfers(transfers); err != nil {
			return err
		}
		after, err := transfers.cpu()
		loadUsed = after.since(before)
		return err
	})
	if err != nil {
		return nil, err
	}
	return []sample{
		{mibPerCPUSecond, float64(bytes) / (1 << 20) / used.total.Seconds()},
		{transfersPerCPU, float64(bytes) / float64(w.size) / used.total.Seconds()},
		{serverCPU, 100 * used.total.Seconds() / elapsed.Seconds()},
		{loadCPU, 100 * loadUsed.total.Seconds() / elapsed.Seconds()},
	}, nil
}

// watchTransfers counts the bytes of the duration, and goes on until every conn could
// have had a transfer: a server may take a large message of each before it answers
// any. Of one that is too slow for that, what it did within patience counts.
func (w *bulk) watchTransfers(transfers *child) (bytes int64, elapsed time.Duration, err error) {
	first, err := transfers.ask("count")
	lap, patience := int64(w.conns)*int64(w.size), calmPatience*max(w.duration, time.Second)
	for began := time.Now(); err == nil && (bytes == 0 || bytes < lap && elapsed < patience); {
		time.Sleep(w.duration)
		elapsed = time.Since(began)
		var a answer
		a, err = transfers.ask("count")
		bytes = a.Bytes - first.Bytes
	}
	return bytes, elapsed, err
}

// measureSmall measures the small clients beside the transfers.
func (w *bulk) measureSmall(small *load.Generator, transfers *child, before calmResult) ([]sample, error) {
	if err := yieldsAlways(transfers.cmd.Process.Pid); err != nil {
		return nil, err
	}
	result, err := w.feel(small)
	if err != nil {
		return nil, fmt.Errorf("small clients beside transfers: %w", err)
	}
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	p99, p99Before := result.latency.Quantile(0.99), before.latency.Quantile(0.99)
	return []sample{
		{latency99Before, ms(p99Before)}, {latency99, ms(p99)}, {felt99, ms(p99) / ms(p99Before)},
		{slice99Before, ms(before.typical99())}, {slice99, ms(result.typical99())},
		{sliceFelt99, ms(result.typical99()) / ms(before.typical99())},
	}, nil
}
