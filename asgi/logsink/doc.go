// Package logsink writes logs without waiting for whoever reads them.
//
// A server's log is a dependency that can fail. A write to a pipe that nobody
// reads blocks, and on an event loop it blocks every connection; a write to a pipe
// whose reader has gone fails. A [Sink] stands between a slog.Handler and the file:
//
//	sink := logsink.New(os.Stderr, logsink.Config{})
//	logger := slog.New(slog.NewJSONHandler(sink, nil))
//	defer sink.Flush(ctx) // with a deadline
//	srv, err := server.New(server.Config{Handler: h, Logger: logger, AccessLog: logger})
//
// A line waits in a buffer until a goroutine of the sink has written it. When the
// buffer is full, further lines are dropped and counted. When writing fails, the
// lines of that write are dropped and counted; the next ones are tried again, as a
// reader of a named pipe may come back.
//
// The package writes and formats nothing else, and does not rotate files. Go ends a
// program that writes to a broken pipe on the descriptors 1 or 2, unless it takes
// notice of the signal: such a program calls
//
//	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
package logsink
