package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/urfave/cli/v3"
	"golang.org/x/sys/unix"

	"github.com/gale-server/gale/cmd/galebench/contender"
	"github.com/gale-server/gale/cmd/galebench/load"
)

// coldReaders is how many clients ask for files that are not in the page cache, each
// for one every coldPause, and coldSmall how many echo beside them. Without the pause
// what the latter feel is that both cores are busy: it is the same if all files are in
// the page cache, and on a server that has nothing to do with files.
const (
	coldReaders = 16
	coldPause   = 20 * time.Millisecond
	coldSmall   = 50
)

// cold measures what clients that echo feel of files that come from the disk, on the
// same loops of gale: first without and then with them.
func (w *files) cold(out, progress io.Writer, count, size int) ([]row, error) {
	dir := filepath.Join(w.dir, "cold")
	if err := makeCold(dir, count, size); err != nil {
		return nil, err
	}
	gale, err := contender.Lookup("gale")
	if err != nil {
		return nil, err
	}
	cold := w.workload
	cold.contenders, cold.skipped = []contender.Contender{gale}, nil
	cold.parameters = fmt.Sprintf("cold=%d size=%d %s", count, size, cold.parameters)
	cold.measure = func(c contender.Contender, _ int) ([]sample, error) { return w.measureCold(c, dir) }
	fmt.Fprintf(out, "\n%d clients that echo, without and with requests for %d files of %s that are not in the page cache\n", coldSmall, count, sizeName(size))
	rows, err := cold.run(progress)
	return rows, errors.Join(err, printTable(out, rows, nil))
}

// makeCold makes the files.
func makeCold(dir string, count, size int) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	content := load.Payload(size)
	for i := range count {
		if err := os.WriteFile(coldPath(dir, i), content, 0o644); err != nil {
			return err
		}
	}
	unix.Sync() // what is not written cannot be dropped
	return nil
}

func coldPath(dir string, i int) string { return filepath.Join(dir, coldName(i)) }
func coldName(i int) string             { return strconv.Itoa(i) + ".bin" }

func (w *files) measureCold(c contender.Contender, dir string) ([]sample, error) {
	server, err := startChild(c.Name, w.place, "--files", dir)
	if err != nil {
		return nil, err
	}
	defer server.stop()
	small, err := load.Open(load.Config{Server: server.addr, Conns: coldSmall, Interval: 20 * time.Millisecond, Dialogue: load.NewWebSocketEcho(smallBytes)})
	if err != nil {
		return nil, err
	}
	defer small.Close()
	before, err := w.feel(small)
	if err != nil {
		return nil, err
	}
	readers, _, err := spawn(w.place.load, transferProcs, "cold-readers", dir, server.addr.String())
	if err != nil {
		return nil, err
	}
	defer readers.stop()
	if err := yieldsAlways(readers.cmd.Process.Pid); err != nil {
		return nil, err
	}
	first, err := readers.ask("count")
	if err != nil {
		return nil, err
	}
	beside, err := w.feel(small)
	if err != nil {
		return nil, err
	}
	last, err := readers.ask("count")
	if err != nil {
		return nil, err
	}
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	p99, p99Before := beside.latency.Quantile(0.99), before.latency.Quantile(0.99)
	return []sample{
		{coldFiles, float64(last.Bytes-first.Bytes) / beside.elapsed.Seconds()},
		{latency99Before, ms(p99Before)}, {latency99, ms(p99)}, {felt99, ms(p99) / ms(p99Before)},
		{slice99Before, ms(before.typical99())}, {slice99, ms(beside.typical99())},
		{sliceFelt99, ms(beside.typical99()) / ms(before.typical99())},
	}, nil
}

// coldReadersCommand is what the program starts itself as. It says "ready" and then
// answers each line with the number of files that were read.
func coldReadersCommand(stdin io.Reader) *cli.Command {
	return &cli.Command{
		Name:         "cold-readers",
		Usage:        "ask for files after dropping each from the page cache, until standard input ends",
		UsageText:    "galebench cold-readers <dir> <address>",
		OnUsageError: onUsageError,
		Action: func(_ context.Context, c *cli.Command) error {
			if c.Args().Len() != 2 {
				return usagef("galebench cold-readers takes a folder and an address")
			}
			dir, address := c.Args().Get(0), c.Args().Get(1)
			names, err := os.ReadDir(dir)
			if err != nil {
				return err
			}
			var next, read atomic.Int64
			failed := make(chan error, coldReaders)
			for range coldReaders {
				go func() { failed <- readCold(dir, address, len(names), &next, &read) }() // ends with the process
			}
			go answerCounts(stdin, c.Root().Writer, &read, failed) // ends with standard input
			return <-failed
		},
	}
}

func answerCounts(stdin io.Reader, stdout io.Writer, count *atomic.Int64, done chan<- error) {
	_, _ = io.WriteString(stdout, "ready\n")
	answers := json.NewEncoder(stdout)
	for lines := bufio.NewScanner(stdin); lines.Scan(); {
		if answers.Encode(answer{Bytes: count.Load()}) != nil {
			break
		}
	}
	done <- nil
}

// readCold asks for one file after the other on a connection.
func readCold(dir, address string, count int, next, read *atomic.Int64) error {
	conn, err := net.Dial("tcp4", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	for {
		i := int(next.Add(1)) % count
		if err := dropCached(coldPath(dir, i)); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(conn, "GET /%s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", coldName(i)); err != nil {
			return err
		}
		response, err := http.ReadResponse(r, nil)
		if err != nil {
			return err
		}
		n, err := io.Copy(io.Discard, response.Body)
		if err != nil || response.StatusCode != 200 || n != response.ContentLength {
			return fmt.Errorf("a file was answered with %s and %d bytes of %d: %w", response.Status, n, response.ContentLength, err)
		}
		read.Add(1)
		time.Sleep(coldPause)
	}
}

// dropCached has the system drop a file from its memory.
func dropCached(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED), f.Close())
}
