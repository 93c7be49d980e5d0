package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/executor"
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/cgi"
	"github.com/gale-server/gale/handlers/static"
)

// mount is something to serve under a path.
type mount struct {
	path string // "" for all that nothing else is mounted on
	is   kind

	static static.Config
	cgi    cgi.Config
	// processes is how many programs of a mount run at the same time.
	processes int
}

// target is what is mounted.
func (m *mount) target() target {
	return target{m.is, m.static.Dir + m.cgi.Dir + m.cgi.Script}
}

// defaultProcesses is enough for programs that wait, and few enough for those that
// compute.
const defaultProcesses = 8

// defaultBody bounds, in bytes, the body of a request to a program: it is kept on a
// disk until all of it is there.
const defaultBody = 256 << 20

// endWithin bounds the wait for what runs on the executor when the program ends.
const endWithin = 5 * time.Second

// mounts are mounts that can serve, and the executor that their work runs on.
type mounts struct {
	mux      *handlers.Mux // of all that is served: where programs send requests on to
	executor *executor.Executor
	closers  []func() error
}

// newMounts makes the handlers of a list, and adds them to mux. failed makes the error
// of a mount that cannot be.
func newMounts(mux *handlers.Mux, list []mount, logger *slog.Logger, failed func(i int, err error) error) (m *mounts, err error) {
	m = &mounts{mux: mux}
	var classes []executor.ClassConfig
	for _, one := range list {
		if one.is != kindStatic {
			classes = append(classes, executor.ClassConfig{Name: className(one.path), Workers: one.processes, LongRun: -1})
		}
	}
	if m.executor, err = executor.New(executor.Config{Classes: classes, Logger: logger}); err != nil {
		return nil, err
	}
	for i, one := range list {
		h, err := m.handler(one, logger)
		if err != nil {
			return nil, errors.Join(failed(i, reasonOf(err)), m.close())
		}
		m.add(one, h)
	}
	return m, nil
}

// className is the class of the programs of a mount.
func className(path string) string { return "cgi " + path }

func (m *mounts) handler(one mount, logger *slog.Logger) (asgi.Handler, error) {
	blocking := m.executor.Class(executor.Blocking)
	if one.is == kindStatic {
		c := one.static
		c.Blocking, c.Logger = blocking, logger
		h, err := static.New(c)
		if err != nil {
			return nil, err
		}
		m.closers = append(m.closers, h.Close)
		return h, nil
	}
	c := one.cgi
	c.Class, c.Blocking, c.Logger = m.executor.Class(className(one.path)), blocking, logger
	c.Redirect = m.mux
	h, err := cgi.New(c)
	if err != nil {
		return nil, err
	}
	m.closers = append(m.closers, h.Close)
	return h, nil
}

// add adds the routes of a mount.
func (m *mounts) add(one mount, h asgi.Handler) {
	m.mux.HTTP(one.path+"/*", h)
	switch {
	case one.path == "":
	case one.is == kindProgram:
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
