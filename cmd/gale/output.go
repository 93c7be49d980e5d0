package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/gale-server/gale/asgi/logsink"
)

// flushTime bounds how long the end of the program waits for whoever reads its
// output.
const flushTime = time.Second

// serverLog returns the log the flags ask for, on root's standard error. From now
// on nothing waits for a reader of root's output, and one that goes away costs
// what it would have read.
func (f *serveFlags) serverLog(root *cli.Command) (logger *slog.Logger, err error) {
	// A signal that is taken notice of does not end the program, and is not ignored
	// by the processes that it starts.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	var out, errs *logsink.Sink
	out = logsink.New(root.Writer, logsink.Config{
		Dropped: func(lines uint64) { logger.Warn("lines of standard output were dropped", "lines", lines) },
		Failed:  func(err error) { logger.Warn("standard output is lost", "error", err) },
	})
	errs = logsink.New(root.ErrWriter, logsink.Config{
		Dropped: func(lines uint64) { logger.Warn("lines of the log were dropped", "lines", lines) },
		Failed:  func(err error) { fmt.Fprintf(out, "gale: the log is lost: %v\n", err) },
	})
	if logger, err = f.logger(errs); err != nil {
		return nil, err
	}
	root.Writer, root.ErrWriter = out, errs
	return logger, nil
}

// flushOutput gives what was said a moment to be read.
func flushOutput(writers ...io.Writer) {
	ctx, cancel := context.WithTimeout(context.Background(), flushTime)
	defer cancel()
	for _, w := range writers {
		if sink, ok := w.(*logsink.Sink); ok {
			_ = sink.Flush(ctx) // nobody is left to be told
		}
	}
}
