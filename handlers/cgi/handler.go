package cgi

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/executor"
	"github.com/gale-server/gale/executor/subprocess"
	"github.com/gale-server/gale/handlers"
)

// Handler runs a program for each request. It is an asgi.Handler for HTTP.
//
// Safe for concurrent use.
type Handler struct {
	cfg      Config
	env      []string        // what is the same for all programs
	envNames map[string]bool // the names in it
	root     *os.Root        // of Dir; nil for one Script
	null     *os.File        // what a program reads whose request has no body
	app      asgi.Handler
	spooled  atomic.Int64 // bytes of bodies that are kept
	pace     pace
	epolls   epolls

	mu     sync.Mutex
	closed bool
	runs   map[*run]context.CancelCauseFunc
	ended  sync.WaitGroup // of runs
}

// New returns a Handler, which the caller closes.
func New(cfg Config) (*Handler, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	subprocess.KeepInherited()
	h := &Handler{cfg: cfg, runs: make(map[*run]context.CancelCauseFunc)}
	h.env, h.envNames = cfg.fixedEnv()
	h.app = asgi.Coroutine(h.serve)
	if h.null, err = os.Open(os.DevNull); err != nil {
		return nil, fmt.Errorf("cgi: %w", err)
	}
	if cfg.Dir != "" {
		if h.root, err = os.OpenRoot(cfg.Dir); err != nil {
			_ = h.null.Close()
			return nil, fmt.Errorf("cgi: %w", err)
		}
	}
	return h, nil
}

// Close ends the programs that run, and returns when all are reaped and nothing is
// left of their requests: at most KillGrace later. New requests are answered with 503.
// It blocks, and may be called again.
func (h *Handler) Close() error {
	h.mu.Lock()
	first := !h.closed
	h.closed = true
	for _, cancel := range h.runs {
		cancel(ErrClosed)
	}
	h.mu.Unlock()
	h.ended.Wait()
	if first {
		_ = h.null.Close()
		h.epolls.close()
		if h.root != nil {
			_ = h.root.Close()
		}
	}
	return nil
}

// enter counts a run, until leave.
func (h *Handler) enter(r *run, cancel context.CancelCauseFunc) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return ErrClosed
	}
	h.runs[r] = cancel
	h.ended.Add(1)
	return nil
}

func (h *Handler) leave(r *run) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.runs, r)
	h.ended.Done()
}

// Open begins an exchange.
func (h *Handler) Open(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
	switch scope.Type {
	case asgi.ScopeHTTP:
		return h.app.Open(scope, x)
	case asgi.ScopeWebSocket:
		return handlers.Refuse(scope, x, 404, "no WebSocket here\n")
	default:
		x.End(asgi.ErrUnsupportedScope)
		return nil
	}
}

// serve answers a request, as a coroutine of the loop.
func (h *Handler) serve(ctx context.Context, scope *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
	path, ok := below(scope)
	if !ok {
		return errNotFound
	}
	b := &body{h: h, client: handlers.NetworkOf(scope)}
	defer b.close()
	r := &run{h: h, scope: scope, path: path, body: b}
	if hasBody(scope) { // who cannot be answered need not send it
		if err := h.lookUp(ctx, r); err != nil {
			return err
		}
	}
	if err := h.receiveBody(ctx, scope, receive, b); err != nil {
		return err
	}
	local, err := h.runAndSend(ctx, r, send)
	if err != nil || local == "" {
		return err
	}
	return h.redirect(ctx, scope, local, receive, send)
}

func hasBody(scope *asgi.Scope) bool {
	length, declared := scope.Header("content-length")
	_, chunked := scope.Header("transfer-encoding")
	return chunked || declared && length != "0"
}

// lookUp finds the program before it is run.
func (h *Handler) lookUp(ctx context.Context, r *run) error {
	t, err := executor.Run(ctx, h.cfg.Blocking, func(context.Context) (target, error) { return h.find(r.path) },
		executor.Job{Client: r.body.client, Label: "cgi lookup"})
	if err == nil {
		r.target = &t
	}
	return err
}

// runAndSend has a worker run the program, and sends what comes of it. Or it returns
// the target of a local redirect.
func (h *Handler) runAndSend(ctx context.Context, r *run, send asgi.Send) (local string, err error) {
	// With one report that waits, the program is at most two pieces ahead of the
	// client: then its worker waits, and soon the program.
	f, err := h.cfg.Class.Submit(ctx, executor.Job{Run: r.perform, Client: r.body.client, Reports: 1, Label: "cgi"})
	if err != nil {
		return "", err
	}
	defer f.Cancel() // for a send that failed
	for {
		report, ok := f.NextProgress(ctx)
		if !ok {
			break
		}
		if err := report.Partial.(*piece).send(ctx, send, true); err != nil {
			return "", err
		}
	}
	v, err := f.Wait(ctx)
	if err != nil {
		return "", err
	}
	end := v.(*ending)
	if end.local != "" {
		return end.local, nil
	}
	return "", end.last.send(ctx, send, false)
}

// redirects is the name under which a scope has the number of local redirects that
// led to it.
const redirects = "gale.cgi.redirects"

// maxRedirects bounds local redirects of one request.
const maxRedirects = 10

// redirect answers with what a GET of the local path would get (RFC 3875, section
// 6.2.2).
func (h *Handler) redirect(ctx context.Context, scope *asgi.Scope, local string, receive asgi.Receive, send asgi.Send) error {
	depth, _ := scope.Extensions[redirects].(int)
	if depth >= maxRedirects {
		return &Error{Script: scope.Path, Status: 502, Err: errRedirectLoop}
	}
	raw, query, _ := strings.Cut(local, "?")
	path, err := url.PathUnescape(raw)
	if err != nil {
		return &Error{Script: scope.Path, Status: 502, Err: fmt.Errorf("local redirect: %w", err)}
	}
	s := scope.Copy()
	if s.Extensions == nil {
		s.Extensions = make(map[string]any)
	}
	s.Extensions[redirects] = depth + 1
	if s.Method != "HEAD" {
		s.Method = "GET"
	}
	s.Path, s.RawPath, s.QueryString = strings.ToValidUTF8(path, "\uFFFD"), raw, query
	s.Headers = withoutBody(s.Headers)
	empty := emptyBody(receive)
	if h.cfg.Redirect != nil {
		s.RootPath = h.cfg.RedirectRoot
		return asgi.ApplicationOf(h.cfg.Redirect)(ctx, s, empty, send)
	}
	if rest, ok := strings.CutPrefix(s.Path, s.RootPath); !ok || !strings.HasPrefix(rest, "/") {
		return &Error{Script: scope.Path, Status: 502, Err: errNoRedirection}
	}
	return h.serve(ctx, s, empty, send)
}

// withoutBody returns the fields without those of a body.
func withoutBody(fields []asgi.Header) []asgi.Header {
	kept := make([]asgi.Header, 0, len(fields))
	for _, f := range fields {
		switch f.Name {
		case "content-length", "content-type", "content-encoding", "transfer-encoding", "expect":
		default:
			kept = append(kept, f)
		}
	}
	return kept
}

// emptyBody is receive for a request whose body was received: it has none.
func emptyBody(receive asgi.Receive) asgi.Receive {
	told := false
	return func(ctx context.Context) (asgi.ReceiveEvent, error) {
		if !told {
			told = true
			return &asgi.HTTPRequest{}, nil
		}
		return receive(ctx)
	}
}
