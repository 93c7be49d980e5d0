package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/gale-server/gale/asgi/server"
)

// serveFlags are the flags of every command that serves.
type serveFlags struct {
	addr      setting[address]
	engine    setting[string]
	logLevel  setting[slog.Level]
	logFormat setting[string]
	accessLog setting[string]
	drain     setting[time.Duration]

	secure *tls.Config // nil: none
}

func newServeFlags(addr, accessLog string) *serveFlags {
	return &serveFlags{
		addr: setting[address]{
			name:  "addr",
			usage: "listen on `HOST:PORT`, on :PORT for every address, on unix:PATH, or on fd:NUMBER, an inherited socket",
			value: addr,
			parse: parseAddress,
		},
		engine: setting[string]{
			name:  "engine",
			usage: "serve on this `ENGINE`: loop, the event loop, or nethttp, Go's net/http with a goroutine per connection",
			value: engineLoop,
			parse: oneOf(engineLoop, engineNetHTTP),
		},
		logLevel: setting[slog.Level]{
			name:  "log-level",
			usage: "log from this `LEVEL` up: debug, info, warn or error",
			value: "info",
			parse: parseLevel,
		},
		logFormat: setting[string]{
			name:  "log-format",
			usage: "log in this `FORMAT`: text or json",
			value: "text",
			parse: oneOf("text", "json"),
		},
		accessLog: setting[string]{
			name:  "access-log",
			usage: "log each request and WebSocket when it ends: `on|off`",
			value: accessLog,
			parse: oneOf("on", "off"),
		},
		drain: setting[time.Duration]{
			name:  "drain-timeout",
			usage: "when told to stop, give connections this `TIME` to end",
			value: "10s",
			parse: parseTimeout,
		},
	}
}

func (f *serveFlags) flags() []cli.Flag {
	return []cli.Flag{f.addr.flag(), f.engine.flag(), f.logLevel.flag(), f.logFormat.flag(), f.accessLog.flag(), f.drain.flag()}
}

func parseTimeout(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%q is no time; write a number with its unit, for example 10s or 500ms", s)
	}
	return d, nil
}

func parseLevel(s string) (level slog.Level, err error) {
	if _, err = oneOf("debug", "info", "warn", "error")(s); err != nil {
		return level, err
	}
	return level, level.UnmarshalText([]byte(s))
}

// logger returns the log the flags ask for, on w.
func (f *serveFlags) logger(w io.Writer) (*slog.Logger, error) {
	level, err := f.logLevel.get()
	if err != nil {
		return nil, err
	}
	format, err := f.logFormat.get()
	if err != nil {
		return nil, err
	}
	options := &slog.HandlerOptions{Level: level}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return slog.New(slog.NewTextHandler(w, options)), nil
}

// serve completes config from the flags, its Logger if it has none, and serves
// until a signal asks it to stop; ready is told the address once connections are taken.
func (f *serveFlags) serve(ctx context.Context, c *cli.Command, config server.Config, ready func(net.Addr)) error {
	logger := config.Logger
	if logger == nil {
		var err error
		if logger, err = f.serverLog(c.Root()); err != nil {
			return err
		}
	}
	accessLog, err := f.accessLog.get()
	if err != nil {
		return err
	}
	addr, err := f.addr.get()
	if err != nil {
		return err
	}
	if config.DrainTimeout, err = f.drain.get(); err != nil {
		return err
	}
	config.Logger = logger
	if accessLog == "on" {
		config.AccessLog = logger
	}
	name, err := f.engine.get()
	if err != nil {
		return err
	}
	srv, err := newEngine(name, config, f.secure)
	if err != nil {
		return err
	}
	bound, err := addr.listen(srv)
	if err != nil {
		_ = srv.Close() // the reason to leave is known
		return listenError(addr, err)
	}
	ctx, stop := untilSignal(ctx, logger)
	defer stop()
	ready(bound)
	return srv.Run(ctx)
}

// untilSignal returns a context that ends with the first SIGINT or SIGTERM. A
// second one ends the process at once. stop gives signals their usual meaning
// back, and ends what waits for them.
func untilSignal(parent context.Context, logger *slog.Logger) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	stopped := make(chan struct{})
	go func() {
		select {
		case s := <-signals:
			logger.Info("stopping; the same again stops at once", "signal", s.String())
			cancel()
		case <-stopped:
			return
		}
		select {
		case <-signals:
			os.Exit(exitFailure)
		case <-stopped:
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(stopped)
		cancel()
	}
}
