package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/executor"
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/cgi"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/python"
	"github.com/gale-server/gale/handlers/static"
)

// mount is something to serve under a path.
type mount struct {
	path string // "" for all that nothing else is mounted on
	is   kind

	static static.Config
	cgi    cgi.Config
	python python.Config
	// processes is how many programs of a mount run at the same time.
	processes int
}

// target is what is mounted.
func (m *mount) target() target {
	return target{kind: m.is, path: m.static.Dir + m.cgi.Dir + m.cgi.Script + m.python.Dir, app: m.python.App}
}

// defaultProcesses is enough for programs that wait, and few enough for those that
// compute.
const defaultProcesses = 8

// defaultBody bounds, in bytes, the body of a request to a program: it is kept on a
// disk until all of it is there.
const defaultBody = 256 << 20

// lifespanTimeout is for servers with applications of Python, whose start and stop have
// shorter timeouts of their own, one after the other.
const lifespanTimeout = 10 * time.Minute

// endWithin bounds the wait for what runs on the executor when the program ends.
const endWithin = 5 * time.Second

// mounts are mounts that can serve, and the executor that their work runs on.
type mounts struct {
	mux      *handlers.Mux // of all that is served: where programs send requests on to
	executor *executor.Executor
	closers  []func() error
	pythons  []*python.Handler
	started  func() // all serve
}

// newMounts makes the handlers of a list, and adds them to mux, whose lifespan is theirs.
// h is what applications publish to, or nil. failed makes the error of a mount that
// cannot be.
func newMounts(mux *handlers.Mux, list []mount, h *hub.Hub, logger *slog.Logger, failed func(i int, err error) error) (m *mounts, err error) {
	m = &mounts{mux: mux, started: func() {}}
	var classes []executor.ClassConfig
	for _, one := range list {
		if one.is == kindCGI || one.is == kindProgram {
			classes = append(classes, executor.ClassConfig{Name: className(one.path), Workers: one.processes, LongRun: -1})
		}
	}
	if m.executor, err = executor.New(executor.Config{Classes: classes, Logger: logger}); err != nil {
		return nil, err
	}
	for i, one := range list {
		served, err := m.handler(one, h, logger)
		if err != nil {
			return nil, errors.Join(failed(i, reasonOf(err)), m.close())
		}
		m.add(one, served)
	}
	mux.Lifespan(handlers.Lifespan(m.start, m.stop))
	return m, nil
}

// start starts the applications of Python, all or none.
func (m *mounts) start(ctx context.Context) error {
	for i, h := range m.pythons {
		if err := h.Start(ctx); err != nil {
			for _, started := range m.pythons[:i] {
				err = errors.Join(err, started.Stop(ctx))
			}
			return err
		}
	}
	m.started()
	return nil
}

// stop ends the applications of Python, side by side.
func (m *mounts) stop(ctx context.Context) error {
	ended := make([]error, len(m.pythons))
	var all sync.WaitGroup
	for i, h := range m.pythons {
		all.Go(func() { ended[i] = h.Stop(ctx) })
	}
	all.Wait()
	return errors.Join(ended...)
}

// ask asks the applications of Python whether a client may do something in a channel of
// the hub: all must allow it.
func (m *mounts) ask(who *hub.Identity, what hub.Action, channel string, answer func(error)) {
	var next func(rest []*python.Handler)
	next = func(rest []*python.Handler) {
		if len(rest) == 0 {
			answer(nil)
			return
		}
		rest[0].Ask(who, what, channel, func(err error) {
			if err != nil {
				answer(err)
				return
			}
			next(rest[1:])
		})
	}
	next(m.pythons)
}

// reload starts the applications of Python anew, one after the other.
func (m *mounts) reload(ctx context.Context) error {
	var failed []error
	for _, h := range m.pythons {
		failed = append(failed, h.Reload(ctx))
	}
	return errors.Join(failed...)
}

// reloadOnHangup has applications of Python start anew upon SIGHUP, until stop. Without
// any, the signal keeps its usual meaning.
func (m *mounts) reloadOnHangup(logger *slog.Logger) (stop func()) {
	if len(m.pythons) == 0 {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	var done sync.WaitGroup
	done.Go(func() {
		for {
			select {
			case <-hangups:
			case <-ctx.Done():
				return
			}
			switch err := m.reload(ctx); {
			case ctx.Err() != nil:
			case err != nil:
				logger.Error("the new code does not start, and the old one serves on", "error", err)
			default:
				logger.Info("the new code serves")
			}
		}
	})
	return func() {
		signal.Stop(hangups)
		cancel()
		done.Wait()
	}
}

// className is the class of the programs of a mount.
func className(path string) string { return "cgi " + path }

func (m *mounts) handler(one mount, h *hub.Hub, logger *slog.Logger) (asgi.Handler, error) {
	blocking := m.executor.Class(executor.Blocking)
	if one.is == kindStatic {
		c := one.static
		c.Blocking, c.Logger = blocking, logger
		files, err := static.New(c)
		if err != nil {
			return nil, err
		}
		m.closers = append(m.closers, files.Close)
		return files, nil
	}
	if one.is == kindPython {
		c := one.python
		c.Logger, c.Executor, c.Hub = logger, m.executor, h
		app, err := python.New(c)
		if err != nil {
			return nil, err
		}
		m.pythons = append(m.pythons, app)
		return app, nil
	}
	c := one.cgi
	c.Class, c.Blocking, c.Logger = m.executor.Class(className(one.path)), blocking, logger
	c.Redirect = m.mux
	programs, err := cgi.New(c)
	if err != nil {
		return nil, err
	}
	m.closers = append(m.closers, programs.Close)
	return programs, nil
}

// add adds the routes of a mount.
func (m *mounts) add(one mount, h asgi.Handler) {
	m.mux.HTTP(one.path+"/*", h)
	if one.is == kindPython {
		m.mux.WebSocket(one.path+"/*", h)
		if one.path != "" {
			m.mux.WebSocket(one.path, at(one.path, h))
		}
	}
	switch {
	case one.path == "":
	case one.is == kindProgram, one.is == kindPython:
		m.mux.HTTP(one.path, at(one.path, h))
	default:
		m.mux.HTTP(one.path, toFolder(one.path))
	}
}

// at has h serve the path itself, as the mux has it serve what is below.
func at(path string, h asgi.Handler) asgi.Handler {
	return asgi.HandlerFunc(func(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		scope = scope.Copy()
		scope.RootPath += path
		return h.Open(scope, x)
	})
}

// toFolder answers for a folder whose slash is missing.
func toFolder(path string) asgi.Handler {
	return asgi.HandlerFunc(func(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		to := scope.RootPath + path + "/"
		if scope.QueryString != "" {
			to += "?" + scope.QueryString
		}
		_ = handlers.Respond(x, 308, nil, asgi.Header{Name: "location", Value: to})
		return nil
	})
}

// close ends what runs for the mounts.
func (m *mounts) close() (err error) {
	for _, closer := range m.closers {
		err = errors.Join(err, closer())
	}
	ctx, cancel := context.WithTimeout(context.Background(), endWithin)
	defer cancel()
	return errors.Join(err, m.executor.Close(ctx))
}
